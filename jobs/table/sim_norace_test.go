//go:build !race

package table

const defaultSchedules = 3000

// defaultLives is how many schedules there are of what runs hold.
const defaultLives = 200
