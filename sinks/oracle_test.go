package sinks

import (
	"bytes"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/xitongsys/parquet-go/reader"
)

// checkPart writes rows as two parts, the second with the buffers of the first, and checks them.
func checkPart(t *testing.T, opts Options, rows partRows) {
	t.Helper()
	checkParts(t, 2, opts, rows)
}

// checkParts compares what other readers find in parts with the rows, and with what Arrow's own writer makes
// of the same rows. That takes long under the race detector, so that only few rows are compared in all ways.
func checkParts(t *testing.T, parts int, opts Options, rows partRows) {
	t.Helper()
	f := newFolder(t)
	w := newWriter(t, f, opts)
	for n := range parts {
		files := writePart(t, w, n, rows)
		for dataset, of := range map[string][]Row{
			DatasetMapped: rows.mapped, DatasetUnmapped: rows.unmapped, DatasetRefreshFrom: rows.mapped,
		} {
			if _, ok := files[dataset]; ok != (len(of) > 0) {
				t.Fatalf("%s: has a file: %t, and %d rows", dataset, ok, len(of))
			}
			if len(of) == 0 {
				continue
			}
			data, want := f.read(t, files[dataset].Path), expected(t, opts.Network, dataset, of, opts.Kept)
			got := readArrow(t, data)
			sameTable(t, got, want)
			if n == 0 {
				sameXitongsys(t, data, want)
			}
			if n == 0 && len(of) <= 1000 {
				sameTable(t, got, readArrow(t, writeArrow(t, want)))
			}
		}
	}
}

// sameXitongsys reads a file with the second implementation.
func sameXitongsys(t *testing.T, data []byte, want arrow.Table) {
	t.Helper()
	r, err := reader.NewParquetColumnReader(newSectionFile(bytes.NewReader(data), int64(len(data))), 1)
	if err != nil {
		t.Fatal(err)
	}
	if r.Footer.NumRows != want.NumRows() {
		t.Fatalf("xitongsys: footer has %d rows, want %d", r.Footer.NumRows, want.NumRows())
	}
	for i := range int(want.NumCols()) {
		got, _, _, err := r.ReadColumnByIndex(int64(i), want.NumRows())
		if err != nil || int64(len(got)) != want.NumRows() {
			t.Fatalf("xitongsys: column %d: %d values, %v", i, len(got), err)
		}
		n := 0
		for _, chunk := range want.Column(i).Data().Chunks() {
			for j := range chunk.Len() {
				if wantValue := plain(chunk, j); got[n] != wantValue {
					t.Fatalf("xitongsys: column %s, row %d: got %v (%T), want %v (%T)",
						want.Column(i).Name(), n, got[n], got[n], wantValue, wantValue)
				}
				n++
			}
		}
	}
}

// plain returns a value as xitongsys does: by its physical type.
func plain(a arrow.Array, i int) any {
	if a.IsNull(i) {
		return nil
	}
	switch a := a.(type) {
	case *array.String:
		return a.Value(i)
	case *array.LargeString:
		return a.Value(i)
	case *array.Binary:
		return string(a.Value(i))
	case *array.LargeBinary:
		return string(a.Value(i))
	case *array.Boolean:
		return a.Value(i)
	case *array.Int8:
		return int32(a.Value(i))
	case *array.Int16:
		return int32(a.Value(i))
	case *array.Int32:
		return a.Value(i)
	case *array.Int64:
		return a.Value(i)
	case *array.Uint8:
		return int32(a.Value(i))
	case *array.Uint16:
		return int32(a.Value(i))
	case *array.Uint32:
		return int32(a.Value(i))
	case *array.Uint64:
		return int64(a.Value(i))
	case *array.Float32:
		return a.Value(i)
	case *array.Float64:
		return a.Value(i)
	case *array.Date32:
		return int32(a.Value(i))
	case *array.Timestamp:
		return int64(a.Value(i))
	case *array.Decimal128:
		n := a.Value(i).BigInt()
		length := decimalBytes(a.DataType().(*arrow.Decimal128Type).Precision)
		if n.Sign() < 0 {
			n.Add(n, new(big.Int).Lsh(big.NewInt(1), uint(8*length)))
		}
		return string(n.FillBytes(make([]byte, length)))
	}
	panic(fmt.Sprintf("no plain form of %T", a))
}

