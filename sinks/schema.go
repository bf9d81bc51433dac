package sinks

import (
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
)

// columnSpec says what a column of the contract is and where its values come from.
type columnSpec struct {
	name     string
	form     form
	in       datasets // which have the column
	nullable datasets // in which it may be null
	put      put
}

// put appends the values of rows, at most BlockRows, to a column.
type put func(c *column, rows []Row)

// each makes a put of what appends the value of one row.
func each(one func(c *column, r *Row)) put {
	return func(c *column, rows []Row) {
		for i := range rows {
			one(c, &rows[i])
		}
	}
}

// eachWord makes a put of what says the word of a row, which is null where there is none. Words come in runs: text is asked
// once for rows that are alike.
func eachWord[T comparable](alike func(*Row) T, text func(*Row) (word string, ok bool)) put {
	return func(c *column, rows []Row) {
		for len(rows) > 0 {
			first, n := alike(&rows[0]), 1
			for n < len(rows) && alike(&rows[n]) == first {
				n++
			}
			if word, ok := text(&rows[0]); ok {
				c.words(word, n)
			} else {
				c.noValues(n)
			}
			rows = rows[n:]
		}
	}
}

// form is what the values of a column are like, which decides how they are stored.
type form uint8

const (
	text    form = iota // texts
	random              // texts that look random and all differ: snappy cannot shrink them
	word                // few distinct texts: dictionary encoded
	number              // integers; row groups have their min and max, for readers to prune by
	instant             // Unix milliseconds; min and max likewise
)

func (f form) arrow() arrow.DataType {
	switch f {
	case number:
		return arrow.PrimitiveTypes.Int64
	case instant:
		return arrow.FixedWidthTypes.Timestamp_ms // in UTC
	}
	return arrow.BinaryTypes.String
}

// datasets is a set of datasets.
type datasets uint8

const (
	mapped datasets = 1 << iota
	unmapped
	refresh
	exported // no dataset of a run, see [NewExport]
	diffed   // no dataset of a run, see [NewDiff]
	every    = mapped | unmapped | refresh
)

func datasetOf(name string) datasets {
	switch name {
	case DatasetMapped:
		return mapped
	case DatasetUnmapped:
		return unmapped
	case DatasetRefreshFrom:
		return refresh
	case datasetExport:
		return exported
	case datasetDiff:
		return diffed
	}
	return 0
}

// allColumns returns the columns of the contract in their order.
func allColumns(network Network) []columnSpec {
	columns := []columnSpec{{"id", text, every, every, putID}}
	columns = append(columns, network.identityColumns(every, unmapped)...)
	return append(columns, []columnSpec{
		{"current_uid", random, mapped | refresh, 0, putUID},
		{"previous_uid", random, mapped, mapped, putPrevious},
		{"former_uid", random, mapped | unmapped, mapped | unmapped, putFormer},
		{"refresh_from", instant, mapped | refresh, mapped | refresh, putRefreshFrom},
		{"change", word, mapped | unmapped, 0, eachWord(func(r *Row) Change { return r.Change }, func(r *Row) (string, bool) { return r.Change.String(), true })},
		{"reason", word, unmapped, 0, eachWord(func(r *Row) Reason { return r.Reason }, func(r *Row) (string, bool) { return r.Reason.String(), true })},
		{"raw_reason", text, unmapped, 0, each(func(c *column, r *Row) { c.text(r.RawReason) })},
		{"rejected_by", word, unmapped, 0, eachWord(func(r *Row) RejectedBy { return r.RejectedBy }, func(r *Row) (string, bool) { return r.RejectedBy.String(), true })},
		{"source_file", word, mapped | unmapped, mapped | unmapped, putSourceFile},
		{"source_column", word, mapped | unmapped, mapped | unmapped, putSourceColumn},
		{"source_row", number, mapped | unmapped, mapped | unmapped, putSourceRow},
		{"mapped_at", instant, every, 0, putMappedAt},
	}...)
}

// The puts of columns that several datasets have.
var (
	putID = each(func(c *column, r *Row) {
		if r.HasID {
			c.text(r.ID)
		} else {
			c.null()
		}
	})
	putUID          = each(func(c *column, r *Row) { c.text(r.UID) })
	putPrevious     = each(func(c *column, r *Row) { c.textOrNull(r.Previous) })
	putFormer       = each(func(c *column, r *Row) { c.textOrNull(r.Former) })
	putRefreshFrom  = each(func(c *column, r *Row) { c.integerOrNull(r.RefreshFrom) })
	putSourceFile   = eachText(func(r *Row) string { return r.SourceFile })
	putSourceColumn = eachText(func(r *Row) string { return r.SourceColumn })
	putSourceRow    = each(func(c *column, r *Row) { c.integerOrNull(r.SourceRow) })
	putMappedAt     = each(func(c *column, r *Row) { c.integer(r.MappedAt) })
)

// eachText is eachWord for a field, which is null when it is empty.
func eachText(field func(*Row) string) put {
	return eachWord(field, func(r *Row) (string, bool) { return field(r), field(r) != "" })
}

// contractColumns returns the columns of a dataset but for the kept ones.
func contractColumns(network Network, in datasets) []columnSpec {
	switch in {
	case exported:
		return exportColumns(network)
	case diffed:
		return diffColumns(network)
	}
	return slices.DeleteFunc(allColumns(network), func(c columnSpec) bool { return c.in&in == 0 })
}

// Schema returns the columns of a dataset with the kept ones last, which are all nullable, or nil when there
// is no such network or dataset. refresh_from and a diff have no kept columns.
func Schema(network Network, dataset string, kept []arrow.Field) *arrow.Schema {
	in := datasetOf(dataset)
	if in == 0 || network >= networks {
		return nil
	}
	var fields []arrow.Field
	for _, c := range contractColumns(network, in) {
		fields = append(fields, arrow.Field{Name: c.name, Type: c.form.arrow(), Nullable: c.nullable&in != 0})
	}
	if in&(refresh|diffed) == 0 {
		for _, f := range kept {
			fields = append(fields, arrow.Field{Name: f.Name, Type: f.Type, Nullable: true})
		}
	}
	return arrow.NewSchema(fields, nil)
}
