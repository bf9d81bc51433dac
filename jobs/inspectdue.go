package jobs

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"mapper/client/id5"
	"mapper/client/uid2"
)

// calendarDays is how many days the calendar of an inspection has, today included.
const calendarDays = 45

const dayMillis = 24 * 60 * 60 * 1000

// calendar counts identities by the UTC day on which they are due.
type calendar struct {
	today   int64 // days since 1970
	due     [calendarDays]int64
	overdue int64 // before today
	later   int64 // after the last day
}

func newCalendar(now time.Time) *calendar { return &calendar{today: dayNumber(now.UnixMilli())} }

// dayNumber returns the day of a time in Unix milliseconds, also of one before 1970.
func dayNumber(ms int64) int64 {
	day := ms / dayMillis
	if ms%dayMillis < 0 {
		day--
	}
	return day
}

// add counts n identities that are due from a time on, in Unix milliseconds.
func (c *calendar) add(from, n int64) {
	switch day := dayNumber(from) - c.today; {
	case day < 0:
		c.overdue += n
	case day < calendarDays:
		c.due[day] += n
	default:
		c.later += n
	}
}

// untilTomorrow returns how many are due until the end of tomorrow.
func (c *calendar) untilTomorrow() int64 { return c.overdue + c.due[0] + c.due[1] }

// days returns the days from today up to the last on which one is due, each with how many are.
func (c *calendar) days() map[string]int64 {
	days := map[string]int64{}
	last := calendarDays - 1
	for last >= 0 && c.due[last] == 0 {
		last--
	}
	for day := range last + 1 {
		days[dayOf((c.today+int64(day))*dayMillis)] = c.due[day]
	}
	return days
}

// chart draws the days of a calendar as bars, in lines of 80 columns at most. The longest is that of the largest day, and
// one that is not empty has a block at least.
func chart(overdue int64, days map[string]int64, later int64) string {
	const width, block = 80, "█"
	most, number := int64(1), len(humanize.Comma(max(overdue, later)))
	for _, n := range days {
		most, number = max(most, n), max(number, len(humanize.Comma(n)))
	}
	longest := width - len(time.DateOnly) - 2*len("  ") - number
	var b strings.Builder
	line := func(label string, blocks int, n int64) {
		fmt.Fprintf(&b, "%-*s  %-*s  %*s\n", len(time.DateOnly), label, longest, strings.Repeat(block, blocks), number, humanize.Comma(n))
	}
	if overdue > 0 {
		line("overdue", 0, overdue)
	}
	for _, day := range sortedKeys(days) {
		blocks := int(math.Round(float64(days[day]) / float64(most) * float64(longest)))
		if days[day] > 0 {
			blocks = max(1, blocks)
		}
		line(day, blocks, days[day])
	}
	if later > 0 {
		line("later", 0, later)
	}
	return b.String()
}

// Workload is what asking for identities takes, with the defaults of a job.
type Workload struct {
	Identities int64 `json:"identities"`
	Requests   int64 `json:"requests"` // without repetitions
	InFlight   int   `json:"max_in_flight"`
	// Seconds is how long the requests take if each takes so many milliseconds and the service allows all of them, and
	// Minutes the longest of them.
	Seconds map[string]float64 `json:"seconds_by_latency_ms"`
	Minutes float64            `json:"minutes"`
}

// workload returns what it takes to ask a service.
func workload(service string, identities int64) Workload {
	batch, inFlight := int64(uid2.MaxItems), DefaultInFlight
	if service == serviceID5 {
		batch, inFlight = id5.DefaultBatch, DefaultInFlightID5
	}
	w := Workload{Identities: identities, Requests: (identities + batch - 1) / batch, InFlight: inFlight}
	w.Seconds = secondsByLatency(w.Requests, w.InFlight)
	w.Minutes = w.Seconds[fmt.Sprint(slices.Max(latencies))] / 60
	return w
}

// String writes what it takes for people.
func (w Workload) String() string { return timeText(w.Requests, w.InFlight, w.Seconds) }
