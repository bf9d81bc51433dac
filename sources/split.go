package sources

// Split is a stretch of an input that can be read without what comes before it: row groups from First up to, but not
// with, Last. The zero value is the whole input.
type Split struct {
	First int `json:"first"`
	Last  int `json:"last"`
}

// Splits returns the smallest stretches that the input can be read in, in order; together they are the input. They
// are the row groups of Parquet. Anything else has one, the whole: whether a line feed in the middle of a text is
// within quotes, and which line it ends, only what comes before it tells; and where the rows of a record batch of
// Arrow begin in the input, only those before it.
func (in *Input) Splits() []Split {
	if len(in.Layout.Groups) == 0 {
		return []Split{{}}
	}
	splits := make([]Split, len(in.Layout.Groups))
	for i := range splits {
		splits[i] = Split{i, i + 1}
	}
	return splits
}

// Cut returns the input with nothing but the rows of a split. Its layout and its sample, the positions and the
// numbers of its rows are those of the whole input. The zero position is the beginning of the split; reading from a
// position outside of it is an error, as is a split that the input does not have.
func (in *Input) Cut(s Split) *Input {
	if s == (Split{}) {
		return in
	}
	cut := *in
	cut.split = s
	return &cut
}

// Span returns which bytes of the stored object the split covers, for Parquet by its share of the rows. Batch.Read lies
// between them. A size that is not known makes to negative.
func (in *Input) Span() (from, to int64) {
	rows := in.Layout.Rows
	if in.split == (Split{}) || in.checkSplit() != nil || rows == 0 {
		return 0, in.Object.Size
	}
	start := in.splitStart().Row
	end := start
	for _, n := range in.Layout.Groups[in.split.First:in.split.Last] {
		end += n
	}
	return share(in.Object.Size, start, rows), share(in.Object.Size, end, rows)
}

// share returns part/whole of size.
func share(size, part, whole int64) int64 {
	return int64(float64(size) * float64(part) / float64(whole))
}

// checkSplit refuses a split that the input does not have.
func (in *Input) checkSplit() error {
	s, groups := in.split, len(in.Layout.Groups)
	if s != (Split{}) && (s.First < 0 || s.First >= s.Last || s.Last > groups) {
		return in.errorf("has no split from %d to %d, it has %d row groups to split by", s.First, s.Last, groups)
	}
	return nil
}

// splitStart is where the split begins.
func (in *Input) splitStart() Position {
	start := Position{Offset: int64(in.split.First)}
	for _, rows := range in.Layout.Groups[:in.split.First] {
		start.Row += rows
	}
	return start
}
