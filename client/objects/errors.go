package objects

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

var (
	// ErrChanged means that an object is no longer what it was when it was found.
	ErrChanged = errors.New("it has changed since the run was planned; start a new run to read it as it is now")
	// ErrUnavailable means that a storage kept failing, or gave no answer, for as long as the [Store] had patience.
	// Of a write it is not known then whether it has happened, or will yet.
	ErrUnavailable = errors.New("the storage is out of reach")
)

// Error is what went wrong with an object in the cloud. It matches its Kind with errors.Is.
type Error struct {
	URI  string // of the object, or of what was listed
	Kind error  // fs.ErrNotExist, fs.ErrExist, fs.ErrPermission, ErrChanged, ErrUnavailable, or nil for anything else
	Err  error  // what the storage said; may be nil
}

// Error returns what happened, where, and what to do next, in one line.
func (e *Error) Error() string {
	name := e.URI
	if strings.ContainsFunc(name, unicode.IsControl) {
		name = strconv.Quote(name)
	}
	text := name + ": " + e.what()
	if e.Err != nil && !errors.Is(e.Kind, ErrChanged) {
		text += fmt.Sprintf(" (%v)", e.Err)
	}
	return text
}

func (e *Error) what() string {
	switch {
	case errors.Is(e.Kind, fs.ErrNotExist):
		return "there is no such object; check the name, and that the bucket exists"
	case errors.Is(e.Kind, fs.ErrExist):
		return "there is an object of this name already"
	case errors.Is(e.Kind, fs.ErrPermission):
		return "access is denied; check the credentials that this machine uses for the storage, and their rights to list, read and create objects there"
	case errors.Is(e.Kind, ErrUnavailable):
		return ErrUnavailable.Error() + "; check the endpoint and the network, and run the same command again when it answers"
	case errors.Is(e.Kind, ErrChanged):
		return ErrChanged.Error()
	}
	return "the storage refuses"
}

// Unwrap returns the kind and the cause. A cause that readers take for the end of what they read, or callers for the
// end of their own context, is only told: a storage that breaks off is neither.
func (e *Error) Unwrap() []error {
	var errs []error
	if e.Kind != nil {
		errs = append(errs, e.Kind)
	}
	if e.Err != nil && !slices.ContainsFunc(misleading, func(err error) bool { return errors.Is(e.Err, err) }) {
		errs = append(errs, e.Err)
	}
	return errs
}

var misleading = []error{io.EOF, io.ErrUnexpectedEOF, context.Canceled, context.DeadlineExceeded}

// isLasting says whether an error of a connection will be there the next time too: no such host, a certificate that
// nobody trusts, plain text where TLS is spoken.
func isLasting(err error) bool {
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	return errors.As(err, &name) && name.IsNotFound || errors.As(err, &certificate) || errors.Is(err, http.ErrSchemeMismatch)
}

// called makes an error about what the user has named in other words.
func called(uri string, err error) error {
	var e *Error
	if errors.As(err, &e) {
		return &Error{URI: uri, Kind: e.Kind, Err: e.Err}
	}
	return err
}

// isNetwork says whether an error is that of a connection, and no answer of the storage.
func isNetwork(err error) bool {
	var request *url.Error
	var connection *net.OpError
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	return errors.As(err, &request) || errors.As(err, &connection) || errors.As(err, &name) || errors.As(err, &certificate)
}

// pinned returns what an error means for a read of one version: if that is not there, the object has changed.
func pinned(err error) error {
	var e *Error
	if errors.As(err, &e) && (errors.Is(e.Kind, fs.ErrNotExist) || errors.Is(e.Kind, fs.ErrExist)) {
		e.Kind = ErrChanged
	}
	return err
}

// oneLine makes one line of what may be a whole page.
func oneLine(text string) string {
	return fmt.Sprintf("%.300s", strings.Join(strings.Fields(text), " "))
}
