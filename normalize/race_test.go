//go:build race

package normalize_test

// mayAllocate is one: with the race detector, and only then, the standard library allocates when it tells the state of a
// digest. make test runs the tests that ask for it without the detector, too.
const mayAllocate = 1
