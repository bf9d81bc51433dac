package transport

import (
	"sync"
	"time"
)

// outage is how long nobody has had a success.
type outage struct {
	mu    sync.Mutex
	busy  int       // calls of Do under way
	idle  time.Time // since when there are none
	since time.Time // the first failure after the last success; zero when there was none
}

// begin and end frame a call. Time in which nobody asks is not part of an outage.
func (o *outage) begin() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.busy == 0 && !o.since.IsZero() {
		o.since = o.since.Add(time.Since(o.idle))
	}
	o.busy++
}

func (o *outage) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.busy--
	o.idle = time.Now()
}

func (o *outage) succeeded() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.since = time.Time{}
}

// failed returns how long the outage has lasted.
func (o *outage) failed() time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.since.IsZero() {
		o.since = time.Now()
	}
	return time.Since(o.since)
}
