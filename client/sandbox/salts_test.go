package sandbox

import (
	"math"
	"testing"
	"time"

	"mapper/normalize"
)

// clock is a simulated clock.
type clock struct{ now time.Time }

func (c *clock) read() time.Time { return c.now }

const day = 24 * time.Hour

// TestYear lives through 400 days with sixty people, looking at odd hours, and holds the operator to what
// it promised on every earlier day.
func TestYear(t *testing.T) {
	for name, late := range map[string]int{"salts on time": 0, "salts three days late": 3} {
		t.Run(name, func(t *testing.T) {
			c := clock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
			s := mustNew(t, Options{Seed: "year", Now: c.read, SaltsLateDays: late})
			people := make([]history, 60)
			for i := range people {
				people[i].id = emailID(person(i))
			}
			rotations, catchUps := 0, 0
			for d := range time.Duration(400) {
				for _, hour := range []time.Duration{0, (d*7*time.Hour + 3599*time.Second) % day} {
					at := c.now
					c.now = at.Add(hour)
					for i := range people {
						e := s.Expect(people[i].id)
						people[i].look(t, c.now, e, late)
						if late > 0 && e.RefreshFrom.Equal(c.now.Truncate(day).Add(day)) {
							catchUps++
						}
					}
					c.now = at
				}
				c.now = c.now.Add(day)
			}
			for i := range people {
				rotations += people[i].rotations
			}
			if want := 60 * 400 / 365; rotations < want*8/10 || rotations > want*12/10 {
				t.Errorf("%d rotations, want about %d", rotations, want)
			}
			if late > 0 && catchUps < 300*400/30 {
				t.Errorf("the next midnight was given as refresh_from %d times, want at least once for each due day", catchUps)
			}
		})
	}
}

// history is what the operator has said of one person.
type history struct {
	id        normalize.ID
	last      Expectation
	former    string    // the raw UID before the last change seen
	changed   time.Time // the midnight of that change
	rotations int
}

// look takes the next answer and checks it against the earlier ones. late is how many days after its rotation a
// salt comes into use.
func (h *history) look(t *testing.T, now time.Time, e Expectation, late int) {
	t.Helper()
	if h.last.RawUID != "" && e.RawUID != h.last.RawUID {
		if now.Before(h.last.RefreshFrom) {
			t.Fatalf("at %v the raw UID changed, but it was good until %v", now, h.last.RefreshFrom)
		}
		if !now.Equal(now.Truncate(day)) {
			t.Fatalf("the raw UID changed during the day, at %v", now)
		}
		h.former, h.changed = h.last.RawUID, now
		h.rotations++
	}
	past := !e.RefreshFrom.After(now)
	if late > 0 { // then a bucket can be due at this very moment
		past = e.RefreshFrom.Before(now)
	}
	if past || e.RefreshFrom.After(now.Add(dueEvery*day)) || !e.RefreshFrom.Equal(e.RefreshFrom.Truncate(day)) {
		t.Fatalf("at %v refresh_from is %v, want a midnight in the next 30 days", now, e.RefreshFrom)
	}
	if h.former != "" {
		want := ""
		if now.Sub(h.changed) < time.Duration(previousFor-late)*day {
			want = h.former
		}
		if e.Previous != want {
			t.Fatalf("at %v, changed at %v: previous raw UID %q, want %q", now, h.changed, e.Previous, want)
		}
	}
	h.last = e
}

// TestPreviousAge checks the 90 days to the second, from the salts' own record of the rotation.
func TestPreviousAge(t *testing.T) {
	c := clock{now: noon}
	s := mustNew(t, Options{Seed: "age", Now: c.read})
	id := phoneID("+12025550123")
	who := identity{kind: id.Kind}
	who.set(id.Hash)
	m := s.lookup(&who, instantOf(noon))
	rotated := time.Unix(s.salts.on(m.salt.bucket, instantOf(noon).day).updated*86400, 0)

	c.now = rotated
	if s.Expect(id).Previous == "" {
		t.Error("no previous raw UID at the rotation")
	}
	c.now = rotated.Add(90*day - time.Millisecond)
	if s.Expect(id).Previous == "" {
		t.Error("no previous raw UID in the last millisecond of 90 days")
	}
	c.now = rotated.Add(90 * day)
	if got := s.Expect(id).Previous; got != "" {
		t.Errorf("previous raw UID %s after 90 days", got)
	}
}

