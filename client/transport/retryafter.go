package transport

import (
	"net/http"
	"strconv"
	"time"
)

// longestRetryAfter is how long we let a service send us away. A wrong unit or date must not stop a night's run.
const longestRetryAfter = 5 * time.Minute

// retryAfter returns how long the service wants to be left alone, or 0 when it does not say. The header has two
// forms, seconds and a date (RFC 9110, 10.2.3). A date is compared with the Date of the same reply, so that a wrong
// local clock does no harm.
func retryAfter(h http.Header) time.Duration {
	text := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return min(time.Duration(seconds)*time.Second, longestRetryAfter)
	}
	until, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	return min(max(0, until.Sub(now)), longestRetryAfter)
}
