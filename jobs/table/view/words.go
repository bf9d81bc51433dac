package view

import "sync"

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

// wordCache is what one goroutine knows of words without asking.
type wordCache struct {
	words  *words
	number map[string]uint32
}

func newWordCache(w *words) *wordCache { return &wordCache{words: w, number: map[string]uint32{}} }

// of returns the number of a word, which it copies.
func (c *wordCache) of(word string) uint32 {
	n, ok := c.number[word]
	if !ok {
		word = string(append([]byte(nil), word...)) // it is part of a page of a file
		n = c.words.of(word)
		c.number[word] = n
	}
	return n
}
