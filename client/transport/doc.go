// Package transport sends the requests of one credential to one service: retries, back-off, one gate for 429, a rate
// that adapts to the service, and errors that show no credential. Its central type is Transport, its one call Do.
//
// # How a request goes
//
// It waits for its turn at the gate: for a place in flight, for the end of a pause, for a token of the rate. Only then
// is its body built, anew for every attempt, because an encrypted envelope is valid for a minute and must never be
// sent twice. Back-off is slept before the gate and holds no place in flight.
//
// # Guarantees
//
//   - Never more than MaxInFlight requests are under way. While no reply is a 429, nothing else slows them down.
//   - A 429 pauses all callers and lowers the rate, once for all the requests that were refused together. It is not a
//     failure: the call goes on until it is answered.
//   - A share of 429 that does not depend on the rate is found out, in half a minute to a few, and is then not slowed
//     down for. Retry-After is obeyed always.
//   - Network errors, timeouts, replies that end early, 500, 502, 503 and 504 are retried with full-jitter exponential
//     back-off, from 500 ms to 30 s. Every other status goes to the caller, who knows what it means.
//   - When nobody has had a success for GiveUpAfter, calls fail with client.Unreachable. It is looked at when an attempt
//     has failed. Time in which nobody asks does not count.
//   - Replies are bounded; redirects are never followed, as they would carry the credentials along; plain http leaves
//     this machine never; the end of a context ends every wait at once.
//   - No error shows the query or the user of a URL, or the header Authorization.
//
// # Decisions
//
// The RoundTripper is used directly, without http.Client, whose errors quote the URL and which follows redirects.
//
// Back-off and the rate are a few lines of our own. cenkalti/backoff has no full jitter and wants to own the loop, and
// x/time/rate cannot be told of a pause and of a rate that changes while somebody waits for a token.
//
// A reply that the caller cannot believe (Call.Accept) is a failed attempt here, so that it counts neither as success
// for the outage clock nor for the rate, and is retried like a broken connection.
package transport
