package sinks

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/xitongsys/parquet-go/parquet"
)

// groupStats is what the statistics of a row group ought to say.
type groupStats struct {
	nulls  map[string]int64 // by column
	bounds bounds
}

func (s *groupStats) note(b *batch, columns []columnSpec) {
	for _, c := range columns {
		at := b.column(c.name)
		if at == nil {
			continue
		}
		for _, v := range *at {
			if v == nil {
				s.nulls[c.name]++
			}
		}
	}
	for i := range b.rows {
		if at, ok := b.refreshFrom.number(i); ok {
			s.bounds.refresh(at)
		}
	}
}

// check compares what the footer says of a column that has been read. Readers skip row groups by it: min and
// max that are wrong hide rows.
func (s *groupStats) check(column string, said *parquet.Statistics) error {
	if said == nil || said.NullCount == nil {
		return fmt.Errorf("column %s: has no statistics", column)
	}
	if *said.NullCount != s.nulls[column] {
		return fmt.Errorf("column %s: has %d nulls, its statistics say %d", column, s.nulls[column], *said.NullCount)
	}
	if column != "refresh_from" {
		return nil
	}
	smallest, largest := s.bounds.refreshFrom()
	if !sameNumber(smallest, said.MinValue) || !sameNumber(largest, said.MaxValue) {
		return errors.New("column refresh_from: min and max in its statistics are not those of its values")
	}
	return nil
}

func sameNumber(want *int64, encoded []byte) bool {
	if want == nil {
		return len(encoded) == 0
	}
	return len(encoded) == 8 && int64(binary.LittleEndian.Uint64(encoded)) == *want
}
