//go:build race

package table

// defaultSchedules is less here: under the race detector a schedule takes ten times as long.
const defaultSchedules = 500

// defaultLives is how many schedules there are of what runs hold.
const defaultLives = 40
