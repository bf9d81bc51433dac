package transport

import (
	"math"
	"slices"
	"time"
)

// How refusals by chance are told from a limit.
//
// A front end may refuse a share of everybody's requests, or be many limiters that know nothing of each other. Then
// waiting does not help, and to slow down for each refusal would end at next to nothing. It takes three steps to see that.
//
//  1. Suspicion. A bucket is empty when it refuses. So what passes between two refusals, in all, pauses included, came in
//     meanwhile: it is never more than R a second, whatever we did. The largest such figure (best) is a lower bound of R,
//     and rates below it are not refused. When one is, either R has become less, or it is chance. The same holds when
//     hardly anything is left of the rate. A plain limit raises no suspicion, so for it nothing of this matters.
//
//  2. The sample. We go at half of what passed lately for a while. A limit refuses nothing of that; chance refuses the
//     same share of every rate. If something is refused, we know the share, and the limit is looked for anew. If
//     nothing is, there is a new limit, so less is taken for certain (best ÷ 3). As things change, a sample is also taken
//     every half minute while chance is at work. Older samples fade.
//
//  3. Then only refusals beyond the share lower the rate; the others pause nobody. "Beyond" is decided by a sequential
//     test (Page's CUSUM): each request adds to the score the logarithm of how much likelier its outcome is if a limit
//     refuses a quarter (excess) of what chance leaves than if there is chance alone. Outcomes that chance explains draw
//     the score to zero; to lower the rate takes a likelihood of a thousand to one (certain). Where no chance is known
//     the first refusal does that.
type chance struct {
	sent, refused float64 // in the samples
	score         float64
}

const (
	overload = 0.7 // the most that can be chance: who refuses more of half the rate is helped by waiting
	excess   = 0.25
	certain  = 3 * math.Ln10
	fade     = 0.7 // of an older sample, with each new one
)

// share returns which part of the requests is refused by chance; 0 when that is next to nothing.
func (c *chance) share() float64 {
	if c.refused < 0.5 || c.refused > overload*c.sent {
		return 0
	}
	return c.refused / c.sent
}

// most returns what the share may be, for all that is known: it is two standard deviations above.
func (c *chance) most() float64 {
	if c.share() == 0 {
		return 0
	}
	return min(overload, (c.refused+2*math.Sqrt(c.refused))/c.sent)
}

// sample counts what happened at half the rate, and says whether that is more than was known. Then the past is
// forgotten.
func (c *chance) sample(sent, refused float64) (more bool) {
	if more = refused > sent*c.most(); more {
		c.sent, c.refused = 0, 0
	}
	c.sent, c.refused, c.score = c.sent*fade+sent, c.refused*fade+refused, 0
	return more && c.share() > 0
}

// accepted counts a request at the whole rate. How much likelier: (1-share)·(1-excess) ÷ (1-share).
func (c *chance) accepted() { c.score = max(0, c.score+math.Log(1-excess)) }

// isLimit counts a refusal at the whole rate and says whether there are more of them than chance explains.
func (c *chance) isLimit() bool {
	share := c.most()
	c.score += math.Log((share + (1-share)*excess) / share) // +Inf for no share
	if c.score < certain {
		return false
	}
	c.score = 0
	return true
}

// limit is what the refusals say about a limit, if there is one.
type limit struct {
	cuts    []mark  // the last few
	best    float64 // requests a second that it lets pass, at least
	doubted bool    // the last cut was at a lower rate; then cuts has none before the first such one
}

// mark is a cut and what came after it.
type mark struct {
	at      time.Time
	episode int     // that it began
	passed  float64 // accepted, of what was sent since
}

const (
	cutsKept    = 8
	stretch     = 3 * time.Second // between two cuts: much longer than a request takes, in which the bucket is filled, too
	brief       = time.Second     // enough to take half of it
	implausible = 1.3             // best was measured, so it is not quite exact
	hopeless    = 1.6 * leastRate // refused at that rate: hardly anything is left
)

// accepted counts a request of an episode.
func (l *limit) accepted(episode int) {
	for i := range l.cuts {
		if episode >= l.cuts[i].episode {
			l.cuts[i].passed++
		}
	}
}

// cut says that an episode begins, as a rate was refused. It returns what passed in a second lately, 0 if that is not known,
// and whether the limit was doubted all that time: if it became less, it did so before.
func (l *limit) cut(t time.Time, episode int, refused float64) (passes float64, doubted bool) {
	for _, c := range l.cuts {
		long := t.Sub(c.at)
		if long >= brief {
			passes = max(0, c.passed-1) / long.Seconds() // one may have been left
		}
		if long >= stretch {
			l.best = max(l.best, passes)
		}
	}
	before := l.doubted
	l.doubted = refused < l.best/implausible
	switch {
	case l.doubted && !before:
		l.cuts = l.cuts[:0]
	case len(l.cuts) == cutsKept:
		l.cuts = slices.Delete(l.cuts, 0, 1)
	}
	l.cuts = append(l.cuts, mark{at: t, episode: episode})
	return passes, l.doubted && before
}

// sample is some time at a low rate.
type sample struct {
	rate              float64   // 0 when none is taken
	began             time.Time // then, the end of the last one
	accepted, refused float64
}

// A sample ends when it is clear, or large, or has taken too long.
const (
	sampleClear = 3 // refused
	sampleLarge = 100
	sampleMost  = 20 * time.Second
	sampleMin   = 6 // requests, in any case
	sampleLeast = 3 * time.Second
)

// beginSample begins one at half of what is known to pass in a second.
func (r *rate) beginSample(t time.Time, passes float64) {
	r.sample = sample{rate: max(leastRate, passes/2), began: t}
	r.episode++
}

// endSample ends the sample when it says enough. The climb goes on where it was.
func (r *rate) endSample(t time.Time) {
	s, long := r.sample, t.Sub(r.sample.began)
	sent := s.accepted + s.refused
	enough := s.refused >= sampleClear || sent >= sampleLarge || long >= sampleMost
	if !enough || sent < sampleMin || long < sampleLeast {
		return
	}
	r.sample, r.seen = sample{began: t}, meter{began: t}
	r.limit = limit{best: r.limit.best / 3}
	r.since = r.since.Add(long)
	r.episode++
	if r.chance.sample(sent, s.refused) {
		r.refused = 0 // the limit is looked for anew
	}
}
