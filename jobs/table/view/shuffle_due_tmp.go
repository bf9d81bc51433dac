package view

import (
	"time"

	"mapper/client"
)

// Due says which answers are asked for again.
type Due struct {
	AsOf    time.Time     // the time of the run
	Recheck time.Duration // how old an opt-out or an invalid identifier may get
}

// Is says whether an answer is to be asked for again. One that is Unknown is none, so it never is.
func (d Due) Is(a *Answer) bool {
	switch a.Status {
	case client.Mapped:
		return a.RefreshFrom != 0 && a.RefreshFrom <= d.AsOf.UnixMilli()
	case client.OptOut, client.Invalid:
		return a.MappedAt <= d.AsOf.Add(-d.Recheck).UnixMilli()
	}
	return false
}
