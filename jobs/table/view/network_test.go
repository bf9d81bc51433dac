package view

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"strings"
	"testing"

	"mapper/normalize"
	"mapper/sinks"
)

func randomID(d *rand.Rand) (id normalize.ID) {
	for i := range id.Hash {
		id.Hash[i] = byte(d.Uint32())
	}
	id.Kind = normalize.Kind(d.IntN(2))
	return id
}

// Identities come back from keys, which compare as the order of the view wants it.
func TestIdentityInKeys(t *testing.T) {
	d := rand.New(rand.NewPCG(3, 9))
	for _, of := range []sinks.Network{sinks.NetworkUID2, sinks.NetworkID5} {
		n := networkOf(of)
		var last []byte
		for range 200 {
			id := randomID(d)
			text := id.AppendBase64(nil)
			if of == sinks.NetworkID5 {
				text = []byte(hex.EncodeToString(id.Hash[:]))
				id.Country = [2]byte{'A' + byte(d.IntN(26)), 'Z'}
			}
			key := n.appendKnown(nil, &id)
			if other := n.appendIdentity(nil, id.Kind, text, id.Country); !bytes.Equal(key, other) || len(key) != n.identityLen() {
				t.Fatalf("%q and %q are the keys of one identity", key, other)
			}
			var back normalize.ID
			if err := n.decode(&back, key); err != nil || back != id {
				t.Fatalf("%v comes back as %v, %v", id, back, err)
			}
			if bytes.Equal(key, last) {
				t.Fatal("two identities have one key")
			}
			last = key
		}
	}
}

// Only one text stands for a hash.
func TestHashOfID5(t *testing.T) {
	n, good := networkOf(sinks.NetworkID5), strings.Repeat("09af", 16)
	var id normalize.ID
	if err := n.decodeHash(&id, []byte(good)); err != nil || hex.EncodeToString(id.Hash[:]) != good {
		t.Fatalf("%x, %v", id.Hash, err)
	}
	for i := range good {
		for _, wrong := range "AFgG/:`\x00\xff =" {
			text := []byte(good)
			text[i] = byte(wrong)
			if err := n.decodeHash(&id, text); err == nil {
				t.Errorf("%q is taken", text)
			}
		}
	}
	for _, text := range []string{"", good[:63], good + "0"} {
		if err := n.decodeHash(&id, []byte(text)); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
	c := newCandidates(1<<10, n)
	if err := c.add([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{good: true, strings.Repeat("f", 64): false} {
		if has, err := c.has([]byte(text)); err != nil || has != want {
			t.Errorf("%s: %t, %v", text, has, err)
		}
	}
	if _, err := c.has([]byte(strings.Repeat("F", 64))); err == nil {
		t.Error("capitals are taken")
	}
}

// Inputs are not compared with tables of ID5.
func TestNoShuffleOfID5(t *testing.T) {
	v := emptyView(t)
	v.network = networkOf(sinks.NetworkID5)
	if _, err := NewShuffle(v, ShuffleOptions{}); err == nil || !strings.Contains(err.Error(), "mapper signals") {
		t.Error(err)
	}
}
