package uid2_test

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"mapper/client"
	"mapper/client/sandbox"
)

const (
	ivLen   = 12
	headLen = 16 // time and nonce
)

// mapAltered maps one email and one phone with an operator whose JSON is changed on the way, under its own envelope.
func mapAltered(t *testing.T, change func(json string) string) (*client.Answers, error) {
	t.Helper()
	op := newSandbox(t, sandbox.Options{RotationDays: 270})
	aead := newAEAD(t, op.ClientSecret())
	opts := inMemory(op)
	opts.Transport.RoundTripper = rewriting{op, func(r *http.Response, body []byte) []byte {
		if r.StatusCode != http.StatusOK {
			return body
		}
		plain, err := aead.Open(nil, body[:ivLen], body[ivLen:], nil)
		if err != nil {
			t.Fatal(err)
		}
		plain = append(plain[:headLen:headLen], change(string(plain[headLen:]))...)
		return aead.Seal(slices.Clone(body[:ivLen]), body[:ivLen], plain, nil)
	}}
	answers := new(client.Answers)
	return answers, newClient(t, opts).Map(t.Context(), people(2), answers)
}

func newAEAD(t *testing.T, secret string) cipher.AEAD {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(secret)
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	return aead
}

// TestTruncatedJSON cuts the JSON off at every byte. The envelope is whole, so nothing but the reader can see it.
func TestTruncatedJSON(t *testing.T) {
	length := 0
	synctest.Test(t, func(t *testing.T) { // virtual time, as below: the salts and with them the length depend on the day
		if _, err := mapAltered(t, func(json string) string { length = len(json); return json }); err != nil {
			t.Fatal(err)
		}
	})
	if length < 200 {
		t.Fatalf("the JSON has only %d bytes", length)
	}
	for end := range length {
		synctest.Test(t, func(t *testing.T) {
			_, err := mapAltered(t, func(json string) string { return json[:end] })
			wantError(t, err, client.Broken)
		})
	}
}

// TestArrayLengths has each array one element too long, each that is not empty one too short, and elements that are
// answered in the wrong one.
func TestArrayLengths(t *testing.T) {
	const element = `{"u":"AN1OfZN7IlaQxBDb1hBc9e0Yy2zs2Rm+v1jbbbQrnXpy","p":null,"r":1706659200}`
	reply := func(email, emailHash, phone, phoneHash int) string {
		array := func(n int) string { return strings.TrimSuffix(strings.Repeat(element+",", n), ",") }
		return fmt.Sprintf(`{"body":{"email":[%s],"email_hash":[%s],"phone":[%s],"phone_hash":[%s]},"status":"success"}`,
			array(email), array(emailHash), array(phone), array(phoneHash))
	}
	for _, lengths := range [][4]int{
		{0, 1, 0, 1}, {1, 1, 0, 1}, {0, 2, 0, 1}, {0, 1, 1, 1}, {0, 1, 0, 2},
		{0, 0, 0, 1}, {0, 1, 0, 0}, {1, 0, 0, 1}, {0, 1, 1, 0}, {0, 2, 0, 0}, {0, 0, 0, 2}, {1, 0, 1, 0}, {0, 0, 0, 0},
	} {
		t.Run(fmt.Sprint(lengths), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				answers, err := mapAltered(t, func(string) string { return reply(lengths[0], lengths[1], lengths[2], lengths[3]) })
				if lengths != [4]int{0, 1, 0, 1} {
					wantError(t, err, client.Broken)
					return
				}
				if err != nil || answers.Items[0].Status != client.Mapped || answers.Items[1].Status != client.Mapped {
					t.Errorf("the right lengths give %+v, %v", answers.Items, err)
				}
			})
		})
	}
}

// TestOtherStatuses are 200 with a word instead of a body.
func TestOtherStatuses(t *testing.T) {
	for _, status := range []string{"optout", "error", "unknown", "", "Success", "user@example.com"} {
		synctest.Test(t, func(t *testing.T) {
			_, err := mapAltered(t, func(string) string { return fmt.Sprintf(`{"status":%q}`, status) })
			wantError(t, err, client.Broken)
			if strings.Contains(err.Error(), "user@") {
				t.Errorf("the error quotes the reply: %v", err)
			}
		})
	}
}
