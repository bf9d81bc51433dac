package sandbox

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
)

const (
	buckets     = 1 << 20 // as in production; a power of two
	dueEvery    = 30      // days between the days on which a bucket may rotate
	previousFor = 90      // days for which the predecessor of a salt is known
	saltLen     = 11      // characters of a salt: 64 bits in base64
)

// salts knows the salt of every bucket on every day. It stores none: all follows from a seed.
//
// The day of a bucket's n-th rotation is the first of its due days on or after offset+n*period, where offset and
// the remainder of its due days modulo 30 are the bucket's own. So rotations lie a multiple of 30 days apart and
// period days on average, and one bucket in period rotates each day, as the operator's administration does it.
type salts struct {
	firstLevel [saltLen]byte
	schedule   uint64 // key: when a bucket rotates
	rotating   uint64 // key: what its salts are
	period     int64  // mean days between two rotations of a bucket
}

// salt names one salt of a bucket.
type salt struct {
	bucket  uint32
	version int64 // how many rotations there have been; its predecessor is version-1
}

// state is what the salt file says of a bucket on some day. Days count from 1970-01-01 UTC.
type state struct {
	salt
	updated int64 // the day of the last rotation
	due     int64 // the next day on which it may rotate
}

func newSalts(seed string, period int) salts {
	key := sha256.Sum256([]byte("salts of " + seed))
	s := salts{
		schedule: binary.BigEndian.Uint64(key[0:]),
		rotating: binary.BigEndian.Uint64(key[8:]),
		period:   int64(period),
	}
	base64.RawURLEncoding.Encode(s.firstLevel[:], key[16:24])
	return s
}

// bucketOf returns the bucket that a first-level hash belongs to.
func bucketOf(firstLevelHash *[32]byte) uint32 {
	return binary.BigEndian.Uint32(firstLevelHash[:4]) % buckets
}

// on returns the state of a bucket on a day.
func (s *salts) on(bucket uint32, day int64) state {
	h := mix(s.schedule, uint64(bucket))
	phase := int64(h % dueEvery)
	offset := int64((h >> 8) % uint64(s.period))

	lastDue := phase + dueEvery*floorDiv(day-phase, dueEvery)
	version := floorDiv(lastDue-offset, s.period)
	ideal := offset + version*s.period
	return state{
		salt:    salt{bucket: bucket, version: version},
		updated: phase - dueEvery*floorDiv(phase-ideal, dueEvery), // the first due day on or after ideal
		due:     lastDue + dueEvery,
	}
}

// text returns a salt.
func (s *salts) text(of salt) (text [saltLen]byte) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], s.word(of, 0))
	base64.RawURLEncoding.Encode(text[:], b[:])
	return text
}

// keyMaterial is what stands in for a salt in raw UIDs of version 4.
type keyMaterial struct {
	id   uint32 // 24 bits
	key  [32]byte
	salt []byte
}

// key returns the version 4 counterpart of text.
func (s *salts) key(of salt) keyMaterial {
	text := s.text(of)
	k := keyMaterial{id: uint32(s.word(of, 1)) & (1<<24 - 1), salt: text[:]}
	for i := range 4 {
		binary.BigEndian.PutUint64(k.key[8*i:], s.word(of, 2+uint64(i)))
	}
	return k
}

// word returns the i-th of the pseudo-random words that belong to a salt.
func (s *salts) word(of salt, i uint64) uint64 {
	return mix(mix(s.rotating+i, uint64(of.bucket)), uint64(of.version))
}

// mix scatters the pair over 64 bits (the finalizer of SplitMix64). It is the only source of chance in the
// sandbox that must repeat, and cheap enough to be asked for every identity.
func mix(key, n uint64) uint64 {
	z := key + (n+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// share maps 64 random bits to [0, 1).
func share(bits uint64) float64 { return float64(bits>>11) / (1 << 53) }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
