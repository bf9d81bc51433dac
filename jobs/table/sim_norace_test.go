//go:build !race

package table

const defaultSchedules = 3000
