package jsonscan_test

import (
	"fmt"

	"mapper/client/jsonscan"
)

// A reply is walked by its keys, in whatever order they come.
func Example() {
	s := jsonscan.Scanner{Data: []byte(`{"trace":[{"ms":3}],"status":"success","uids":["a",null,"b"]}`)}
	s.Enter('{')
	for key := s.Key(); key != nil; key = s.Key() {
		switch string(key) {
		case "status":
			fmt.Printf("status %s\n", s.Text())
		case "uids":
			s.Enter('[')
			for s.More(']') {
				if !s.Null() {
					fmt.Printf("uid %s\n", s.Text())
				}
			}
		default:
			s.Skip()
		}
	}
	s.End()
	fmt.Println(s.Err())
	// Output:
	// status success
	// uid a
	// uid b
	// <nil>
}
