package jobs

import (
	"context"
	"fmt"
	"strings"

	"github.com/dustin/go-humanize"

	"mapper/client/objects"
	"mapper/sources"
)

// FileInspection is how a file would be read.
type FileInspection struct {
	Type string `json:"type"` // "file"
	objects.Object
	Layout sources.Layout `json:"layout"`
	// ColumnsFound are the columns that hold identifiers or look a little like it, in the order of the file.
	ColumnsFound []ColumnFound `json:"columns_found"`
	// Question is what a job that names no column would fail with; nothing when it would run.
	Question string `json:"question,omitempty"`
}

// InspectFile returns how a file would be read, its format and columns, and which of them hold identifiers. It fails with fs.ErrNotExist when there is
// no file of that name.
func InspectFile(ctx context.Context, path string, read sources.Options) (*FileInspection, error) {
	if _, err := read.Resolve(); err != nil {
		return nil, usagef("%v", err)
	}
	file, err := read.Store.Stat(ctx, path)
	if err != nil {
		return nil, err
	}
	in, err := sources.Inspect(ctx, file, read)
	if err != nil {
		return nil, err
	}
	out := &FileInspection{Type: "file", Object: file, Layout: in.Layout, ColumnsFound: []ColumnFound{}}
	columns, err := detect(in, lookAt(in))
	out.ColumnsFound = append(out.ColumnsFound, columns...)
	if err != nil {
		out.Question = err.Error()
	}
	return out, nil
}

// String writes how the file would be read for people.
func (f *FileInspection) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", f.URI, f.Layout.Format)
	if f.Layout.Compression != "" {
		fmt.Fprintf(&b, ", %s", f.Layout.Compression)
	}
	if f.Layout.Encoding != "" {
		fmt.Fprintf(&b, ", %s", f.Layout.Encoding)
	}
	fmt.Fprintf(&b, ", %s", humanize.IBytes(uint64(max(0, f.Size))))
	if f.Layout.Rows >= 0 {
		fmt.Fprintf(&b, ", %s rows", humanize.Comma(f.Layout.Rows))
	}
	for _, c := range f.Layout.Columns {
		fmt.Fprintf(&b, "\n  %-24s %s", c.Name, c.Type)
	}
	for i := range f.ColumnsFound {
		fmt.Fprintf(&b, "\n%s", &f.ColumnsFound[i])
	}
	if f.Question != "" {
		fmt.Fprintf(&b, "\nmap would ask: %s", f.Question)
	}
	return b.String()
}
