package sources

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
)

// Format is how the rows of an input are written down. The zero value means "find out".
type Format string

// The formats that can be read.
const (
	CSV     Format = "csv"     // fields between delimiters, quoted as in RFC 4180
	TSV     Format = "tsv"     // the same with a tab as delimiter
	NDJSON  Format = "ndjson"  // one JSON object a line
	Text    Format = "text"    // one identifier a line
	Parquet Format = "parquet" // Apache Parquet, flat columns
	Arrow   Format = "arrow"   // Apache Arrow IPC, also called Feather 2: a file or a stream
)

// The compressions of text formats, as in [Layout.Compression]. Parquet has its own inside.
const (
	gzipped = "gzip"
	zstded  = "zstd"
	bzipped = "bzip2"
)

// Layout is how an input is read. It is found once and kept with a run; reading by it again gives the same
// rows at the same positions. It survives a round trip through JSON unchanged.
type Layout struct {
	Format      Format   `json:"format"`
	Compression string   `json:"compression,omitempty"` // "gzip", "zstd", "bzip2", or nothing
	Encoding    Encoding `json:"encoding,omitempty"`    // text formats: what it is stored in, "utf-16le" say; nothing for UTF-8
	Delimiter   string   `json:"delimiter,omitempty"`   // CSV, TSV: one byte
	Quote       string   `json:"quote,omitempty"`       // CSV, TSV: one byte, or nothing
	Header      bool     `json:"header,omitempty"`      // CSV, TSV: the first line names the columns
	Stream      bool     `json:"stream,omitempty"`      // Arrow: the stream format, without a footer
	MaxRow      int      `json:"max_row,omitempty"`     // text formats: longest row in bytes
	Groups      []int64  `json:"groups,omitempty"`      // Parquet: the rows of every row group
	Columns     []Column `json:"columns"`
	Start       Position `json:"start"` // where the first data row may begin: behind byte order mark and header
	Rows        int64    `json:"rows"`  // data rows, or -1 when only reading would tell

	// Unreadable names the columns that are there but not in Columns, each with the reason.
	Unreadable map[string]string `json:"unreadable,omitempty"`
}

// Column is one column of an input. In JSON its type is written as Arrow prints it: "utf8", "int64",
// "timestamp[ms, tz=UTC]", "decimal(10, 2)".
type Column struct {
	Name string
	Type arrow.DataType
}

// Position is a place where reading can start. The zero value is the beginning of the input. Other positions
// come from [Batch.Start] of the same object read by the same layout.
type Position struct {
	Offset int64 `json:"offset"`         // byte in the decoded text; Parquet: row group, Arrow: record batch, from 0
	Row    int64 `json:"row"`            // data rows before this place
	Line   int64 `json:"line,omitempty"` // text: line feeds before this place; Arrow: rows of the record batch before it
}

// Index returns the number of a column, for [Input.Batches]. When it cannot be read, the error says why, or
// which columns there are.
func (l *Layout) Index(name string) (int, error) {
	names := make([]string, len(l.Columns))
	for i, c := range l.Columns {
		if c.Name == name {
			return i, nil
		}
		names[i] = c.Name
	}
	if why, ok := l.Unreadable[name]; ok {
		return 0, fmt.Errorf("column %q cannot be read: %s", name, why)
	}
	return 0, fmt.Errorf("there is no column %q; there are: %s", name, strings.Join(names, ", "))
}

// plainTypes are the types without parameters, by the name Arrow gives them.
func plainTypes() []arrow.DataType {
	p, f := arrow.PrimitiveTypes, arrow.FixedWidthTypes
	return []arrow.DataType{
		arrow.BinaryTypes.String, arrow.BinaryTypes.Binary, f.Boolean, p.Date32, p.Float32, p.Float64,
		p.Int8, p.Int16, p.Int32, p.Int64, p.Uint8, p.Uint16, p.Uint32, p.Uint64,
	}
}

// MarshalJSON writes the column as {"name":…,"type":…}.
func (c Column) MarshalJSON() ([]byte, error) {
	return json.Marshal(columnJSON{c.Name, c.Type.String()})
}

// UnmarshalJSON reads what MarshalJSON wrote. It knows the types that inputs have, and refuses others.
func (c *Column) UnmarshalJSON(data []byte) error {
	var raw columnJSON
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	t := parseType(raw.Type)
	if t == nil {
		return fmt.Errorf("column %q: unknown type %q", raw.Name, raw.Type)
	}
	*c = Column{raw.Name, t}
	return nil
}

type columnJSON struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// parseType is the inverse of DataType.String for the types that inputs have; nil for any other text.
func parseType(s string) arrow.DataType {
	for _, t := range plainTypes() {
		if t.String() == s {
			return t
		}
	}
	for _, t := range []arrow.DataType{parseTimestamp(s), parseDecimal(s), parseFixedBinary(s)} {
		// Scanning is lenient about what follows; only the exact text is taken.
		if t != nil && t.String() == s {
			return t
		}
	}
	return nil
}

func parseTimestamp(s string) arrow.DataType {
	inner, ok := strings.CutPrefix(strings.TrimSuffix(s, "]"), "timestamp[")
	unit, zone, _ := strings.Cut(inner, ", tz=")
	for _, u := range []arrow.TimeUnit{arrow.Second, arrow.Millisecond, arrow.Microsecond, arrow.Nanosecond} {
		if ok && u.String() == unit {
			return &arrow.TimestampType{Unit: u, TimeZone: zone}
		}
	}
	return nil
}

func parseDecimal(s string) arrow.DataType {
	name, parameters, _ := strings.Cut(s, "(")
	var precision, scale int32
	if _, err := fmt.Sscanf(parameters, "%d, %d)", &precision, &scale); err != nil {
		return nil
	}
	if name == (&arrow.Decimal256Type{}).Name() {
		return &arrow.Decimal256Type{Precision: precision, Scale: scale}
	}
	return &arrow.Decimal128Type{Precision: precision, Scale: scale}
}

func parseFixedBinary(s string) arrow.DataType {
	var width int
	if _, err := fmt.Sscanf(s, "fixed_size_binary[%d]", &width); err != nil {
		return nil
	}
	return &arrow.FixedSizeBinaryType{ByteWidth: width}
}
