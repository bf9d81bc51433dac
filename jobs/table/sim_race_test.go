//go:build race

package table

// defaultSchedules is less here: under the race detector a schedule takes ten times as long.
const defaultSchedules = 500
