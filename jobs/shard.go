package jobs

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"mapper/jobs/table"
	"mapper/pipeline"
	"mapper/sources"
)

// Shard is the slice of a run's input that one process works on, of slices that go on at once on many machines. All use
// one plan, which deals the input to them: files, and of Parquet row groups. Each has a chain of its own, and who
// finishes last commits the run. The zero value is the whole.
type Shard struct {
	K int // from 0
	N int // of so many; 0 stands for 1
}

// CompletionIndex is the environment variable in which Kubernetes tells a pod of an Indexed Job its number.
const CompletionIndex = "JOB_COMPLETION_INDEX"

// maxShards bounds N: more pods than that want another tool.
const maxShards = 10_000

// ParseShard reads "K/N", or "/N" where K is the value of the environment variable [CompletionIndex].
func ParseShard(text string, env func(name string) (string, bool)) (Shard, error) {
	k, n, ok := strings.Cut(text, "/")
	if !ok {
		return Shard{}, usagef("%q is no slice; write K/N, as 0/16 for the first of 16, or /16 in a Kubernetes Indexed Job", text)
	}
	if k == "" {
		if k, ok = env(CompletionIndex); !ok || k == "" {
			return Shard{}, usagef("%q takes its number from $%s, which is not set; write K/N", text, CompletionIndex)
		}
	}
	index, err1 := strconv.Atoi(k)
	count, err2 := strconv.Atoi(n)
	if errors.Join(err1, err2) != nil || count < 1 || count > maxShards || index < 0 || index >= count {
		return Shard{}, usagef("%q is no slice; K of K/N is from 0 to N-1, and N at most %d (here K is %s)", text, maxShards, k)
	}
	return Shard{K: index, N: count}, nil
}

// String writes K/N.
func (s Shard) String() string { return strconv.Itoa(s.K) + "/" + strconv.Itoa(s.count()) }

func (s Shard) count() int { return max(1, s.N) }

// slice is what the shard may have of a number of things that all shards have to do with.
func (s Shard) slice(all int) int {
	return max(1, all*(s.K+1)/s.count()-all*s.K/s.count())
}

// checkShard says what does not go with being one of several shards.
func (m *Map) checkShard() error {
	switch {
	case m.Shard.K < 0 || m.Shard.K >= m.Shard.count() || m.Shard.N < 0 || m.Shard.N > maxShards:
		return settingf("shard", "%q: K of K/N is from 0 to N-1, and N at most %d", m.Shard, maxShards)
	case m.Shard.count() == 1:
		return nil
	case m.Incremental:
		return settingf("shard", "%q: an incremental run compares the whole input with the table, and a shard sees a slice of it; leave out one of them", m.Shard)
	case m.RunID == "":
		return settingf("shard", "%q: the shards of a run find each other by its name; give all of them the same --run-id", m.Shard)
	case m.Limit > 0:
		return settingf("limit", "%d: which rows are the first is for no shard to say; leave out --limit or --shard", m.Limit)
	case slices.Contains(m.Inputs, stdin):
		return usagef("standard input (-) cannot be dealt to shards; leave out --shard")
	case m.Fresh:
		return settingf("fresh", "true: a shard continues the run of its --run-id; leave out --fresh, or choose another --run-id")
	}
	return nil
}

// inFlight is how many requests this process may have in flight: the shards share what the service puts up with.
func (m *Map) inFlight() int { return m.Shard.slice(m.MaxInFlight) }

// rps is the same for requests a second, if the user has set a limit.
func (m *Map) rps() float64 { return m.MaxRPS / float64(m.Shard.count()) }

// piecesPerShard is into how many pieces the inputs are cut for each shard: with more, shards are more alike, and each
// opens more files.
const piecesPerShard = 8

// deal deals the inputs to n shards, so that each has about the same number of bytes to read.
func deal(inputs []pipeline.Input, n int) [][]table.Share {
	pieces := cut(inputs, n)
	// The largest first, each to the shard that has least.
	slices.SortStableFunc(pieces, func(a, b piece) int { return cmp.Compare(b.bytes, a.bytes) })
	shards, loads := make([][]table.Share, n), make([]int64, n)
	for _, p := range pieces {
		least := 0
		for shard, load := range loads {
			if load < loads[least] {
				least = shard
			}
		}
		shards[least] = append(shards[least], p.Share)
		loads[least] += max(1, p.bytes)
	}
	for shard := range shards {
		shards[shard] = join(shards[shard])
	}
	return shards
}

// piece is a stretch of an input before it is dealt.
type piece struct {
	table.Share
	bytes int64
}

// cut cuts the inputs where they can be cut, into pieces that are as large as their number allows.
func cut(inputs []pipeline.Input, n int) []piece {
	var total int64
	for i := range inputs {
		total += max(0, inputs[i].Source.Object.Size)
	}
	enough := int64(math.MaxInt64)
	if n > 1 {
		enough = total / int64(n*piecesPerShard)
	}
	var pieces []piece
	for i := range inputs {
		source := inputs[i].Source
		splits := source.Splits()
		if n == 1 || len(splits) == 1 {
			pieces = append(pieces, piece{table.Share{Input: i}, source.Object.Size})
			continue
		}
		open := piece{Share: table.Share{Input: i, Split: splits[0]}}
		for g, s := range splits {
			if g > 0 && open.bytes >= enough {
				pieces = append(pieces, open)
				open.Split.First = s.First
			}
			open.Split.Last = s.Last
			from, to := source.Cut(open.Split).Span()
			open.bytes = to - from
		}
		pieces = append(pieces, open)
	}
	return pieces
}

// join puts the shares of one shard in the order of the inputs, and those that adjoin together.
func join(shares []table.Share) []table.Share {
	slices.SortFunc(shares, func(a, b table.Share) int {
		return cmp.Or(cmp.Compare(a.Input, b.Input), cmp.Compare(a.Split.First, b.Split.First))
	})
	joined := []table.Share{}
	for _, s := range shares {
		if last := len(joined) - 1; last >= 0 && joined[last].Input == s.Input && joined[last].Split.Last == s.Split.First && s.Split != (sources.Split{}) {
			joined[last].Split.Last = s.Split.Last
		} else {
			joined = append(joined, s)
		}
	}
	return joined
}

// sliceOf returns what a shard reads of the inputs of a plan.
func sliceOf(inputs []pipeline.Input, shares []table.Share) []pipeline.Input {
	slice := make([]pipeline.Input, len(shares))
	for i, s := range shares {
		slice[i] = inputs[s.Input]
		slice[i].Source = slice[i].Source.Cut(s.Split)
	}
	return slice
}
