package jobs

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"mapper/normalize"
)

// sense is what a word says, as a set.
type sense uint8

const (
	saysEmail sense = 1 << iota
	saysPhone
	saysHash  // of an email or phone
	saysAbout // something about an identifier: whether it is verified, how many there are
	saysLittle
	unknown
)

// naming is what the name of a column says.
type naming struct {
	says  sense
	about string // the word that says that the column is about an identifier
}

// mentions says whether the name speaks of identifiers of a kind and not of the other.
func (n naming) mentions(kind normalize.Kind) bool {
	of := n.says & (saysEmail | saysPhone)
	if kind == normalize.KindPhone {
		return of == saysPhone
	}
	return of == saysEmail
}

// worth is how much the name speaks for identifiers of a kind: 1 when it says that and nothing else, 0.5 when it
// has other words in it, and 0 when it says something else or is about them.
func (n naming) worth(kind normalize.Kind) float64 {
	switch {
	case !n.mentions(kind) || n.says&saysAbout != 0:
		return 0
	case n.says&unknown != 0:
		return 0.5
	}
	return 1
}

// longestPhrase is how many words of a name are looked up together: "e mail", "e mail address", "opt in".
const longestPhrase = 3

// longestName is how many bytes a name may have to be read: longer ones are no names but somebody's data, and
// the ways to split a compound multiply with its length.
const longestName = 100

// nameOf reads the name of a column. Words are looked up together with those that follow ("e-mail"), by
// themselves, and as compounds ("customeremail", "telefonnummer").
func nameOf(name string) naming {
	if len(name) > longestName {
		return naming{says: unknown}
	}
	var n naming
	words := wordsOf(name)
	for i := 0; i < len(words); {
		taken := 1
		says, ok := sense(0), false
		for k := min(longestPhrase, len(words)-i); k > 0 && !ok; k-- {
			taken = k
			says, ok = vocabulary[strings.Join(words[i:i+k], "")]
		}
		if !ok {
			says = compound(words[i])
		}
		if says&saysAbout != 0 && n.about == "" {
			n.about = strings.Join(words[i:i+taken], " ")
		}
		n.says |= says
		i += taken
	}
	return n
}

// wordsOf splits a name into words, folded: at everything that is no letter or digit, and where camelCase does.
func wordsOf(name string) []string {
	var words []string
	var word []rune
	end := func() {
		if len(word) > 0 {
			words = append(words, fold(string(word)))
		}
		word = word[:0]
	}
	runes := []rune(norm.NFKC.String(name))
	for i, r := range runes {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r):
			end()
			continue
		case unicode.IsUpper(r) && len(word) > 0:
			startsWord := i+1 < len(runes) && unicode.IsLower(runes[i+1])
			if !unicode.IsUpper(word[len(word)-1]) || startsWord { // customerEmail, SHAEmail
				end()
			}
		}
		word = append(word, r)
	}
	end()
	return words
}

// fold lower-cases a word and takes accents from its letters, those of Latin, Greek and Cyrillic: "Téléphone"
// and "telephone" are one word. The sound marks of Japanese and Hangul stay, which tell letters apart.
func fold(word string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(word) {
		switch r = unicode.ToLower(r); {
		case r >= 0x300 && r <= 0x36f: // combining accents
		case r == 'ß':
			b.WriteString("ss")
		case r == 'ø':
			b.WriteByte('o')
		case r == 'ł':
			b.WriteByte('l')
		case r == 'ı':
			b.WriteByte('i')
		default:
			b.WriteRune(r)
		}
	}
	return norm.NFC.String(b.String())
}

// compound reads a word that is made of known words and digits. In scripts without spaces a known word may also
// stand among unknown ones; in others it may not: a "hotel" is no "tel".
func compound(word string) sense {
	if says, ok := split(word); ok {
		return says
	}
	if !strings.ContainsFunc(word, isUnspaced) {
		return unknown
	}
	says := unknown
	for len(word) > 0 {
		piece := prefix(word)
		says |= vocabulary[piece]
		_, size := utf8.DecodeRuneInString(word)
		word = word[max(len(piece), size):]
	}
	return says
}

// split reads a word that is made of known words and digits alone, longest first.
func split(word string) (says sense, ok bool) {
	if word == "" {
		return 0, true
	}
	if rest := strings.TrimLeftFunc(word, unicode.IsDigit); len(rest) < len(word) {
		return split(rest)
	}
	for end := len(word); end > 1; end-- { // a letter by itself is a word only where it stands by itself
		first, known := vocabulary[word[:end]]
		if !known {
			continue
		}
		if rest, ok := split(word[end:]); ok {
			return first | rest, true
		}
	}
	return 0, false
}

// prefix returns the longest known word that a word begins with.
func prefix(word string) string {
	for end := len(word); end > 0; end-- {
		if _, known := vocabulary[word[:end]]; known {
			return word[:end]
		}
	}
	return ""
}

// isUnspaced says of a letter that its script puts no spaces between words, or, as Korean, few.
func isUnspaced(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Thai)
}
