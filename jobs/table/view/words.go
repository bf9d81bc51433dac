package view

// words numbers texts of which there are few: names of input files and columns. Number 0 is the empty one.
type words struct {
	list   []string
	number map[string]uint32
}

func newWords() *words {
	return &words{list: []string{""}, number: map[string]uint32{"": 0}}
}

// of returns the number of a word, which it copies.
func (w *words) of(word string) uint32 {
	n, ok := w.number[word]
	if !ok {
		n = uint32(len(w.list))
		word = string(append([]byte(nil), word...)) // it is part of a page of a file
		w.list = append(w.list, word)
		w.number[word] = n
	}
	return n
}
