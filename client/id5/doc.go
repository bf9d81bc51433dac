// Package id5 asks ID5's Partner Signals endpoint for the ID5 ids of hashed emails. Its central type is Client, its calls
// are Client.Map and Client.Check. It is of use without the rest of this program.
//
// # What Map promises
//
//   - One answer for each user, in the order asked. A user is recognized in a reply by the partner_user_id that went with
//     it (its number within the batch, in base 36: it means nothing to anybody else), and by hash and country when the
//     reply lacks it. A reply that has a user's number with another hash fails the call with client.Broken.
//   - Users that a reply leaves out are asked for once more, then answered client.Unknown with the word "no answer". Users
//     with neither a uid nor an error are client.Unknown with the word "no id". Users that nobody asked for are counted.
//   - One invalid user makes the service refuse a whole request. Those that it names are answered client.Invalid with its
//     code, and the rest is sent again, three times at most; then, or if nobody is named, the batch is halved until the
//     culprit is alone. No more than Options.MaxPoison culprits are found in that way.
//   - What is in a reply counts more than its status: a refusal may come with 200 as well as with 400.
//   - An answer's time (Answer.At) is that of the reply's header Date. There is no opt-out and no refresh time.
//   - Building a request and reading a reply allocate nothing per user, and what Map was given belongs to its caller again.
//
// # Errors
//
// Errors are *client.Error: Refused for partner, token or base URL, Unreachable when the service kept failing for as long as
// transport.Options.GiveUpAfter, Broken when a promise was broken. They name the remedy. None shows a hash or the token,
// which travels in the query of the URL. The service's messages quote the value that they are about, so only its codes are
// kept, and these only when they look like a code.
//
// # Decisions
//
// A batch is at most 1,000 users by default: the documentation says 1,000 in one place and 10,000 in another.
//
// The uid is encrypted and changes over time even for equal signals: two of them say nothing about whether two people are
// the same.
//
// known_uids make ID5 join identities, which probably nobody can undo. They are sent only for users that have them. A
// request that was not answered is sent again with them.
//
// Users of equal hash and country get equal uids, so it does not matter which of them gets which answer when a reply lacks
// the numbers. With known_uids that is not promised: send one user for each hash and country.
//
// Replies are read with client/jsonscan, with encoding/json as the oracle of the tests: a hundred million users a night
// would otherwise leave half a billion strings behind. Requests are sent uncompressed, as compression is not documented.
//
// # Sources
//
// ID5's documentation of the Partner Signals endpoint, version 1.2.0 (wiki.id5.io). There is no public client or server;
// what the documentation leaves open is taken in the way that costs least if it is wrong.
package id5
