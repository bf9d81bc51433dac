package uid2

import (
	"bytes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mapper/client"
	"mapper/client/transport"
	"mapper/normalize"
)

const (
	testKey    = "UID2-C-T-marker.apikey"
	testSecret = "bWFya2VyLXNlY3JldC1tYXJrZXItc2VjcmV0LTEyMzQ=" // "marker-secret-marker-secret-1234"
)

// operator is the other side of the wire: http.Handler for real sockets, http.RoundTripper for virtual time.
type operator struct {
	t    *testing.T
	aead cipher.AEAD

	// Each may be nil. They are called with the number of the request, from 0, one at a time.
	fault   func(n int, ids []normalize.ID) *fault
	element func(id normalize.ID) string // the JSON of an answer
	spoil   func(n int, json string) string
	ahead   time.Duration // how far its clock is ahead of ours
	base64  bool          // how it answers
	latency time.Duration

	mu       sync.Mutex
	requests [][]normalize.ID
	times    []time.Time
	ivs      map[string]bool
}

// fault is a reply other than the right one.
type fault struct {
	status int
	body   string
	header map[string]string

	wrongNonce, garble, html bool
	plain                    []byte // the whole plaintext of the envelope
	err                      error
}

func newOperator(t *testing.T) *operator {
	t.Helper()
	aead, err := newAEAD(testSecret)
	if err != nil {
		t.Fatal(err)
	}
	return &operator{t: t, aead: aead, ivs: map[string]bool{}}
}

func (o *operator) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	_ = r.Body.Close()
	if err != nil {
		return nil, err
	}
	if o.latency > 0 {
		time.Sleep(o.latency)
	}
	status, header, reply, err := o.answer(r, body)
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(bytes.NewReader(reply)), ContentLength: int64(len(reply))}, nil
}

func (o *operator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	status, header, reply, err := o.answer(r, body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	for key, values := range header {
		w.Header()[key] = values
	}
	w.WriteHeader(status)
	_, _ = w.Write(reply)
}

// answer checks a request as the operator does and answers it.
func (o *operator) answer(r *http.Request, body []byte) (int, http.Header, []byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now().Add(o.ahead)
	header := http.Header{"Date": {now.UTC().Format(http.TimeFormat)}, "Content-Type": {"application/json"}}
	if r.URL.Path != "/v3/identity/map" || r.Method != http.MethodPost {
		o.t.Errorf("asked %s %s", r.Method, r.URL.Path)
	}
	if got := r.Header.Get("Content-Type"); got != "application/octet-stream" {
		o.t.Errorf("content type %q", got)
	}
	if got := r.Header.Get("X-UID2-Client-Version"); !strings.HasPrefix(got, "mapper-") {
		o.t.Errorf("client version %q", got)
	}
	if r.Header.Get("Authorization") != "Bearer "+testKey {
		return 401, header, []byte(`{"status":"unauthorized"}`), nil
	}
	if len(body) < 45 || body[0] != 1 || o.ivs[string(body[1:13])] {
		o.t.Errorf("bad envelope, or an IV that was used before")
		return 400, header, nil, nil
	}
	o.ivs[string(body[1:13])] = true
	plain, err := o.aead.Open(nil, body[1:13], body[13:], nil)
	if err != nil {
		return 400, header, []byte(`{"status":"client_error","message":"Invalid body: Check encryption key (ClientSecret). See https://unifiedid.com/docs/x"}`), nil
	}
	sent := time.UnixMilli(int64(binary.BigEndian.Uint64(plain)))
	if minutes := int(math.Floor(now.Sub(sent).Seconds())) / 60; minutes < -1 || minutes > 1 {
		o.requests, o.times = append(o.requests, nil), append(o.times, time.Now())
		return 400, header, []byte(`{"message":"Invalid timestamp: Request too old or client time drift.","status":"client_error"}`), nil
	}
	ids, reply := o.reply(plain[16:])
	n := len(o.requests)
	o.requests, o.times = append(o.requests, ids), append(o.times, time.Now())
	if o.spoil != nil {
		reply = o.spoil(n, reply)
	}
	f := new(fault)
	if o.fault != nil {
		f = cmpOr(o.fault(n, ids), f)
	}
	for key, value := range f.header {
		header.Set(key, value)
	}
	switch {
	case f.err != nil:
		return 0, nil, nil, f.err
	case f.status != 0 && f.status != 200:
		return f.status, header, []byte(f.body), nil
	}
	plain = binary.BigEndian.AppendUint64(nil, uint64(now.UnixMilli()))
	echo := slices.Clone(bodyNonce(o.aead, body))
	if f.wrongNonce {
		echo[7]++
	}
	plain = append(append(plain, echo...), reply...)
	if f.plain != nil {
		plain = f.plain
	}
	v, _ := seed()
	envelope := o.aead.Seal(v[:], v[:], plain, nil)
	if f.garble {
		envelope[len(envelope)/2] ^= 1
	}
	header.Set("Content-Type", "application/octet-stream")
	if f.html {
		header.Set("Content-Type", "text/html")
		return 200, header, []byte("<html>Please log in</html>"), nil
	}
	if o.base64 {
		header.Set("Content-Type", "text/plain; charset=utf-8")
		envelope = []byte(base64.StdEncoding.EncodeToString(envelope))
	}
	return 200, header, envelope, nil
}

func cmpOr(f, other *fault) *fault {
	if f != nil {
		return f
	}
	return other
}

func bodyNonce(aead cipher.AEAD, body []byte) []byte {
	plain, _ := aead.Open(nil, body[1:13], body[13:], nil)
	return plain[8:16]
}

// reply answers the JSON of a request with encoding/json and fmt, not with our own code.
func (o *operator) reply(request []byte) ([]normalize.ID, string) {
	var asked struct {
		Email []string `json:"email_hash"`
		Phone []string `json:"phone_hash"`
	}
	decoder := json.NewDecoder(bytes.NewReader(request))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&asked); err != nil {
		o.t.Errorf("the request's JSON: %v", err)
	}
	var ids []normalize.ID
	answers := func(hashes []string, kind normalize.Kind) string {
		var elements []string
		for _, hash := range hashes {
			raw, err := base64.StdEncoding.Strict().DecodeString(hash)
			if err != nil || len(raw) != 32 {
				o.t.Errorf("asked for %q", hash)
			}
			id := normalize.ID{Kind: kind, Hash: [32]byte(raw)}
			ids = append(ids, id)
			if o.element != nil {
				elements = append(elements, o.element(id))
			} else {
				elements = append(elements, standardElement(id))
			}
		}
		return strings.Join(elements, ",")
	}
	return ids, fmt.Sprintf(`{"body":{"email":[],"email_hash":[%s],"phone":[],"phone_hash":[%s]},"status":"success"}`,
		answers(asked.Email, normalize.KindEmail), answers(asked.Phone, normalize.KindPhone))
}

