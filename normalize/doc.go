// Package normalize turns raw identifiers, emails and telephone numbers as they stand in files, into identities.
//
// An identity ([ID]) is the SHA-256 of the canonical form of an email or a phone. Everybody who takes part in
// UID2, EUID or ID5 computes it for himself, so it has to come out the same to the last bit; otherwise a person
// silently matches nobody. A [Normalizer] makes identities from whole columns:
//
//	Raw -> hygiene -> canonical form -> SHA-256 -> ID, Note
//	          |             |
//	          +-------------+--> Reason
//
// Hygiene strips what files leave at the ends of a value (white space, byte order marks, zero-width characters)
// and takes the address out of "Name <address>". It never changes the inside of a value, each value that it
// made a difference to carries [NoteCleaned], and it can be switched off. What follows is the rule of the
// service and nothing else: [AppendEmail] and [CheckPhone] for UID2 and EUID, [AppendEmailID5] for ID5. A value
// that is a hash already ([ParseHash]) is taken as it is.
//
// A phone that is not E.164 is read as a number of its [Region], if the caller says which: for all values
// ([Options]) or row by row ([Normalizer.IdentityIn]). Each that became E.164 so carries [NotePhoneRegion].
//
// # Guarantees
//
// The canonical form of a canonical form is itself (UID2 and EUID). No more than SHA-256 and one pass over the
// bytes stands between a value and its identity, and nothing is allocated for it. The exception is a phone that
// has to be read in a region, which costs some 15 to 25 µs and 60 allocations: as much as a hundred emails. A
// number that is E.164 is hashed as it is and gives the same identity in every region.
//
// A raw identifier travels as a [Raw], which cannot be printed by accident. Reasons, notes and errors hold
// nothing of the value.
//
// # Errors
//
// A refused value is data, not a failure: it gives a [Reason], whose text goes to the output. Only [Email] and
// [Phone], which are for single values in code, return an error, an [*Error].
//
// # Decisions
//
// The UID2 operator is the authority, not the SDKs. When raw emails are sent, the operator normalizes them, and
// its result is what all others get. It agrees with the Java SDK. The Python SDK keeps spaces inside the local
// part and hashes phones in foreign digits, the browser library trims and lower-cases all of Unicode, the
// documentation is silent on such cases; each of them gives other hashes for odd values, and none is imitated.
//
// One profile for each service. ID5 normalizes differently (googlemail.com, capitals beyond ASCII, spaces), so
// hashes made for one service are useless to the other.
//
// Nothing is judged by looks: no list of top-level domains, no maximum length, no RFC 5322. The operator does not
// do it either, and whoever it maps must not be lost here.
//
// Invalid UTF-8 is refused. Java and JavaScript replace such bytes before they hash, each in its own way; the
// usual cause is a file in Latin-1 or UTF-16, which has to be decoded first.
//
// A hash must have 32 bytes, although the operator takes any 44 characters of base64. URL-safe and unpadded
// spellings are converted, because they can mean nothing else.
//
// The country of a national phone number is never guessed: it is not in the number. Without a region the number
// is refused. With one, digits, separators and a + in front are read by the numbering plan of the region
// (github.com/nyaruka/phonenumbers, the tables of Google's libphonenumber), trunk zeros and prefixes for calls
// abroad included, and must give a number that a plan has. Anything else, such as letters, extensions or
// two numbers in one cell, is refused as before: what to leave out of it would be a guess too. So are digits that
// are a valid number both with and without the country code in front, and numbers with .0 behind, which went through
// a column of floats: read as separator and digit, that would make them somebody else's.
//
// A region is two or three letters of ISO 3166-1, or UK. Names of countries come in too many spellings, and
// numbers in cells are ambiguous: 380 is Ukraine for a telephone and Italy for ISO. A cell that names no region
// does not fall back to the default, which is another country than the one that somebody meant to write.
//
// A valid E.164 number is not checked against its numbering plan, whatever the region: the operator does not do
// it, and the tables are always older than the newest numbers.
//
// ID5 takes no phones here, because it has not said how to normalize them.
//
// What looks like no email is accepted and marked ([IsPlausible], [NoteImplausible]): the service would take it, but
// whoever sends many such values should hear of it.
//
// Unicode properties, which only ID5 needs, are those of Go's tables; letters younger than these keep their
// case.
package normalize
