// Package uid2 is a client of UID2 and EUID operators: one protocol, two networks. Its central type is
// [Client]; Map turns hashed emails and phones into raw UIDs.
//
//	ids := []normalize.ID{...}
//	var answers client.Answers
//	if err := c.Map(ctx, ids, &answers); err != nil { ... }
//	for i := range ids {
//		if answers.Items[i].Status == client.Mapped {
//			use(answers.UID(i), answers.Items[i].RefreshFrom)
//		}
//	}
//
// # Guarantees
//
// Map returns one answer for each identity, in the order given, or an error and then nothing. A reply is
// decrypted and authenticated, its nonce and the lengths of all four of its arrays are compared with the
// request, and nothing of a reply that fails is believed. Identities only ever travel as SHA-256 hashes inside
// an envelope encrypted with the client secret; each attempt has an envelope of its own.
//
// # What goes wrong, and what happens then
//
// Package transport retries what may succeed later and adapts the rate. Beyond that:
//
//   - 413: the batch is halved.
//   - 400 about the clock: once more, because the reply tells what the time is; then an error with the difference.
//   - 500 again and again: if the operator answers others meanwhile, one of the identities makes it fail. It is
//     found by bisecting and gets the answer Unknown; see poison.go.
//   - 401, a wrong secret, the clock: *[client.Error] with the fault Refused and a remedy.
//   - anything else: *[client.Error] with the fault Broken. It is this program's bug or the operator's.
//
// Sources: the operator's source (uid2-operator), which wins over the documentation where they differ, and the
// reference SDKs.
package uid2
