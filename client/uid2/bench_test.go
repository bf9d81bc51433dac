package uid2

import (
	"encoding/base64"
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

// BenchmarkStage are the stages of a run that turn 5,000 identities into a request and a reply into answers, and their
// floors: the library that does the work, or one look at each byte. One operation is one identity.
func BenchmarkStage(b *testing.B) {
	ids := people(MaxItems)
	request, text := appendRequest(nil, ids), []byte(benchReply(ids))
	aead, err := newAEAD(testSecret)
	if err != nil {
		b.Fatal(err)
	}
	v, n := seed()
	envelope := aead.Seal(v[:], v[:], append(beginEnvelope(nil, v, n, 1)[1+ivLen:], text...), nil)
	buf := make([]byte, 0, 2*len(text))
	var ans client.Answers
	ans.Reset(len(ids))

	stage(b, "build_request/own", request, func() { buf = appendRequest(buf[:0], ids) })
	stage(b, "build_request/floor", request, func() {
		buf = buf[:0]
		for i := range ids {
			buf = append(base64.StdEncoding.AppendEncode(append(buf, '"'), ids[i].Hash[:]), `",`...)
		}
	})
	stage(b, "encrypt/own", request, func() {
		v, n := seed()
		buf = seal(aead, append(beginEnvelope(buf[:0], v, n, 1), request...))
	})
	stage(b, "encrypt/floor", request, func() { aead.Seal(buf[:0], v[:], request, nil) })
	stage(b, "decrypt/own", envelope, func() {
		buf = append(buf[:0], envelope...)
		if _, _, _, err := open(aead, buf, n); err != nil {
			b.Fatal(err)
		}
	})
	stage(b, "decrypt/floor", envelope, func() {
		if _, err := aead.Open(buf[:0], envelope[:ivLen], envelope[ivLen:], nil); err != nil {
			b.Fatal(err)
		}
	})
	stage(b, "scan_reply/own", text, func() {
		ans.Reset(len(ids))
		ans.Text = append(ans.Text, text...)
		r := readerOf(ans.Text, ids, &ans)
		if err := r.read(); err != nil {
			b.Fatal(err)
		}
	})
	stage(b, "scan_reply/floor", text, func() {
		quotes := 0
		for _, c := range text {
			if c == '"' {
				quotes++
			}
		}
		if quotes < MaxItems {
			b.Fatal("there are too few")
		}
	})
}

func readerOf(text []byte, ids []normalize.ID, ans *client.Answers) reply {
	return reply{Scanner: jsonscan.Scanner{Data: text}, part: part{ids: ids, ans: ans}}
}

// stage measures what does something to all identities at once.
func stage(b *testing.B, name string, text []byte, do func()) {
	b.Run(name, func(b *testing.B) {
		b.SetBytes(int64(len(text) / MaxItems))
		b.ReportAllocs()
		do() // fills the buffers
		b.ResetTimer()
		for left := b.N; left > 0; left -= MaxItems {
			do()
		}
	})
}
