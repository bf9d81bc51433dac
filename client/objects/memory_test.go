package objects

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// memory is a cloud without a network: what is in it, for as many processes as look.
type memory struct {
	mu      sync.Mutex
	objects map[string]stored
	written int // objects ever
}

type stored struct {
	data    []byte
	creator string
	version string
}

func (m *memory) keys(prefix string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var keys []string
	for _, key := range slices.Sorted(maps.Keys(m.objects)) {
		if strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	return keys
}

// process is one process and its way to the memory, in the virtual time of synctest.
type process struct {
	*memory
	mu     sync.Mutex
	chance *rand.Rand
	delay  time.Duration // of a request and of its reply, at most
	lost   float64       // the share of creations whose reply is lost
	late   float64       // the share of creations that fail, and happen all the same a little later
	asleep time.Time     // until when the process is paused
	down   error         // what it gets instead of the storage
}

func newProcess(m *memory, seed uint64) *process {
	return &process{memory: m, chance: rand.New(rand.NewPCG(seed, 1))}
}

// bucket returns the memory as the process has it.
func (p *process) bucket() *Bucket {
	return &Bucket{in: &remote{cloud: p, giveUpAfter: defaultGiveUpAfter}}
}

func (p *process) set(change func(*process)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

func (p *process) likely(share float64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.chance.Float64() < share
}

func (p *process) soon() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.delay == 0 {
		return 0
	}
	return time.Duration(p.chance.Int64N(int64(p.delay)))
}

// away is how long it takes to send something or to hear of it: a paused process does neither.
func (p *process) away(ctx context.Context) error {
	err := pause(ctx, p.soon())
	for {
		p.mu.Lock()
		down, asleep := p.down, time.Until(p.asleep)
		p.mu.Unlock()
		if asleep <= 0 {
			return errors.Join(err, down)
		}
		time.Sleep(asleep)
	}
}

// request does one thing in the memory, and returns when its reply is there.
func (p *process) request(ctx context.Context, do func() error) error {
	if err := p.away(ctx); err != nil {
		return err
	}
	p.memory.mu.Lock()
	err := do()
	p.memory.mu.Unlock()
	return errors.Join(err, p.away(ctx))
}

func (p *process) uri(key string) string { return "memory://" + key }

func (p *process) list(ctx context.Context, prefix string) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		var found []entry
		err := p.request(ctx, func() error {
			for key, o := range p.objects {
				if strings.HasPrefix(key, prefix) {
					found = append(found, o.entry(key))
				}
			}
			return nil
		})
		if err != nil {
			yield(entry{}, err)
			return
		}
		slices.SortFunc(found, func(a, b entry) int { return strings.Compare(a.key, b.key) })
		for _, e := range found {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func (o stored) entry(key string) entry {
	return entry{key: key, size: int64(len(o.data)), version: o.version}
}

func (p *process) folders(context.Context, string) iter.Seq2[string, error] { panic("nobody asks") }

func (p *process) stat(ctx context.Context, key string) (e entry, creator string, err error) {
	err = p.request(ctx, func() error {
		o, ok := p.objects[key]
		if !ok {
			return &Error{URI: p.uri(key), Kind: fs.ErrNotExist}
		}
		e, creator = o.entry(key), o.creator
		return nil
	})
	return e, creator, err
}

func (p *process) read(ctx context.Context, e entry, from, size int64) (body io.ReadCloser, err error) {
	err = p.request(ctx, func() error {
		o, ok := p.objects[e.key]
		if !ok || o.version != e.version {
			return &Error{URI: p.uri(e.key), Kind: ErrChanged}
		}
		body = io.NopCloser(bytes.NewReader(o.data[from : from+size]))
		return nil
	})
	return body, err
}

func (p *process) remove(ctx context.Context, key string) error {
	return p.request(ctx, func() error {
		delete(p.objects, key)
		return nil
	})
}

func (p *process) create(ctx context.Context, key, creator string) (upload, error) {
	return &creation{process: p, ctx: ctx, key: key, creator: creator}, nil
}

// creation is an object on its way.
type creation struct {
	*process
	bytes.Buffer
	ctx          context.Context
	key, creator string
}

var errLost = errors.New("the connection is reset")

// Close sends it.
func (c *creation) Close() error {
	if c.likely(c.late) {
		time.AfterFunc(time.Second+c.soon(), func() { // when the process may not be there any more
			c.memory.mu.Lock()
			defer c.memory.mu.Unlock()
			_ = c.put()
		})
		return &Error{URI: c.uri(c.key), Err: errLost}
	}
	err := c.request(c.ctx, c.put)
	if c.likely(c.lost) {
		return &Error{URI: c.uri(c.key), Err: errLost}
	}
	return err
}

// Abort drops it.
func (c *creation) Abort() error { return nil }

func (c *creation) put() error {
	if _, ok := c.objects[c.key]; ok {
		return &Error{URI: c.uri(c.key), Kind: fs.ErrExist}
	}
	c.written++
	c.objects[c.key] = stored{data: c.Bytes(), creator: c.creator, version: strconv.Itoa(c.written)}
	return nil
}
