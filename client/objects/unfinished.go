package objects

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Unfinished is an upload that was begun and neither closed nor aborted: its writer goes on, or was killed. Nobody
// sees it, and it takes room.
type Unfinished struct {
	Key   string    `json:"key"`   // of the object that it would be; of a local file that of its temporary name
	Begun time.Time `json:"begun"` // by the storage's clock; of a local file when it was written to last

	id string // of the storage
}

// Unfinished returns the unfinished uploads whose keys begin with prefix. Google and Azure do not show theirs; they
// remove them after a week.
func (b *Bucket) Unfinished(ctx context.Context, prefix string) (all []Unfinished, err error) {
	switch in := b.in.(type) {
	case local:
		all, err = in.unfinished(prefix)
	case *remote:
		if s, ok := in.cloud.(*s3Bucket); ok {
			for u, err := range patiently(ctx, in, b.prefix+prefix, s.unfinished) {
				if err != nil {
					return nil, err
				}
				u.Key = u.Key[len(b.prefix):]
				all = append(all, u)
			}
		}
	}
	return all, err
}

// Drop removes what there is of an unfinished upload. If somebody is still writing it, the writer fails. One that has
// ended meanwhile is no error, and what it became stays.
func (b *Bucket) Drop(ctx context.Context, u Unfinished) error {
	switch in := b.in.(type) {
	case local:
		return discard(in.path(u.Key))
	case *remote:
		if s, ok := in.cloud.(*s3Bucket); ok {
			return in.patient(ctx, u.Key, func(ctx context.Context) error { return s.drop(ctx, b.prefix+u.Key, u.id) })
		}
	}
	return nil
}

// unfinished returns the temporary files.
func (l local) unfinished(prefix string) ([]Unfinished, error) {
	paths, err := walk(l.path(prefix[:strings.LastIndexByte(prefix, '/')+1]), func(name string) bool {
		return !strings.HasPrefix(name, ".") || strings.HasPrefix(name, tempPrefix)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	keys, err := l.below(prefix, paths)
	if err != nil {
		return nil, err
	}
	var all []Unfinished
	for _, key := range keys {
		if name := key[strings.LastIndexByte(key, '/')+1:]; !strings.HasPrefix(name, tempPrefix) {
			continue
		}
		info, err := os.Stat(l.path(key))
		if errors.Is(err, fs.ErrNotExist) {
			continue // it has ended
		}
		if err != nil {
			return nil, err
		}
		all = append(all, Unfinished{Key: key, Begun: info.ModTime().UTC()})
	}
	return all, nil
}

// unfinished yields the multipart uploads.
func (b *s3Bucket) unfinished(ctx context.Context, prefix string) iter.Seq2[Unfinished, error] {
	return func(yield func(Unfinished, error) bool) {
		in := &s3.ListMultipartUploadsInput{Bucket: &b.name, Prefix: &prefix}
		for {
			page, err := s3Call(ctx, b, prefix, b.client.ListMultipartUploads, in)
			if err != nil {
				yield(Unfinished{}, err)
				return
			}
			for _, u := range page.Uploads {
				if !yield(Unfinished{Key: aws.ToString(u.Key), Begun: aws.ToTime(u.Initiated).UTC(), id: aws.ToString(u.UploadId)}, nil) {
					return
				}
			}
			if !aws.ToBool(page.IsTruncated) {
				return
			}
			in.KeyMarker, in.UploadIdMarker = page.NextKeyMarker, page.NextUploadIdMarker
		}
	}
}

// drop aborts a multipart upload.
func (b *s3Bucket) drop(ctx context.Context, key, id string) error {
	in := &s3.AbortMultipartUploadInput{Bucket: &b.name, Key: &key, UploadId: &id}
	_, err := s3Call(ctx, b, key, func(ctx context.Context, in *s3.AbortMultipartUploadInput, o ...func(*s3.Options)) (*s3.AbortMultipartUploadOutput, error) {
		out, err := b.client.AbortMultipartUpload(ctx, in, o...)
		if gone := (*types.NoSuchUpload)(nil); errors.As(err, &gone) {
			return out, nil
		}
		return out, err
	}, in)
	return err
}
