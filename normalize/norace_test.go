//go:build !race

package normalize_test

// mayAllocate is how many allocations a value may take.
const mayAllocate = 0
