package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"mapper/jobs"
)

// watch shows what a job is doing, until stop is called.
func (a *app) watch(m *jobs.Monitor) (stop func()) {
	show, every := a.display()
	if show == nil {
		return func() {}
	}
	end := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		var p pace
		for {
			select {
			case <-end:
				show.end()
				return
			case now := <-tick.C:
				if s, ok := m.Snapshot(); ok {
					show.show(p.add(now, s))
				}
			}
		}
	})
	return func() {
		close(end)
		done.Wait()
	}
}

// display is one way to show progress.
type display interface {
	show(step)
	end()
}

// display returns how to show progress and how often, or nil.
func (a *app) display() (display, time.Duration) {
	file, isFile := a.stderr.(*os.File)
	mode := a.progress
	if mode == "auto" {
		switch {
		case a.logFormat == "json": // whoever reads that wants no other lines between
			mode = "json"
		case isFile && term.IsTerminal(int(file.Fd())):
			mode = "bar"
		default:
			mode = "plain"
		}
	}
	switch mode {
	case "bar":
		return &bar{out: a.stderr}, 250 * time.Millisecond
	case "plain":
		return plain{a.stderr}, 10 * time.Second
	case "json":
		every := time.Second
		if a.progress == "auto" {
			every = 10 * time.Second // as in plain lines: nobody asked for more
		}
		return jsonLines{json.NewEncoder(a.stderr)}, every
	}
	return nil, 0
}

// step is a snapshot with what follows from those before it.
type step struct {
	Type string `json:"type"` // "progress"
	jobs.Snapshot
	RowsPerSecond float64 `json:"rows_per_second"` // over the last seconds
	ETASeconds    float64 `json:"eta_seconds"`     // negative when it is unknown
}

// pace knows the last seconds.
type pace struct {
	times []time.Time
	steps []jobs.Snapshot
	first time.Time
	begun float64 // share at the first snapshot
}

// window is how far back the rate looks: long enough to be calm, short enough to show that something changed.
const window = 10 * time.Second

func (p *pace) add(now time.Time, s jobs.Snapshot) step {
	if p.first.IsZero() {
		p.first, p.begun = now, s.Share
	}
	p.times, p.steps = append(p.times, now), append(p.steps, s)
	for len(p.times) > 2 && now.Sub(p.times[1]) >= window {
		p.times, p.steps = p.times[1:], p.steps[1:]
	}
	out := step{Type: "progress", Snapshot: s, ETASeconds: -1}
	seconds := now.Sub(p.times[0]).Seconds()
	if seconds <= 0 {
		return out
	}
	out.RowsPerSecond = float64(s.Rows-p.steps[0].Rows) / seconds
	if gained := s.Share - p.begun; s.Share >= 0 && gained > 0 {
		out.ETASeconds = (1 - s.Share) / gained * now.Sub(p.first).Seconds()
	}
	return out
}

// String writes a step in one line.
func (s step) String() string {
	line := humanize.Comma(s.Rows) + " rows"
	if s.Share >= 0 {
		line += fmt.Sprintf(", %.1f %% read", 100*s.Share)
	}
	line += fmt.Sprintf(", %s rows/s", humanize.Comma(int64(s.RowsPerSecond)))
	if s.ETASeconds >= 0 {
		line += ", ETA " + (time.Duration(s.ETASeconds) * time.Second).String()
	}
	return line + fmt.Sprintf(", %d in flight, %s throttled", s.InFlight, humanize.Comma(s.Throttled))
}

type plain struct{ out io.Writer }

func (p plain) show(s step) { fmt.Fprintln(p.out, s) }
func (plain) end()          {}

type jsonLines struct{ *json.Encoder }

func (j jsonLines) show(s step) { _ = j.Encode(s) } // progress that cannot be shown is no reason to stop
func (jsonLines) end()          {}

type bar struct {
	out io.Writer
	bar *progressbar.ProgressBar
}

// barMax is the bar's full length: shares are shown in tenths of a percent.
const barMax = 1000

func (b *bar) show(s step) {
	if b.bar == nil {
		length := int64(barMax)
		if s.Share < 0 {
			length = -1 // a spinner
		}
		b.bar = progressbar.NewOptions64(length, progressbar.OptionSetWriter(b.out), progressbar.OptionSetWidth(20),
			progressbar.OptionSetPredictTime(false), progressbar.OptionSetElapsedTime(false),
			progressbar.OptionShowDescriptionAtLineEnd(), progressbar.OptionClearOnFinish())
	}
	b.bar.Describe(s.String())
	_ = b.bar.Set64(int64(max(0, s.Share) * (barMax - 1))) // never full: the bar would end itself
}

func (b *bar) end() {
	if b.bar != nil {
		_ = b.bar.Clear()
	}
}
