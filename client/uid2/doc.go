// Package uid2 maps hashed emails and phones to raw UIDs of UID2 and EUID, two networks with one protocol: POST
// /v3/identity/map. Its central type is Client, its one call Client.Map. It is of use without the rest of this program.
//
// # What Map promises
//
//   - One answer for each identity, in the order asked. Nothing of a reply is believed before it has been decrypted, its
//     nonce is that of the request, and each array has one element for each identity asked. Such a reply is asked for
//     again, a few times, and then the call fails with client.Broken.
//   - An envelope is built for each attempt, when it is about to leave: it is valid for about a minute.
//   - An answer's time (Answer.At) is the service's, from inside the envelope. Its RefreshFrom is Unix milliseconds; the
//     service sends seconds.
//   - Words that this package does not know are kept (client.Unknown and Answers.Word).
//   - A batch that the service finds too large (413) is halved. A batch that keeps answering 500 while the service is well is
//     searched for the values that cause it; these get client.Unknown and the word "HTTP 500 for this identity alone",
//     at most MaxPoison of them in the life of a Client. In an outage nothing is marked, only waited.
//   - Nothing is allocated per identity.
//
// # Errors
//
// Errors are *client.Error: Refused for key, role, secret, clock or base URL, Unreachable when the service kept failing for
// as long as transport.Options.GiveUpAfter, Broken when a promise was broken. They name the remedy. None shows an identity,
// the key or the secret; what the service said is quoted in one short line without anything that might be ours.
//
// # Decisions
//
// Bodies travel as they are (application/octet-stream), a quarter smaller than in base64. The reply is decoded by its own
// Content-Type, because the operator may answer in base64 whatever was sent.
//
// The request is written by hand, as hashes need no escapes. The reply is read with client/jsonscan: encoding/json costs
// forty times as much for 5,000 answers. A fuzz test compares the reader with encoding/json.
//
// # Sources
//
// The operator's code (github.com/IABTechLab/uid2-operator) and the API documentation at unifiedid.com; where they differ,
// the code. The vectors in testdata/vectors.json were made with the official SDKs.
package uid2