// standardElement answers by the hash: 90 % mapped, of these a third with a previous raw UID, the rest opted out or invalid.
func standardElement(id normalize.ID) string {
	switch b := id.Hash[0]; {
	case b >= 243:
		return `{"e":"invalid identifier"}`
	case b >= 230:
		return `{"e":"optout"}`
	case b%3 == 0:
		return fmt.Sprintf(`{"u":"%s","p":"%s","r":%d}`, uidOf(id, "u"), uidOf(id, "p"), refreshOf(id))
	default:
		return fmt.Sprintf(`{"u":"%s","p":null,"r":%d}`, uidOf(id, "u"), refreshOf(id))
	}
}

func uidOf(id normalize.ID, salt string) string {
	sum := sha256.Sum256(fmt.Append([]byte(salt), id.Kind, id.Hash))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func refreshOf(id normalize.ID) int64 { return 1_760_000_000 + int64(id.Hash[1])*86400 }

// checkStandard compares the answers with what standardElement said.
func checkStandard(t *testing.T, ids []normalize.ID, ans *client.Answers) {
	t.Helper()
	if len(ans.Items) != len(ids) {
		t.Fatalf("%d answers for %d identities", len(ans.Items), len(ids))
	}
	for i, id := range ids {
		checkOne(t, i, id, ans)
	}
}

func checkOne(t *testing.T, i int, id normalize.ID, ans *client.Answers) {
	t.Helper()
	item := ans.Items[i]
	got := fmt.Sprintf("%d %s %s %s %d", item.Status, ans.UID(i), ans.Previous(i), ans.Word(i), item.RefreshFrom)
	want := fmt.Sprintf("%d %s  %s %d", client.Mapped, uidOf(id, "u"), "", refreshOf(id)*1000)
	switch b := id.Hash[0]; {
	case b >= 243:
		want = fmt.Sprintf("%d   invalid identifier 0", client.Invalid)
	case b >= 230:
		want = fmt.Sprintf("%d   optout 0", client.OptOut)
	case b%3 == 0:
		want = fmt.Sprintf("%d %s %s %s %d", client.Mapped, uidOf(id, "u"), uidOf(id, "p"), "", refreshOf(id)*1000)
	}
	if got != want || item.At == 0 {
		t.Errorf("answer %d: got %q at %d; want %q", i, got, item.At, want)
	}
}

// people makes n different identities, emails and phones mixed.
func people(n int) []normalize.ID {
	ids := make([]normalize.ID, n)
	for i := range ids {
		ids[i] = normalize.ID{Hash: sha256.Sum256(fmt.Appendf(nil, "person-%d@example.com", i))}
		if i%3 == 1 {
			ids[i].Kind = normalize.KindPhone
		}
	}
	return ids
}

func testOptions(rt http.RoundTripper) Options {
	return Options{
		BaseURL: "https://operator.example", APIKey: client.NewSecret(testKey), ClientSecret: client.NewSecret(testSecret),
		Transport: transport.Options{RoundTripper: rt},
	}
}

func newClient(t *testing.T, opts Options) *Client {
	t.Helper()
	c, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
