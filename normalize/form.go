package normalize

import (
	"errors"
	"strings"
)

// Form says what a column holds.
type Form uint8

// What columns hold. Hashes among emails and phones are recognized value by value.
const (
	FormEmail     Form = iota // email addresses
	FormPhone                 // telephone numbers
	FormEmailHash             // SHA-256 of normalized email addresses, in base64 or hex
	FormPhoneHash             // SHA-256 of E.164 telephone numbers, in base64 or hex
)

// Kind returns the kind of identity that a column of this form gives.
func (f Form) Kind() Kind {
	if f == FormPhone || f == FormPhoneHash {
		return KindPhone
	}
	return KindEmail
}

// String returns the form by the name that it has in a job file.
func (f Form) String() string {
	return [...]string{"email", "phone", "email_hash", "phone_hash"}[f]
}

// hashed says that every value of the column has to be a hash.
func (f Form) hashed() bool { return f == FormEmailHash || f == FormPhoneHash }

// Note is a set of remarks on an accepted value, to be counted. They do not change what the identity means.
type Note uint8

// The remarks.
const (
	NoteCleaned     Note = 1 << iota // hygiene removed something that the service would have hashed or refused
	NotePrehashed                    // the value was a hash already
	NoteConverted                    // the hash was base64 as the services do not take it: URL-safe or unpadded
	NoteEmptyHash                    // the hash is that of the empty string: somebody hashed missing values
	NotePhoneRegion                  // the phone was not E.164 and was read as a number of its region
	NoteImplausible                  // the email is not plausible: see IsPlausible
)

// String returns the remarks by the names under which they are counted, separated by commas.
func (n Note) String() string {
	var names []string
	for bit, name := range [...]string{"cleaned", "prehashed", "converted", "hash_of_empty", "phone_region", "implausible_email"} {
		if n&(1<<bit) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ",")
}

// MarshalText writes the form by its name.
func (f Form) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (f *Form) UnmarshalText(text []byte) error {
	for _, form := range [...]Form{FormEmail, FormPhone, FormEmailHash, FormPhoneHash} {
		if form.String() == string(text) {
			*f = form
			return nil
		}
	}
	return errors.New("a column holds email, phone, email_hash or phone_hash")
}
