// Package client holds what the clients of the identity services have in common: the answers they give, the errors they
// return, and the credentials they are given, which cannot be printed (Secret). The clients themselves are below it:
// client/uid2 speaks to UID2 and EUID, client/id5 to ID5; each sends through client/transport, which owns retries, back-off and the rate,
// and reads replies with client/jsonscan.
package client
