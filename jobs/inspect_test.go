package jobs_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"maps"
	"strings"
	"testing"
	"time"

	"mapper/client/objects"
	"mapper/jobs"
	"mapper/sinks"
)

// inDays returns the beginning of a UTC day so many days from today.
func inDays(from int) time.Time { return time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, from) }

// dueOn is a row of a raw UID that is to be asked for again.
func dueOn(id, email string, on time.Time, at int64) sinks.Row {
	r := mapped(id, email, "uid "+email, at)
	r.RefreshFrom = on.UnixMilli()
	return r
}

// TestInspectCountsTheView: what several runs say of a pair counts once, by the latest answer, and what is due counts by
// identity.
func TestInspectCountsTheView(t *testing.T) {
	from := makeTable(t,
		madeRun{id: "r1", kind: "map", rows: []sinks.Row{
			dueOn("1", "a", inDays(-3), 10), dueOn("2", "a", inDays(-3), 10), // overdue until r2
			dueOn("3", "b", inDays(-1), 10), dueOn("4", "c", inDays(0), 10), dueOn("5", "d", inDays(0), 10),
			answered("6", "e", "", sinks.ReasonOptOut, 10), dueOn("7", "f", inDays(1), 10), dueOn("8", "g", inDays(300), 10),
			mapped("9", "never due", "uid", 10), answered("10", "x", "", sinks.ReasonUnknown, 10),
		}},
		madeRun{id: "r2", kind: "map", base: []string{"r1"}, rows: []sinks.Row{
			dueOn("1", "a", inDays(2), 20), answered("4", "c", "", sinks.ReasonRemoved, 20), answered("5", "d", "", sinks.ReasonOptOut, 20),
		}},
	)
	var log bytes.Buffer
	i, err := jobs.Inspect(t.Context(), from, jobs.InspectOptions{Store: new(objects.Store), Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if i.LiveRows != 9 || i.Mapped != 6 || i.MatchRate != 6.0/9 || !maps.Equal(i.Unmapped, map[string]int64{"OPTOUT": 2, "UNKNOWN": 1}) {
		t.Errorf("%+v", i)
	}
	want := map[string]int64{}
	for from, n := range []int64{0, 1, 1} { // f, a
		want[inDays(from).Format(time.DateOnly)] = n
	}
	if !maps.Equal(i.RefreshCalendar, want) || i.Overdue != 1 || i.Later != 1 || i.Tomorrow.Identities != 2 || i.Tomorrow.Requests != 1 {
		t.Errorf("calendar %v, want %v; overdue %d, later %d, tomorrow %+v", i.RefreshCalendar, want, i.Overdue, i.Later, i.Tomorrow)
	}
	if !strings.Contains(log.String(), "sorting rows") || !strings.Contains(log.String(), "rows=13") {
		t.Errorf("log %s", &log)
	}
	for _, says := range []string{"9 live rows = 6 mapped (66.7 %) + 2 OPTOUT + 1 UNKNOWN\n", "\noverdue ", "█", "\nlater ",
		"a remap tomorrow: 2 identities due until the end of that day; 1 request, 20 at once"} {
		if !strings.Contains(i.String(), says) {
			t.Errorf("%q is not in\n%s", says, i)
		}
	}
	text, err := json.Marshal(i)
	for _, key := range []string{"live_rows", "mapped", "match_rate", "unmapped", "refresh_calendar", "due_overdue", "due_later", "tomorrow", "identities", "requests", "minutes", "counts"} {
		if err != nil || !strings.Contains(string(text), `"`+key+`":`) {
			t.Errorf("%s is not in %s, %v", key, text, err)
		}
	}
}

// TestInspectByTheManifest: a table that a compaction has folded into one run needs no sort, and says the same.
func TestInspectByTheManifest(t *testing.T) {
	rows := []sinks.Row{dueOn("1", "a", inDays(2), 10), dueOn("2", "b", inDays(-2), 10), dueOn("3", "c", inDays(100), 10), answered("4", "d", "", sinks.ReasonOptOut, 10)}
	calendar := map[string]int64{}
	for _, from := range []int{2, -2, 100} {
		calendar[inDays(from).Format(time.DateOnly)]++
	}
	first := madeRun{id: "r1", kind: "map", rows: rows}
	for _, kind := range []string{"compact", "forget"} {
		folded := madeRun{id: "z", kind: kind, base: []string{"r1"}, replaces: []string{"r1"}, rows: rows, calendar: calendar}
		var log bytes.Buffer
		var seen [2]*jobs.Inspection
		for n, runs := range [][]madeRun{{first}, {first, folded}} {
			var err error
			log.Reset()
			if seen[n], err = jobs.Inspect(t.Context(), makeTable(t, runs...), jobs.InspectOptions{Store: new(objects.Store), Log: slog.New(slog.NewTextHandler(&log, nil))}); err != nil {
				t.Fatal(err)
			}
		}
		a, b := seen[0], seen[1]
		if log.Len() > 0 {
			t.Errorf("%s: it sorted: %s", kind, &log)
		}
		if a.LiveRows != b.LiveRows || a.Mapped != b.Mapped || a.MatchRate != b.MatchRate || !maps.Equal(a.Unmapped, b.Unmapped) || !maps.Equal(a.RefreshCalendar, b.RefreshCalendar) ||
			a.Overdue != b.Overdue || a.Later != b.Later || a.Tomorrow.Identities != b.Tomorrow.Identities {
			t.Errorf("%s:\n%s\nwithout\n%s", kind, b, a)
		}
	}
}

// TestInspectOfNothing: a table without a committed run has no rows, and nothing is due.
func TestInspectOfNothing(t *testing.T) {
	i, err := jobs.Inspect(t.Context(), makeTable(t), jobs.InspectOptions{Store: new(objects.Store)})
	if err != nil || i.LiveRows != 0 || i.MatchRate != 0 || len(i.RefreshCalendar) != 0 || !strings.HasSuffix(i.String(), "0 live rows = 0 mapped (0.0 %)") {
		t.Errorf("%v, %v", i, err)
	}
}
