package jobs

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mapper/client/objects"
	"mapper/normalize"
)

func idOf(kind normalize.Kind, text string) *normalize.ID {
	return &normalize.ID{Kind: kind, Hash: sha256.Sum256([]byte(text))}
}

func readList(ctx context.Context, list io.Reader, memory int64) (*identitySet, error) {
	return readIdentifiers(ctx, "-", identifierReading{Store: new(objects.Store), Stdin: list, Memory: memory})
}

// TestReadIdentifiers: each line stands for the people it names, and for nobody else.
func TestReadIdentifiers(t *testing.T) {
	jane, phone := "jane@example.com", "+15550100000"
	hash := idOf(normalize.KindEmail, jane)
	both := []*normalize.ID{hash, idOf(normalize.KindPhone, jane)}
	for _, c := range []struct {
		name, list string
		has        []*normalize.ID
		n          int
	}{
		{name: "nothing"},
		{name: "blank lines", list: "\n\r\n  \n\n"},
		{name: "an email", list: jane + "\n", has: both[:1], n: 1},
		{name: "an email without a line feed", list: jane, has: both[:1], n: 1},
		{name: "an email with something around", list: "\ufeff\u00a0Jane <Jane@Example.com> \r\n", has: both[:1], n: 1},
		{name: "a phone", list: phone, has: []*normalize.ID{idOf(normalize.KindPhone, phone)}, n: 1},
		{name: "hex stands for both kinds", list: string(hash.AppendHex(nil)), has: both, n: 1},
		{name: "capital hex", list: strings.ToUpper(string(hash.AppendHex(nil))), has: both, n: 1},
		{name: "base64 stands for both kinds", list: string(hash.AppendBase64(nil)) + "\t", has: both, n: 1},
		{name: "twice", list: jane + "\n\n" + phone + "\n" + string(hash.AppendHex(nil)) + "\nJANE@example.com", has: append(both, idOf(normalize.KindPhone, phone)), n: 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := readList(t.Context(), strings.NewReader(c.list), 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range c.has {
				if !s.Has(id) {
					t.Errorf("%s is not in it", id.AppendHex(nil))
				}
			}
			if entries := len(s.kinds[0].sorted) + len(s.kinds[1].sorted); s.Len() != c.n || entries != len(c.has) {
				t.Errorf("%d identifiers, want %d; %d entries, want %d", s.Len(), c.n, entries, len(c.has))
			}
		})
	}
}

// TestReadIdentifiersRefuses: what is no identifier is named by its place, and never shown.
func TestReadIdentifiersRefuses(t *testing.T) {
	for _, c := range []struct{ name, line, want string }{
		{"a header", "e-mail address", "phone: not E.164"},
		{"two @", "a@b@example.com", "email: two @"},
		{"a row of a table", "17,secret@example.com", "more than an address"},
		{"an email in quotes", `"secret@example.com"`, "more than an address"},
		{"a national number", "030 123456", "phone: national number and no region"},
		{"MD5", "5ebe2294ecd0e0f08eab7690d2a6ee69", "MD5?"},
		{"no hex", strings.Repeat("x", 64), "not all hex digits"},
		{"a NUL", "secret\x00@example.com", "NUL byte"},
		{"not UTF-8", "secr\xfft@example.com", "not UTF-8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, before := range []string{"a@example.com\n\n\r\n+15550100000\n", "\n\n\na@example.com\n"} {
				_, err := readList(t.Context(), strings.NewReader(before+c.line+"\nb@example.com\n"), 0)
				if err == nil || !strings.HasPrefix(err.Error(), "standard input:5: ") || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "correct the line") {
					t.Fatalf("%v, want %q", err, c.want)
				}
				if strings.Contains(err.Error(), c.line) || strings.Contains(err.Error(), "secret") {
					t.Errorf("it shows the value: %v", err)
				}
			}
		})
	}
}

