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
// # Guarantees
//
// The canonical form of a canonical form is itself (UID2 and EUID). No more than SHA-256 and one pass over the
// bytes stands between a value and its identity, and nothing is allocated for it.
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
// National phone numbers are refused, never guessed: the country is not in the number.
//
// ID5 takes no phones here, because it has not said how to normalize them.
//
// Unicode properties, which only ID5 needs, are those of Go's tables; letters younger than these keep their
// case.
package normalize