func TestSameAsArrow(t *testing.T) {
	set := func(rows []Row, f func(i int, r *Row)) []Row {
		for i := range rows {
			f(i, &rows[i])
		}
		return rows
	}
	random := rand.New(rand.NewPCG(1, 1))
	some := func(n int) []Row { return randomRows(random, n) }
	both := func(rows []Row) partRows { return partRows{rows, rows} }
	nulls := Row{HasKind: true, HasHash: true, UID: []byte("u"), MappedAt: 1}
	const all = compressions // not one, but each
	tests := []struct {
		name        string
		compression Compression
		opts        Options
		rows        partRows
	}{
		{"mapped only", all, Options{}, partRows{mapped: some(10)}},
		{"unmapped only", all, Options{}, partRows{unmapped: lacking(random, some(10))}},
		{"one row", all, Options{}, both(some(1))},
		{"row groups end with the part", all, Options{RowGroupRows: 5, RefreshGroupRows: 5}, both(some(10))},
		{"one row more than row groups", all, Options{RowGroupRows: 5, RefreshGroupRows: 5}, both(some(11))},
		{"row groups of one row", all, Options{RowGroupRows: 1, RefreshGroupRows: 1}, both(some(9))},
		{"nothing but nulls", all, Options{}, partRows{
			mapped:   set(some(100), func(_ int, r *Row) { *r = nulls }),
			unmapped: set(some(100), func(_ int, r *Row) { *r = Row{MappedAt: 1} }),
		}},
		{"empty texts", all, Options{}, both(set(some(20), func(_ int, r *Row) {
			r.HasID, r.ID, r.RawReason = true, nil, nil
		}))},
		{"long texts", all, Options{}, both(set(some(6), func(i int, r *Row) {
			r.HasID, r.ID = true, []byte(strings.Repeat("é", i*40_000))
			r.UID = []byte(strings.Repeat("u", maxUID-i))
			r.RawReason = []byte(strings.Repeat("r", i*1000))
			r.SourceFile = strings.Repeat("f", i*10_000)
		}))},
		{"one identity and refresh_from", all, Options{RefreshGroupRows: 7}, both(set(some(100), func(_ int, r *Row) {
			r.Identity.Hash, r.RefreshFrom = [32]byte{1}, 5
		}))},
		{"many refresh_froms", all, Options{}, both(set(some(1000), func(_ int, r *Row) {
			r.RefreshFrom = random.Int64() - random.Int64()
		}))},

		{"ID5", all, Options{Network: NetworkID5, RowGroupRows: 100, RefreshGroupRows: 70},
			partRows{some(250), lacking(random, some(250))}},
		{"ID5, all pairs of letters", CompressionSnappy, Options{Network: NetworkID5}, both(set(some(26*26+1), func(i int, r *Row) {
			r.Identity.Country = [2]byte{}
			if i > 0 {
				r.Identity.Country = [2]byte{'A' + byte((i-1)/26), 'A' + byte((i-1)%26)}
			}
		}))},
		{"ID5 without refresh_from", all, Options{Network: NetworkID5}, both(set(some(100), func(_ int, r *Row) { r.RefreshFrom = 0 }))},
		{"ID5, one hash in many countries", all, Options{Network: NetworkID5}, both(set(some(100), func(_ int, r *Row) {
			r.Identity.Hash, r.RefreshFrom = [32]byte{1}, 0
		}))},
		{"ID5, nothing but nulls", all, Options{Network: NetworkID5}, partRows{
			mapped:   set(some(100), func(_ int, r *Row) { *r = nulls }),
			unmapped: set(some(100), func(_ int, r *Row) { *r = Row{MappedAt: 1} }),
		}},
		{"ID5, pages and row groups", CompressionZstd, Options{Network: NetworkID5, RowGroupRows: 17_000, RefreshGroupRows: 17_000},
			partRows{mapped: some(17_010)}},

		{"a page", CompressionNone, Options{}, partRows{mapped: some(pageRows)}},
		{"pages and row groups", CompressionNone, Options{RowGroupRows: 17_000, RefreshGroupRows: 17_000},
			partRows{mapped: some(17_010)}},
		{"hundreds of pieces of one refresh_from", CompressionNone, Options{}, partRows{
			mapped: set(some(36_000), func(i int, r *Row) { r.RefreshFrom, r.UID = int64(1+i/20_000), fmt.Appendf(nil, "%0300d", i) }),
		}},
		{"pages and row groups", CompressionZstd, Options{RowGroupRows: 17_000}, partRows{unmapped: some(17_010)}},
		{"a page of nulls, then values", CompressionSnappy, Options{}, partRows{
			mapped: set(some(pageRows+1), func(i int, r *Row) {
				if i < pageRows {
					*r = nulls
				}
			}),
		}},
		{"values, then a page of nulls", CompressionSnappy, Options{}, partRows{
			mapped: set(some(pageRows+1), func(i int, r *Row) {
				if i >= 1 {
					*r = nulls
				}
			}),
		}},
		{"every row another file", CompressionSnappy, Options{}, partRows{
			mapped: set(some(3000), func(i int, r *Row) { r.SourceFile = fmt.Sprintf("crm/%d.csv", i) }),
		}},
	}
	for _, tt := range tests {
		for c := range compressions {
			if tt.compression != all && tt.compression != c {
				continue
			}
			t.Run(tt.name+"/"+c.String(), func(t *testing.T) {
				t.Parallel()
				opts := tt.opts
				opts.Compression = c
				parts := 2
				if opts.RowGroupRows == 0 && len(tt.rows.mapped) > 10_000 {
					parts = 1
				}
				checkParts(t, parts, opts, tt.rows)
			})
		}
	}
}

// TestRandomParts writes parts of random rows in row groups of random size.
func TestRandomParts(t *testing.T) {
	for seed := range uint64(24) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(seed, 7))
			opts := Options{
				Network:          Network(seed % uint64(networks)),
				Compression:      Compression(random.IntN(int(compressions))),
				RowGroupRows:     1 + random.IntN(120),
				RefreshGroupRows: 1 + random.IntN(120),
			}
			rows := partRows{
				mapped:   randomRows(random, random.IntN(250)),
				unmapped: lacking(random, randomRows(random, random.IntN(250))),
			}
			checkPart(t, opts, rows)
		})
	}
}
