package client

import (
	"strings"
)

// Fault says whose turn it is after an error, which is what an exit code is made from.
type Fault uint8

const (
	// Broken says that the service broke its promise (wrong nonce, missing answers, an unknown reply), or this program
	// sent what it must not. Asking again will not help.
	Broken Fault = iota
	// Refused says that credentials, role or clock are wrong. The user has to change something.
	Refused
	// Unreachable says that the service kept failing for as long as the caller was ready to wait. Try again later.
	Unreachable
)

// Error is a failed call of a service. It never holds an identifier, a secret or the query of an URL.
type Error struct {
	Fault   Fault
	Op      string // the call, e.g. "uid2 identity/map"
	Status  int    // the HTTP status, or 0 when there was no answer
	Message string // what happened, in one line
	Remedy  string // what the user can do next, or nothing
	Err     error  // the cause, if there is one
}

// Error returns what happened, where, and what to do next, in one line.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	b.WriteString(": ")
	b.WriteString(e.Message)
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	if e.Remedy != "" {
		b.WriteString("; ")
		b.WriteString(e.Remedy)
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
