package sinks

import (
	"bytes"
	"math/bits"
	"math/rand/v2"
	"testing"

	"github.com/xitongsys/parquet-go/encoding"
)

// decodeHybrid decodes with the second implementation.
func decodeHybrid(t testing.TB, data []byte, width int) []uint32 {
	t.Helper()
	values, err := encoding.ReadRLEBitPackedHybrid(bytes.NewReader(data), uint64(width), uint64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	decoded := make([]uint32, len(values))
	for i, v := range values {
		decoded[i] = uint32(v.(int64))
	}
	return decoded
}

// hybrid encodes values one by one.
func hybrid(values []uint32, width int) []byte {
	var runs []run
	for _, v := range values {
		if last := len(runs) - 1; last >= 0 && runs[last].value == v {
			runs[last].count++
		} else {
			runs = append(runs, run{v, 1})
		}
	}
	data, _ := appendHybrid(nil, runs, width, nil)
	return data
}

func checkHybrid(t testing.TB, values []uint32, width int) {
	t.Helper()
	data := hybrid(values, width)
	if len(values) == 0 {
		if len(data) != 0 {
			t.Fatalf("no values are %x", data)
		}
		return
	}
	got := decodeHybrid(t, data, width)
	if len(got) < len(values) || len(got) > len(values)+7 {
		t.Fatalf("width %d: %d values come back as %d", width, len(values), len(got))
	}
	for i, v := range got {
		if i < len(values) && v != values[i] || i >= len(values) && v != 0 {
			t.Fatalf("width %d: value %d is %d; all were %v", width, i, v, values)
		}
	}
}

func TestHybrid(t *testing.T) {
	tests := []struct {
		name   string
		values []uint32
		width  int
		want   []byte
	}{
		{"the specification's example", []uint32{0, 1, 2, 3, 4, 5, 6, 7}, 3, []byte{1<<1 | 1, 0b10001000, 0b11000110, 0b11111010}},
		{"a run", []uint32{5, 5, 5, 5, 5, 5, 5, 5, 5}, 3, []byte{9 << 1, 5}},
		{"a wide run", []uint32{300, 300, 300, 300, 300, 300, 300, 300}, 9, []byte{8 << 1, 44, 1}},
		{"too short for a run", []uint32{1, 1, 1}, 1, []byte{1<<1 | 1, 0b111}},
		{"a run lends to the group before it", []uint32{0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, 1,
			[]byte{1<<1 | 1, 0b11111110, 8 << 1, 1}},
		{"a run with too little to lend", []uint32{0, 1, 1, 1, 1, 1, 1, 1, 1, 1}, 1, []byte{2<<1 | 1, 0b11111110, 0b11}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := hybrid(tt.values, tt.width); !bytes.Equal(got, tt.want) {
				t.Errorf("got %08b, want %08b", got, tt.want)
			}
			checkHybrid(t, tt.values, tt.width)
		})
	}
}

// FuzzHybrid takes each byte for a run: its low bits are the value, its high bits the length.
func FuzzHybrid(f *testing.F) {
	f.Add([]byte{0, 1, 0xff, 3, 0xf1}, uint8(4))
	f.Add([]byte("abcdefgh"), uint8(20))
	f.Fuzz(func(t *testing.T, runs []byte, widthSeed uint8) {
		width := 1 + int(widthSeed)%32
		var values []uint32
		for _, b := range runs {
			value := (uint32(b&15) * 0x11111111) >> (32 - width)
			for range int(b>>4) + 1 {
				values = append(values, value)
			}
		}
		checkHybrid(t, values, width)
	})
}

func TestSetBits(t *testing.T) {
	for from := range 20 {
		for n := range 40 {
			got := []byte{1, 0, 0, 0x40, 0, 0, 0, 0, 0x80}
			want := bytes.Clone(got)
			for i := from; i < from+n; i++ {
				want[i/8] |= 1 << (i % 8)
			}
			if setBits(got, from, n); !bytes.Equal(got, want) {
				t.Errorf("%d bits from %d on are %08b, want %08b", n, from, got, want)
			}
		}
	}
}

func TestLevels(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 5))
	for _, rows := range []int{1, 7, 8, 9, 63, 64, 1000, pageRows - 1, pageRows} {
		for _, present := range []string{"all", "none", "some", "but the first", "but the last"} {
			levels := make([]byte, (pageRows+7)/8)
			nulls := 0
			want := make([]uint32, rows)
			for i := range rows {
				has := present == "all" || present == "some" && random.IntN(2) == 0 ||
					present == "but the first" && i > 0 || present == "but the last" && i < rows-1
				if has {
					levels[i/8] |= 1 << (i % 8)
					want[i] = 1
				} else {
					nulls++
				}
			}
			room := make([]byte, levelsRoom(pageRows))
			start := putLevels(room, levels, rows, nulls)
			if length := int(uint32(room[start]) | uint32(room[start+1])<<8); length != len(room)-start-4 {
				t.Fatalf("%d rows, %s: length is %d, want %d", rows, present, length, len(room)-start-4)
			}
			got := decodeHybrid(t, room[start+4:], 1)
			for i := range want {
				if got[i] != want[i] {
					t.Fatalf("%d rows, %s: level %d is %d", rows, present, i, got[i])
				}
			}
		}
	}
}

// TestDictionaryWidth: the width of the indices follows the dictionary, and is never 0.
func TestDictionaryWidth(t *testing.T) {
	for _, n := range []int{1, 2, 3, 4, 5, 255, 256, 257} {
		d := newDictionary()
		for i := range n {
			d.add(string(rune('a'+i)), 1)
		}
		page := d.appendPage(nil)
		if want := max(1, bits.Len(uint(n-1))); int(page[0]) != want {
			t.Errorf("%d words: width is %d, want %d", n, page[0], want)
		}
		for i, got := range decodeHybrid(t, page[1:], int(page[0]))[:n] {
			if int(got) != i {
				t.Fatalf("%d words: index %d is %d", n, i, got)
			}
		}
	}
}
