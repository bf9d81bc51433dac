// Package client holds what the clients of the identity services have in common: the answers they give and
// the errors they return. The clients themselves are below it: client/uid2 speaks to UID2 and EUID; each
// sends through client/transport, which owns retries, back-off and the rate.
package client
