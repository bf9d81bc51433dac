// Package jsonscan reads the JSON of replies: quickly, strictly, and without leaving anything behind. Its central type is
// Scanner, a position in memory. The clients uid2 and id5 walk their replies with it; which keys and values mean something,
// which may not come twice and how many there may be is theirs to know.
//
//	s := jsonscan.Scanner{Data: reply}
//	s.Enter('{')
//	for key := s.Key(); key != nil; key = s.Key() {
//		switch string(key) {
//		case "uid":
//			uid = s.Text()
//		default:
//			s.Skip()
//		}
//	}
//	s.End()
//	return s.Err()
//
// # What it promises
//
//   - What it takes is JSON by RFC 8259, and all of that is taken, but for what follows. Keys are compared as they are spelled,
//     escapes resolved; a lone half of a surrogate pair is U+FFFD, as encoding/json has it.
//   - Refused is everything else, among it: control characters in strings, escapes that do not exist, numbers with a plus, a
//     leading zero or nothing behind the point, commas too many or too few, a text cut short, something behind the end if End
//     is asked, and a value of another type than the one asked for.
//   - Strings that are not UTF-8 are refused, or mended (Scanner.Mend).
//   - Skip goes MaxDepth deep, so a reply of brackets alone costs no stack.
//   - Nothing is allocated, but for keys and read strings that have escapes or are mended, read numbers that are not small and
//     whole, and an error. Values that are skipped take nothing.
//
// # Errors
//
// The first one sticks (Scanner.Err): it names a byte of Data and never quotes any of it.
//
// # Decisions
//
// encoding/json costs forty times as much for 5,000 answers and leaves a string behind for each value: half a billion of them
// a night. It also takes a key that comes twice, and keys in other capitals than those asked for. It does resolve the
// escapes, which no reply in good order has, and it is the oracle of the tests.
//
// Strings are looked at eight bytes at a time for the few bytes that need care. Text and keys are slices of Data, and Span
// gives their place for a caller that keeps Data.
package jsonscan
