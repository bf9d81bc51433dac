package sources

import (
	"errors"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
)

// damaged is a column chunk that does not have what it promised.
type damaged struct {
	rows, present int // what it has
	late          error
}

func (d damaged) ReadBatch(rows int64, values []int64, levels, _ []int16) (int64, int, error) {
	read := min(rows, int64(d.rows))
	for i := range read {
		levels[i] = 1
	}
	return read, d.present, nil
}

func (d damaged) Err() error { return d.late }

func TestDamagedChunk(t *testing.T) {
	late := errors.New("page 7 is gone")
	for _, c := range []struct {
		name  string
		pages damaged
		want  string
	}{
		{"whole", damaged{rows: 10, present: 10}, ""},
		{"too few rows", damaged{rows: 7, present: 7}, "ends 3 rows early"},
		{"too few rows, and why", damaged{rows: 7, present: 7, late: late}, late.Error()},
		{"too few values", damaged{rows: 10, present: 9}, "nulls do not add up"},
	} {
		chunk := numbers[int64, int64]{packed: packed[int64]{pages: c.pages, nullable: true}, typ: arrow.PrimitiveTypes.Int64, convert: same[int64]}
		size, err := chunk.read(10)
		if c.want == "" {
			if column := chunk.take(); err != nil || size != 80 || column.rows != 10 {
				t.Errorf("%s: %d rows of %d bytes, %v", c.name, column.rows, size, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
