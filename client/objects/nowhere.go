package objects

import (
	"context"
	"io/fs"
	"iter"
)

// Nowhere returns a bucket that takes everything and keeps nothing, for those who only want to know what would be
// written.
func Nowhere() *Bucket { return &Bucket{in: nowhere{}} }

type nowhere struct{}

func (nowhere) uri(key string) string { return "nowhere/" + key }

func (nowhere) list(context.Context, string) iter.Seq2[entry, error] {
	return func(func(entry, error) bool) {}
}

func (nowhere) folders(context.Context, string) ([]string, error) { return nil, nil }

func (nowhere) stat(context.Context, string) (entry, error) { return entry{}, fs.ErrNotExist }

func (nowhere) open(context.Context, entry) (File, error) { return nil, fs.ErrNotExist }

func (nowhere) create(context.Context, string) (upload, error) { return forgotten{}, nil }

func (nowhere) put(context.Context, string, []byte) error { return nil }

func (nowhere) remove(context.Context, string) error { return nil }

// forgotten is what goes nowhere.
type forgotten struct{}

// Write takes all of it.
func (forgotten) Write(p []byte) (int, error) { return len(p), nil }

// Close keeps nothing.
func (forgotten) Close() error { return nil }

// Abort keeps nothing either.
func (forgotten) Abort() error { return nil }
