package view

import (
	"bytes"
	"sync"
)

// words numbers texts of which there are few: names of input files and columns. Number 0 is the empty one. Any number
// of goroutines may use it.
type words struct {
	mu     sync.Mutex
	list   []string
	number map[string]uint32
}

func newWords() *words {
	return &words{list: []string{""}, number: map[string]uint32{"": 0}}
}

// of returns the number of a word.
func (w *words) of(word string) uint32 {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, ok := w.number[word]
	if !ok {
		n = uint32(len(w.list))
		w.list = append(w.list, word)
		w.number[word] = n
	}
	return n
}

// all returns the words that are known by now, by their numbers.
func (w *words) all() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.list[:len(w.list):len(w.list)]
}

// wordCache is what one goroutine knows of the words of a column without asking.
type wordCache struct {
	words  *words
	number map[string]uint32
	last   []byte // the word before, which it mostly is again; its memory is the cache's own
	of     uint32 // its number
}

func newWordCache(w *words) wordCache { return wordCache{words: w, number: map[string]uint32{}} }

// at returns the number of the word in a row, 0 if it is null.
func (c *wordCache) at(t *texts, i int) uint32 {
	if t.IsNull(i) {
		return 0
	}
	word := t.at(i)
	if !bytes.Equal(word, c.last) {
		c.last, c.of = append(c.last[:0], word...), c.find(word)
	}
	return c.of
}

func (c *wordCache) find(word []byte) uint32 {
	n, ok := c.number[string(word)]
	if !ok {
		n = c.words.of(string(word))
		c.number[string(word)] = n
	}
	return n
}
