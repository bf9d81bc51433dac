package jobs

import (
	"context"
	"fmt"
	"io"
	"maps"
	"strings"

	"github.com/dustin/go-humanize"

	"mapper/jobs/table"
	"mapper/jobs/table/view"
)

// Forget removes identifiers from every run of a table: it folds all committed runs into one, as [Compact] does, without
// the pairs of those identities, and then deletes at once all files of the runs that were replaced or aborted, also by
// earlier compactions. It begins only when no run of the table is unfinished, and while it is unfinished no other run is
// planned.
//
// What it cannot reach is what others keep: versions and backups that the storage makes of deleted objects, exports,
// and the inputs, of which the next run reads the identifiers again unless they are suppressed.
type Forget struct {
	Compact
	// Identifiers are those to forget, one a line: emails, phones in E.164, or hashes of them in base64 or hex.
	Identifiers io.Reader
}

// Forgotten is what Forget has done.
type Forgotten struct {
	*Summary
	Identifiers int          `json:"identifiers"` // distinct ones that were read
	Pairs       int64        `json:"pairs"`       // live pairs that were forgotten
	Removed     *table.Waste `json:"removed"`     // files that are deleted
	Beyond      []string     `json:"beyond"`      // what may still hold them
}

// Run runs the job: it continues an unfinished forget of the same identifiers, or begins one.
func (f Forget) Run(ctx context.Context) (*Forgotten, error) {
	m, about, err := f.job(ctx)
	if err != nil {
		return nil, err
	}
	list, err := readIdentifiers(ctx, stdin, identifierReading{Stdin: f.Identifiers, Profile: profileOf(about.Service), Memory: m.Memory / 4})
	if err != nil {
		return nil, err
	}
	if list.Len() == 0 {
		return nil, usagef("no identifier to forget; write them to standard input, one a line")
	}
	if done, err := f.again(ctx, list); done != nil || err != nil {
		return done, m.advised(err)
	}
	j := &job{Map: m, kind: &forgetting{compacting{options: m, about: about}, list}, service: about.Service, environment: about.Environment}
	summary, err := j.run(ctx)
	done := &Forgotten{Summary: summary, Identifiers: list.Len(), Beyond: beyond}
	if err == nil {
		done.Pairs = summary.Counts.Withheld
		done.Removed, err = f.erase(ctx)
	}
	return done, m.advised(err)
}

// again is what a forget does whose run has been committed: it deletes what is left to delete, and sees that nobody on the
// list is there. Whom that run was to forget nobody can tell any more, so a list with others is refused.
func (f *Forget) again(ctx context.Context, list *identitySet) (*Forgotten, error) {
	if f.RunID == "" {
		return nil, nil
	}
	t, _, runs, err := openTable(ctx, f.Store, f.From)
	if err != nil {
		return nil, err
	}
	done, err := committed(ctx, t, f.RunID)
	if err != nil || done == nil || done.Kind != table.KindForget {
		return nil, err // the job says what is wrong with it
	}
	removed, err := t.Erase(ctx)
	if err != nil {
		return nil, err
	}
	v, err := view.Open(ctx, t, table.Live(runs), view.Options{AnswersOnly: true})
	if err != nil {
		return nil, err
	}
	for row, failed := range v.Rows(ctx) {
		if err = failed; err == nil && row.Live && list.Has(&row.Identity) {
			err = settingf("run_id", "%s: it has been committed, and there are people on the list whom it has not forgotten; choose another", f.RunID)
		}
		if err != nil {
			break
		}
	}
	if err = closing(err, v); err != nil {
		return nil, err
	}
	return &Forgotten{Summary: summarize(t, done, StatusAlreadyCommitted), Identifiers: list.Len(), Removed: removed, Beyond: beyond}, nil
}

// beyond is what no program can reach that has a table's rights alone.
var beyond = []string{
	"versions and soft-deleted copies of objects, if the storage keeps any, until its own rules delete them",
	"backups and copies of the table, exports, and what was sent to others",
	"the inputs of the runs: while they hold the identifiers, the next run maps them again, unless --suppress lists them",
}

func (f *Forget) erase(ctx context.Context) (*table.Waste, error) {
	t, err := table.Open(ctx, f.Store, f.From)
	if err != nil {
		return nil, err
	}
	return t.Erase(ctx)
}

// forgetting is what is particular to a Forget.
type forgetting struct {
	compacting
	list *identitySet
}

func (*forgetting) name() string { return table.KindForget }

func (f *forgetting) settings() map[string]string {
	settings := f.compacting.settings()
	settings["kind"], settings["identifiers"] = table.KindForget, digestOf(f.list)
	return settings
}

// accept leaves nothing in the manifest, which stays for ever, by which somebody who guesses a person could tell that they
// were among the forgotten.
func (f *forgetting) accept(m *table.Manifest) error {
	m.Job = maps.Clone(m.Job)
	delete(m.Job, "identifiers")
	m.Fingerprint = ""
	return nil
}

// merge opens the view of all runs, without what is to be forgotten.
func (f *forgetting) merge(ctx context.Context, r *run) (merge, error) {
	v, err := r.known(ctx, f.options, view.Options{})
	if err != nil {
		return nil, err
	}
	return &carrying{v, f.list.Has}, nil
}

// String says what was forgotten for people.
func (f *Forgotten) String() string {
	if f.Summary == nil || f.Removed == nil {
		return "nothing is forgotten yet"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nforgotten: %s of %s; %s", f.Summary, counted(f.Pairs, "live pair", "live pairs"),
		counted(int64(f.Identifiers), "identifier", "identifiers"), removedText(f.Removed))
	for _, what := range f.Beyond {
		fmt.Fprintf(&b, "\nbeyond reach: %s", what)
	}
	return b.String()
}

// removedText says how much was removed.
func removedText(w *table.Waste) string {
	var bytes int64
	for _, file := range w.Files {
		bytes += file.Size
	}
	return fmt.Sprintf("%s of replaced runs with %s removed", counted(int64(len(w.Files)), "file", "files"), humanize.Bytes(uint64(bytes)))
}
