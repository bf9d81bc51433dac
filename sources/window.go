package sources

import (
	"bytes"
	"io"
	"unicode/utf8"
)

// windowSize is how much text is looked at in one go. Large reads are cheap; beyond a megabyte nothing is won.
const windowSize = 1 << 20

// lineEnd is the longest line end, "\r\n". A window that holds a row of the greatest length and this much
// more has all that is needed to judge the row, wherever the reader's own borders fall.
const lineEnd = 2

// window slides over a text. What it holds is buf[pos:end].
type window struct {
	r        io.Reader // nil when buf holds all there is
	buf      []byte
	pos, end int
	offset   int64 // bytes of the text before buf[pos]
	final    bool  // nothing of the text follows buf[:end]
	err      error // why what follows cannot be had
	clean    bool  // all of buf[pos:end] is UTF-8 and free of NUL, so that single rows need not be checked
}

// newWindow slides over what r still has, which begins at offset of the text.
func newWindow(r io.Reader, offset int64, maxRow int) *window {
	return &window{r: r, buf: make([]byte, max(windowSize, maxRow+lineEnd)), offset: offset}
}

// memoryWindow is over text in memory. Without an err that is all of it.
func memoryWindow(text []byte, err error) *window {
	w := &window{buf: text, end: len(text), final: err == nil, err: err}
	w.inspect()
	return w
}

// rest is the text that is in sight.
func (w *window) rest() []byte { return w.buf[w.pos:w.end] }

// stopped says that no more can come into sight.
func (w *window) stopped() bool { return w.final || w.err != nil }

func (w *window) advance(n int) {
	w.pos += n
	w.offset += int64(n)
}

// fill moves the rest to the front and reads until the buffer is full or the text stops.
func (w *window) fill() {
	w.end = copy(w.buf, w.rest())
	w.pos = 0
	for idle := 0; w.end < len(w.buf) && !w.stopped(); idle++ {
		n, err := w.r.Read(w.buf[w.end:])
		w.end += n
		switch {
		case err == io.EOF:
			w.final = true
		case err != nil:
			w.err = err
		case n > 0:
			idle = 0
		case idle == 100:
			w.err = io.ErrNoProgress
		}
	}
	w.inspect()
}

// inspect finds out whether the rest is clean. Doing it for the whole window costs a tenth of doing it by rows.
func (w *window) inspect() {
	text := w.rest()
	if !w.final {
		text = wholeRunes(text)
	}
	w.clean = utf8.Valid(text) && bytes.IndexByte(text, 0) < 0
}

// skipLine moves behind the next line feed, or to the end of the text.
func (w *window) skipLine() {
	for {
		if i := bytes.IndexByte(w.rest(), '\n'); i >= 0 {
			w.advance(i + 1)
			return
		}
		w.advance(w.end - w.pos)
		if w.stopped() {
			return
		}
		w.fill()
	}
}

// wholeRunes cuts a character off that goes on beyond the end of b.
func wholeRunes(b []byte) []byte {
	for i := len(b) - 1; i >= 0 && i >= len(b)-utf8.UTFMax; i-- {
		if utf8.RuneStart(b[i]) {
			if !utf8.FullRune(b[i:]) {
				return b[:i]
			}
			break
		}
	}
	return b
}
