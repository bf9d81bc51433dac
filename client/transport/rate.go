package transport

import "time"

// How the rate is found.
//
// A front end that limits requests is nearly always a token bucket: R tokens a second, of which it keeps at most B.
// It does not tell R. Three observations lead to it:
//
//  1. R lies between what was accepted lately and what was refused. At a refusal the bucket is empty, so a large
//     bucket has given out, since the refusal before, just what came in: accepted ÷ time is R. A small bucket has run
//     over while we were slow: accepted ÷ time is too low, but the refused rate is hardly above R. So the rate starts
//     anew from what was accepted, and a little below it (retreat), as the bucket is empty.
//
//  2. Just after a refusal little has been counted and the measurement is poor. So one refusal takes away no more than
//     a part of the rate (fall); the next one will do the rest.
//
//  3. The rate that was refused will most likely be refused again. So the climb is fast far from it and flat near it,
//     and steep again once it has been passed, because then the limit has evidently grown. That is a cubic with its
//     plateau at the refused rate, as in TCP CUBIC (RFC 9438):
//
//     rate(t) = refused − (refused − base) · (1 − t/climb)³
//
//     It starts at base and reaches refused after climb; after twice that it is as far above it as it began below, after
//     three times eight times as far. Time is the right unit for it: a refusal costs one short pause and about one
//     request, and every half minute that is little for one request a second as well as for two hundred.
//
// Until the first refusal there is no rate at all, and only the number of requests in flight binds.
//
// Not every refusal comes from a limit: see chance.
//
// The numbers were chosen with TestRateFindsTheLimit: 93 % of R or more is
// used, for 1 to 200 requests a second and buckets small and large.
const (
	climb   = 30 * time.Second
	search  = 10 * time.Second // the first climb: what was refused, all we could send at once, says little about R
	retreat = 0.95
	fall    = 0.7
	// leastRate is where the fall ends, in requests a second.
	leastRate = 0.5
	// slack is how late a request may leave without those behind it being late too: timers are not exact.
	slack = 2 * time.Millisecond
	// lookAgain is how long a request waits at most before it looks whether the rate has grown.
	lookAgain = 100 * time.Millisecond
)

// rate says when the next request may leave. It knows no lock and no clock: the gate has both.
type rate struct {
	cap     float64       // requests a second, set by the user; +Inf for none
	base    float64       // the rate at since
	refused float64       // the last rate that was refused; 0 while none was
	since   time.Time     // when the climb began
	climb   time.Duration // how long it takes to refused
	last    time.Time     // when the last request left, or should have
	seen    meter

	// The episode ends with a cut, and with the begin and end of a sample. What was sent in an earlier one says nothing
	// about the present.
	episode int
	streak  int // cuts since the last success

	chance chance
	sample sample
	limit  limit
}

// at returns the rate at time t in requests a second, +Inf when there is none.
func (r *rate) at(t time.Time) float64 {
	switch {
	case r.sample.rate > 0:
		return r.sample.rate
	case r.refused == 0:
		return r.cap
	}
	left := 1 - max(0, t.Sub(r.since).Seconds())/r.climb.Seconds()
	return min(r.cap, r.refused-(r.refused-r.base)*left*left*left)
}

// wait returns how long after t to look again whether the next request may leave; it may when there is no wait. The
// rate can grow meanwhile, so the wait is short even where the interval is long.
func (r *rate) wait(t time.Time) time.Duration {
	return min(r.last.Add(r.interval(t)).Sub(t), lookAgain)
}

func (r *rate) interval(t time.Time) time.Duration {
	return time.Duration(float64(time.Second) / r.at(t)) // 0 for an infinite rate
}

// sent takes the token of a request that leaves at t.
func (r *rate) sent(t time.Time) {
	if r.last = r.last.Add(r.interval(t)); t.Sub(r.last) > slack {
		r.last = t
	}
	r.seen.roll(t)
	r.seen.sent++
}

// accepted counts a request that was not refused, of the episode in which it was sent.
func (r *rate) accepted(t time.Time, episode int) {
	r.streak = 0
	r.seen.roll(t)
	r.seen.accepted++
	r.limit.accepted(episode)
	switch {
	case episode != r.episode:
	case r.sample.rate > 0:
		r.sample.accepted++
		r.endSample(t)
	case r.chance.share() > 0 && t.Sub(r.sample.began) > climb:
		r.beginSample(t, min(r.at(t), r.seen.accepted/t.Sub(r.seen.began).Seconds()))
	default:
		r.chance.accepted()
	}
}

// refuse counts a request that was refused, of the episode in which it was sent. cut is whether that lowered the rate;
// climbFrom must follow then.
func (r *rate) refuse(t time.Time, episode int) (cut bool) {
	switch {
	case episode != r.episode:
		return false
	case r.sample.rate > 0:
		r.sample.refused++
		r.endSample(t)
		return false
	case !r.chance.isLimit():
		return false
	}
	r.cut(t)
	passes, doubted := r.limit.cut(t, r.episode, r.refused)
	// At the end of the fall there is no time to measure; it is enough that something has passed since the last cut.
	if doubted && passes > 0 || r.refused < hopeless && r.streak == 1 {
		r.beginSample(t, min(passes, r.base))
	}
	return true
}

// cut lowers the rate after a refusal at t that chance does not explain.
func (r *rate) cut(t time.Time) {
	r.seen.roll(t)
	seconds := max(0.001, t.Sub(r.seen.began).Seconds())
	lets := r.seen.accepted / (1 - r.chance.share()) // by the limit
	if r.refused == 0 {
		// The store of a full bucket, given out at once, says nothing about its rate: look at a second or more.
		r.refused, r.base = min(r.cap, r.seen.sent/seconds), lets/max(1, seconds)
		r.climb = search
	} else {
		if r.seen.accepted == 0 {
			r.chance = chance{} // to refuse everything is no chance
		}
		r.refused = r.at(t)
		r.base = max(r.refused*fall, min(r.refused, lets/seconds))
		r.climb = climb
	}
	r.base = max(leastRate, r.base*retreat)
	r.refused = max(r.refused, r.base/retreat) // else there would be nothing to climb
	r.seen = meter{began: t}
	r.episode++
	r.streak++
}

// pause returns how long to send nothing after a refusal, at most: as long as ten requests take, so that it costs a
// fast service no more than a slow one.
func (r *rate) pause() time.Duration {
	return min(backOffBase, time.Duration(10/r.base*float64(time.Second)))
}

// climbFrom says that requests leave again from t on.
func (r *rate) climbFrom(t time.Time) {
	r.since = t
	if r.sample.rate > 0 {
		r.sample.began = t
	}
	if first := t.Add(-r.interval(t)); r.last.Before(first) {
		r.last = first // a pause is no reason to hurry
	}
}

// meter counts requests since the last refusal. Its memory fades, so that hours without a refusal do not
// outweigh the present.
type meter struct {
	began          time.Time
	sent, accepted float64
}

const (
	memory    = time.Second
	memoryMin = 10 // accepted requests
)

// roll makes t the present. Once the counts span enough, the older half of them is taken out.
func (m *meter) roll(t time.Time) {
	if m.began.IsZero() {
		m.began = t
	}
	if span := t.Sub(m.began); span > memory && m.accepted > memoryMin {
		m.sent /= 2
		m.accepted /= 2
		m.began = t.Add(-span / 2)
	}
}
