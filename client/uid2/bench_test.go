package uid2

import (
	"testing"

	"mapper/client"
	"mapper/client/jsonscan"
	"mapper/normalize"
)

// benchReply is a reply to ids: 90 % mapped, a third of these with a previous raw UID.
func benchReply(ids []normalize.ID) string {
	var kinds [normalize.Kinds][]byte
	for _, id := range ids {
		if len(kinds[id.Kind]) > 0 {
			kinds[id.Kind] = append(kinds[id.Kind], ',')
		}
		kinds[id.Kind] = append(kinds[id.Kind], standardElement(id)...)
	}
	return `{"body":{"email":[],"email_hash":[` + string(kinds[normalize.KindEmail]) + `],"phone":[],"phone_hash":[` +
		string(kinds[normalize.KindPhone]) + `]},"status":"success"}`
}

func perEntry(b *testing.B) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/MaxItems, "ns/entry")
}

func BenchmarkRequestJSON(b *testing.B) {
	ids := people(MaxItems)
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = appendRequest(dst[:0], ids)
	}
	b.SetBytes(int64(len(dst)))
	perEntry(b)
}

func BenchmarkSeal(b *testing.B) {
	aead, err := newAEAD(testSecret)
	if err != nil {
		b.Fatal(err)
	}
	json := appendRequest(nil, people(MaxItems))
	dst := make([]byte, 0, len(json)+100)
	b.SetBytes(int64(len(json)))
	b.ReportAllocs()
	for b.Loop() {
		v, n := seed()
		dst = append(beginEnvelope(dst[:0], v, n, 1), json...)
		dst = seal(aead, dst)
	}
	perEntry(b)
}

// BenchmarkOpenAndScan decrypts a reply and reads its answers.
func BenchmarkOpenAndScan(b *testing.B) {
	aead, err := newAEAD(testSecret)
	if err != nil {
		b.Fatal(err)
	}
	ids := people(MaxItems)
	v, n := seed()
	envelope := aead.Seal(v[:], v[:], append(beginEnvelope(nil, v, n, 1)[1+ivLen:], benchReply(ids)...), nil)
	var ans client.Answers
	b.SetBytes(int64(len(envelope)))
	b.ReportAllocs()
	for b.Loop() {
		ans.Reset(len(ids))
		ans.Text = append(ans.Text, envelope...)
		at, from, to, err := open(aead, ans.Text, n)
		if err != nil {
			b.Fatal(err)
		}
		r := reply{Scanner: jsonscan.Scanner{Data: ans.Text[:to], Pos: from}, part: part{ids: ids, ans: &ans}, at: at}
		if err := r.read(); err != nil {
			b.Fatal(err)
		}
	}
	perEntry(b)
}

// BenchmarkScan is the reading alone.
func BenchmarkScan(b *testing.B) {
	ids := people(MaxItems)
	text := []byte(benchReply(ids))
	var ans client.Answers
	ans.Reset(len(ids))
	ans.Text = text
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		r := reply{Scanner: jsonscan.Scanner{Data: text}, part: part{ids: ids, ans: &ans}}
		if err := r.read(); err != nil {
			b.Fatal(err)
		}
	}
	perEntry(b)
}
