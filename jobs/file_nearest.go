package jobs

import "strings"

// nearest returns the key that was probably meant, or nothing: the one with the fewest letters to change, if these are
// a third of it at most. A column's key is as near by its own name, since columns are easily written one level too high.
func nearest(key string, keys []string) string {
	best, least := "", 0
	for _, k := range keys {
		n := 2 * distance(key, k)
		if own := 2*distance(lastOf(key), lastOf(k)) + 1; own < n {
			n = own
		}
		if best == "" || n < least {
			best, least = k, n
		}
	}
	if least/2 > (max(len(key), len(lastOf(best)))+1)/3 {
		return ""
	}
	return best
}

// lastOf returns a key without the keys it stands under.
func lastOf(key string) string { return key[strings.LastIndexByte(key, '.')+1:] }

// distance is how many letters have to be put in, taken out or changed to make b of a. A dash is an underscore.
func distance(a, b string) int {
	a = strings.ReplaceAll(a, "-", "_")
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