// TestRotationRate checks that on every day about one bucket in period rotates, in its whole period exactly one
// in one, and what share has a previous salt.
func TestRotationRate(t *testing.T) {
	for _, period := range []int{30, 90, 270, 365, 1000} {
		s := newSalts("rate", period)
		const sample, from, days = 20_000, 20_000, 60
		perDay := make([]int, days)
		previous := 0
		for bucket := range uint32(sample) {
			for d := range perDay {
				if s.on(bucket, from+int64(d)).updated == from+int64(d) {
					perDay[d]++
				}
			}
			if from-s.on(bucket, from).updated < previousFor {
				previous++
			}
		}
		want := float64(sample) / float64(period)
		for d, got := range perDay {
			if math.Abs(float64(got)-want) > 6*math.Sqrt(want) {
				t.Errorf("period %d, day %d: %d rotations, want about %.0f", period, d, got, want)
			}
		}
		share := min(1, previousFor/float64(period))
		if got := float64(previous) / sample; math.Abs(got-share) > 0.02 {
			t.Errorf("period %d: share with a previous salt %.3f, want %.3f", period, got, share)
		}
	}
}

// TestSaltHistory compares the closed form of a bucket's state with a walk through its days, before 1970 too.
func TestSaltHistory(t *testing.T) {
	for _, period := range []int{30, 31, 365} {
		s := newSalts("walk", period)
		for bucket := range uint32(50) {
			last := s.on(bucket, -1000)
			for d := int64(-999); d < 2000; d++ {
				now := s.on(bucket, d)
				rotated := now.updated == d
				switch {
				case rotated && now.version != last.version+1:
					t.Fatalf("period %d, bucket %d, day %d: rotated from %+v to %+v", period, bucket, d, last, now)
				case !rotated && (now.salt != last.salt || now.updated != last.updated):
					t.Fatalf("period %d, bucket %d, day %d: %+v became %+v without a rotation", period, bucket, d, last, now)
				case rotated && d != last.due:
					t.Fatalf("period %d, bucket %d: rotated on day %d, due was %d", period, bucket, d, last.due)
				case now.due <= d || now.due > d+dueEvery || (now.due-now.updated)%dueEvery != 0:
					t.Fatalf("period %d, bucket %d, day %d: due %d after a rotation on %d", period, bucket, d, now.due, now.updated)
				}
				last = now
			}
		}
	}
}

func TestSeedRepeats(t *testing.T) {
	now := func() time.Time { return noon }
	a := mustNew(t, Options{Seed: "one", Now: now, OptOutShare: 0.3})
	b := mustNew(t, Options{Seed: "one", Now: now, OptOutShare: 0.3})
	other := mustNew(t, Options{Seed: "two", Now: now, OptOutShare: 0.3})
	out, same := 0, 0
	const n = 2000
	for i := range n {
		id := emailID(person(i))
		if a.Expect(id) != b.Expect(id) {
			t.Fatalf("person %d: same seed, %+v and %+v", i, a.Expect(id), b.Expect(id))
		}
		if a.Expect(id).OptedOut {
			out++
		}
		if a.Expect(id).RawUID != "" && a.Expect(id).RawUID == other.Expect(id).RawUID {
			same++
		}
	}
	if out < n*25/100 || out > n*35/100 {
		t.Errorf("%d of %d opted out, want about 30 %%", out, n)
	}
	if same > 0 {
		t.Errorf("%d raw UIDs are the same with another seed", same)
	}
}

// TestRawUIDForm checks what callers are told of raw UIDs: 44 characters, the first of which says whose it is.
func TestRawUIDForm(t *testing.T) {
	for _, c := range []struct {
		version      int
		euid         bool
		email, phone string
	}{
		{3, false, "A", "B"}, {3, true, "E", "F"}, {4, false, "o", "p"}, {4, true, "s", "t"},
		{2, false, "", ""}, {2, true, "", ""},
	} {
		s := mustNew(t, Options{RawUIDVersion: c.version, EUID: c.euid})
		for id, first := range map[normalize.ID]string{emailID("user@example.com"): c.email, phoneID("+12025550123"): c.phone} {
			uid := s.Expect(id).RawUID
			if len(uid) != 44 || first != "" && uid[:1] != first || (uid[43] == '=') != (c.version == 2) {
				t.Errorf("version %d, EUID %v: raw UID %s, want 44 characters from %q on", c.version, c.euid, uid, first)
			}
		}
	}
}
