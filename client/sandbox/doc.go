// Package sandbox is the UID2 or EUID operator in process: the other side of the wire, for tests, demonstrations
// and benchmarks. It also is the Partner Signals endpoint of ID5. Its central type is Sandbox, an http.Handler; Start puts one on a real TCP listener.
//
// # What it is faithful to
//
// It serves POST /v3/identity/map and GET /ops/healthcheck as the public operator does: both body encodings and
// the octet-stream body that turns out to be base64; the envelope, its clock window of whole minutes and every
// message about a bad one; the 1 MiB body limit; roles; raw and hashed identifiers; the answers to every odd
// request; the documented test identities. It accepts what the operator accepts, more than 5,000 identities and
// 44-character "hashes" of 31 or 33 bytes included, so that a client that relies on being told is found out.
// The sources are the operator's code and the documentation of the API; where they differ the code wins.
// It shares no code with the clients: an error in their envelope would otherwise be made on both sides.
//
// # Salts
//
// Raw UIDs come from salts as in production: a first-level salt, and 1,048,576 buckets whose salt rotates about
// once in Options.RotationDays. Nothing of this is stored. The seed, the bucket and the day give the salt, so the
// same seed gives the same raw UIDs in another process or year, and a test can live through a year by moving
// Options.Now. A bucket comes up for rotation every 30 days, and refresh_from is the next such day: a raw UID
// never changes before the refresh_from given with it.
//
// # Faults
//
// SetFaults makes the service misbehave: rates, outages, resets, spoiled replies, values that make it fail.
// Which request is hit depends only on its number since SetFaults, so a sequence of calls repeats exactly.
// A reply that was spoiled or not written whole is not in the counts of answered identities (Stats, Asked).
//
// # ID5
//
// POST /partners/v1/{partner}/signals answers as version 1.2.0 of its documentation says and its examples show: when some of
// the users are invalid, none is answered and the culprits are listed. There is no public implementation to compare it with.
// What the documentation leaves open can be chosen by Faults.ID5; rates, outages, resets and spoiled replies are those of
// Faults. A uid follows from hash, country and ID5Options.Seed, which is made up unless it is given, so that uids differ
// between runs; with ID5Faults.Changing they differ between calls, as those of the service do over time. What was asked, and
// joined by known_uids, can be looked up by ID5Asked and ID5Known.
//
// # Decisions
//
// The request body is scanned and the reply appended by hand, without an allocation per identity, because
// benchmarks run the sandbox on the same cores as what they measure. Requests that are not plain ASCII JSON of
// the usual shape go to encoding/json, which also is what the tests compare the scanner with.
//
// Rotating salts hold 64 bits, not the operator's 256, and come from a fast mixing function: with the 44
// characters before them they fit one SHA-256 block. They are opaque to clients, and nobody is protected by them.
//
// The clock of Options.Now rules what the protocol speaks of: envelopes, Date, salts. Latency and rates are
// those of the real clock.
//
// Not here: /v2/identity/map, buckets, tokens and sharing.
package sandbox