// TestReadIdentifiersOfFiles reads lists from where inputs come from, and tells them apart by what they hold alone.
func TestReadIdentifiersOfFiles(t *testing.T) {
	folder := t.TempDir()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write([]byte("b@example.com\na@example.com\n")) // a buffer takes everything
	_ = z.Close()
	var digests []string
	for name, content := range map[string]string{"a.txt": "a@example.com\n\nB@example.com\na@example.com\n", "a.txt.gz": packed.String(), "c.csv": "a@example.com"} {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := readIdentifiers(t.Context(), path, identifierReading{Store: new(objects.Store)})
		if err != nil || len(s.Digest()) != 16 || !s.Has(idOf(normalize.KindEmail, "a@example.com")) {
			t.Fatalf("%s: %v, %v", name, s, err)
		}
		if name != "c.csv" {
			digests = append(digests, s.Digest())
		} else if s.Len() != 1 {
			t.Errorf("%s: %d", name, s.Len())
		}
	}
	if digests[0] != digests[1] || digests[0] == (*identitySet)(nil).Digest() {
		t.Errorf("digests %v", digests)
	}
	if _, err := readIdentifiers(t.Context(), filepath.Join(folder, "none"), identifierReading{Store: new(objects.Store)}); err == nil {
		t.Error("a file that is not there is read")
	}
}

// TestIdentitySetIsASet compares with a map, in numbers that fill neighbouring slices of the index.
func TestIdentitySetIsASet(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		want := map[normalize.ID]bool{}
		var lists [normalize.Kinds][]hashStart
		random := func() *normalize.ID {
			id := &normalize.ID{Kind: normalize.Kind(rng.IntN(2))}
			id.Hash[0], id.Hash[1], id.Hash[2], id.Hash[15] = byte(rng.IntN(2))*255, byte(rng.IntN(3))*127, byte(rng.IntN(4)), byte(rng.IntN(4))
			return id
		}
		for range rng.IntN(100) {
			id := random()
			want[*id] = true
			lists[id.Kind] = append(lists[id.Kind], startOf(&id.Hash))
		}
		s := newIdentitySet(lists)
		for range 400 {
			if id := random(); s.Has(id) != want[*id] {
				t.Fatalf("%v: %v", id, s.Has(id))
			}
		}
		different := map[[32]byte]bool{}
		for id := range want {
			different[id.Hash] = true
		}
		if s.Len() != len(different) {
			t.Fatalf("%d, want %d", s.Len(), len(different))
		}
	}
}

// TestIdentitySetTellsKindsApart: the same hashes as emails and as phones are two lists.
func TestIdentitySetTellsKindsApart(t *testing.T) {
	list := []hashStart{{1, 2}}
	emails, phones := newIdentitySet([normalize.Kinds][]hashStart{list, nil}), newIdentitySet([normalize.Kinds][]hashStart{nil, list})
	if emails.Digest() == phones.Digest() {
		t.Error("they have the same digest")
	}
}

// TestReadIdentifiersIsBounded: a list beyond the budget is refused; repetitions do not count.
func TestReadIdentifiersIsBounded(t *testing.T) {
	const budget = 2 << 20
	lines := func(n, different int) io.Reader {
		var b bytes.Buffer
		for i := range n {
			sum := sha256.Sum256(fmt.Append(nil, i%different))
			fmt.Fprintln(&b, hex.EncodeToString(sum[:]))
		}
		return &b
	}
	if s, err := readList(t.Context(), lines(200_000, 10_000), budget); err != nil || s.Len() != 10_000 {
		t.Errorf("%v, %v", s.Len(), err)
	}
	if _, err := readList(t.Context(), lines(200_000, 200_000), budget); err == nil || !strings.Contains(err.Error(), "--memory") {
		t.Errorf("too many: %v", err)
	}
}

func TestReadIdentifiersStops(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	silent, writer := io.Pipe()
	defer func() { _ = writer.Close() }() // of a pipe, which never fails
	go stop()
	if _, err := readList(ctx, silent, 0); err == nil {
		t.Error("it did not stop")
	}
}

func TestHasDoesNotAllocate(t *testing.T) {
	s := newIdentitySet([normalize.Kinds][]hashStart{{startOf(&idOf(0, "a").Hash)}, nil})
	id := idOf(normalize.KindEmail, "a")
	if n := testing.AllocsPerRun(100, func() {
		if !s.Has(id) {
			t.Fatal("it is not in it")
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkIdentitySetHas(b *testing.B) {
	ids := make([]normalize.ID, 1<<20)
	var lists [normalize.Kinds][]hashStart
	for i := range ids {
		ids[i].Hash = sha256.Sum256(fmt.Append(nil, i))
		if i%2 == 0 {
			lists[0] = append(lists[0], startOf(&ids[i].Hash))
		}
	}
	s := newIdentitySet(lists)
	b.ReportAllocs()
	found := 0
	i := 0
	for b.Loop() {
		if s.Has(&ids[i&(1<<20-1)]) {
			found++
		}
		i++
	}
}
