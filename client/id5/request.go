package id5

import (
	"encoding/hex"
	"encoding/json"
	"strconv"
)

// User is somebody to ask for.
type User struct {
	Hash      [32]byte // SHA-256 of the normalized email
	Country   [2]byte  // ISO 3166-1 alpha-2, capitals; zero is not sent, which means worldwide
	KnownUIDs []string // ID5 ids seen earlier, which the service shall join with the email; usually none
}

// ParseCountry returns a country for User from a text of two letters, whatever their case, or from none. It reports false
// for anything else.
func ParseCountry(text string) (country [2]byte, ok bool) {
	if text == "" {
		return country, true
	}
	if len(text) != 2 {
		return country, false
	}
	for i := range country {
		country[i] = text[i]
		if 'a' <= text[i] && text[i] <= 'z' {
			country[i] -= 'a' - 'A'
		}
	}
	return country, country != [2]byte{} && isCountry(country)
}

func isCountry(c [2]byte) bool {
	return c == [2]byte{} || 'A' <= c[0] && c[0] <= 'Z' && 'A' <= c[1] && c[1] <= 'Z'
}

// Numbers of users, in the form in which they travel.
const numberBase = 36

// appendRequest appends the body that asks for some of users, by their number.
func appendRequest(dst []byte, users []User, which []int) []byte {
	dst = append(dst, `{"users":[`...)
	for i, n := range which {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendUser(dst, &users[n], n)
	}
	return append(dst, `]}`...)
}

func appendUser(dst []byte, u *User, n int) []byte {
	dst = append(dst, `{"email_sha256":"`...)
	dst = hex.AppendEncode(dst, u.Hash[:])
	if u.Country != [2]byte{} {
		dst = append(dst, `","country_alpha2":"`...)
		dst = append(dst, u.Country[:]...)
	}
	dst = append(dst, `","partner_user_id":"`...)
	dst = strconv.AppendInt(dst, int64(n), numberBase)
	dst = append(dst, '"')
	for i, uid := range u.KnownUIDs {
		dst = append(dst, separator(i)...)
		dst = appendString(dst, uid)
		dst = append(dst, '}')
	}
	if len(u.KnownUIDs) > 0 {
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

// separator is what stands in front of the i-th known uid.
func separator(i int) string {
	if i == 0 {
		return `,"known_uids":[{"uid":`
	}
	return `,{"uid":`
}

// appendString appends a JSON string. Only one that needs escapes costs memory, which no uid does.
func appendString(dst []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(text) // a string always has a JSON
			return append(dst, quoted...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, text...)
	return append(dst, '"')
}
