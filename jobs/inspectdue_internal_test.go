package jobs

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// TestCalendar: each day begins and ends with UTC's.
func TestCalendar(t *testing.T) {
	now := time.Date(2026, 11, 22, 23, 59, 59, 0, time.FixedZone("east", 3600)) // 22:59:59 UTC
	c := newCalendar(now)
	for at, n := range map[string]int64{
		"2026-11-21T23:59:59.999Z": 1, "1969-12-31T23:59:59.999Z": 2, // overdue
		"2026-11-22T00:00:00Z": 4, "2026-11-22T23:59:59.999Z": 8, // today, past or not
		"2026-11-23T23:59:59.999Z": 16, "2026-11-25T12:00:00Z": 32,
		"2027-01-05T23:59:59.999Z": 64,  // the last of 45 days
		"2027-01-06T00:00:00Z":     128, // later
	} {
		when, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		c.add(when.UnixMilli(), n)
	}
	days := c.days()
	if c.overdue != 3 || c.later != 128 || c.untilTomorrow() != 3+12+16 || len(days) != calendarDays {
		t.Errorf("%+v, %v", c, days)
	}
	for day, n := range map[string]int64{"2026-11-22": 12, "2026-11-23": 16, "2026-11-24": 0, "2026-11-25": 32, "2027-01-05": 64} {
		if have, ok := days[day]; !ok || have != n {
			t.Errorf("%s: %d, want %d", day, have, n)
		}
	}
}

// TestCalendarEnds: days after the last that has some are not shown, days between are.
func TestCalendarEnds(t *testing.T) {
	c := newCalendar(time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC))
	if days := c.days(); len(days) != 0 {
		t.Errorf("nothing is due: %v", days)
	}
	c.add(time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC).UnixMilli(), 1)
	if days := c.days(); len(days) != 3 {
		t.Errorf("%v", days)
	}
}

// TestChart fits a terminal, whatever the numbers are, and is to scale.
func TestChart(t *testing.T) {
	for _, most := range []int64{1, 12_345, 900_000_000_000} {
		text := chart(most/2, map[string]int64{"2026-11-22": most / 2, "2026-11-23": most, "2026-11-24": 0, "2026-11-25": 1}, most/3)
		lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		var blocks []int
		for _, line := range lines {
			if n := utf8.RuneCountInString(line); n != 80 {
				t.Errorf("%d columns: %s", n, line)
			}
			if strings.HasPrefix(line, "2026") {
				blocks = append(blocks, strings.Count(line, "█"))
			}
		}
		if longest := blocks[1]; len(blocks) != 4 || longest < 40 || blocks[2] != 0 || blocks[3] < 1 || most > 1 && blocks[0] != (longest+1)/2 {
			t.Errorf("blocks %v of\n%s", blocks, text)
		}
		if overdue := most/2 > 0; strings.Contains(text, "overdue") != overdue || strings.Contains(text, "later") != (most/3 > 0) {
			t.Error(text)
		}
	}
}

func TestWorkload(t *testing.T) {
	for identities, requests := range map[int64]int64{0: 0, 1: 1, 5000: 1, 5001: 2, 100_000_000: 20_000} {
		if w := workload("uid2", identities); w.Requests != requests {
			t.Errorf("%d identities: %+v", identities, w)
		}
	}
	w := workload("uid2", 30_000_000) // 6000 requests of 200 ms, 20 at once
	if of := workload(serviceID5, 30_001); of.Requests != 31 || of.InFlight != 4 {
		t.Errorf("%+v", of)
	}
	if w.Minutes != 1 || w.String() != "6,000 requests, 20 at once: 15s at 50 ms, 30s at 100 ms, 1m0s at 200 ms" {
		t.Errorf("%+v: %s", w, w)
	}
}
