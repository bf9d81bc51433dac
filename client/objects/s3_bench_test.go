package objects_test

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"mapper/client/objects/objectstest"
)

// BenchmarkReadS3 compares a file of this package with the SDK's own download, of MAPPER_BENCH_MB MB (256).
func BenchmarkReadS3(b *testing.B) {
	target := objectstest.S3Direct(b)
	mb := 256
	if set := os.Getenv("MAPPER_BENCH_MB"); set != "" {
		var err error
		if mb, err = strconv.Atoi(set); err != nil {
			b.Fatal(err)
		}
	}
	size := int64(mb) << 20
	store, bucket := openS3Bucket(b, target.URI)
	w, err := bucket.Create(b.Context(), "x")
	if err != nil {
		b.Fatal(err)
	}
	for block := s3Noise(1 << 20); mb > 0; mb-- {
		if _, err := w.Write(block); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	found, err := store.Find(b.Context(), bucket.URI("x"))
	if err != nil {
		b.Fatal(err)
	}
	client, name, folder := plainS3(b, target)
	for what, open := range map[string]func() (io.ReadCloser, error){
		"mapper": func() (io.ReadCloser, error) { return store.Open(b.Context(), found[0]) },
		"sdk": func() (io.ReadCloser, error) {
			out, err := client.GetObject(b.Context(), &s3.GetObjectInput{Bucket: &name, Key: aws.String(folder + "x")})
			if err != nil {
				return nil, err
			}
			return out.Body, nil
		},
	} {
		b.Run(what, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(size)
			for b.Loop() {
				if err := s3Drain(open, size); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func s3Drain(open func() (io.ReadCloser, error), size int64) error {
	r, err := open()
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }() // it was only read
	if n, err := io.Copy(io.Discard, r); err != nil || n != size {
		return fmt.Errorf("%d of %d bytes: %w", n, size, err)
	}
	return nil
}
