package objects

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc64"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// s3AbortTimeout is for how long it is tried to tell S3 that an upload is dropped.
const s3AbortTimeout = 3 * time.Second

// s3MaxParts is how many chunks S3 takes.
const s3MaxParts = 10_000

// s3Upload is an object on its way up: in one request if it is one chunk, else as a multipart upload, which shows
// nothing before it is completed. S3 checks each request against the CRC-64/NVME of its body, and the completed
// object against that of the whole. Checksums go in headers and not behind the body, where the SDK would put them:
// that needs aws-chunked, which some services store as if it was content.
type s3Upload struct {
	ctx     context.Context
	bucket  *s3Bucket
	key     string
	creator string

	table *crc64.Table
	crc   uint64  // of all chunks sent
	id    *string // of the multipart upload; nil before the first chunk
	parts []types.CompletedPart
}

func (b *s3Bucket) create(ctx context.Context, key, creator string) (upload, error) {
	const nvme = 0x9a6c9329ac4bc9b5 // the polynomial, reversed
	return newChunked(&s3Upload{ctx: ctx, bucket: b, key: key, creator: creator, table: crc64.MakeTable(nvme)}), nil
}

// s3Checksum writes a CRC as S3 has it.
func s3Checksum(crc uint64) *string {
	return aws.String(base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, crc)))
}

// sums returns the checksum of a request's body, of the kind that the service knows.
func (u *s3Upload) sums(body []byte) (crc, md5Sum *string) {
	if u.bucket.md5 {
		sum := md5.Sum(body) // against accidents, not attackers
		return nil, aws.String(base64.StdEncoding.EncodeToString(sum[:]))
	}
	return s3Checksum(crc64.Checksum(body, u.table)), nil
}

func (u *s3Upload) metadata() map[string]string { return map[string]string{s3Creator: u.creator} }

// put sends a part. To send it again changes nothing: it has a number.
func (u *s3Upload) put(n int, chunk []byte) error {
	if n >= s3MaxParts {
		err := fmt.Errorf("objects of more than %d GB; write smaller ones", s3MaxParts*chunkSize/1_000_000_000)
		return &Error{URI: u.bucket.uri(u.key), Err: err}
	}
	if err := u.begin(); err != nil {
		return err
	}
	number := aws.Int32(int32(n + 1))
	crc, md5Sum := u.sums(chunk)
	out, err := s3Call(u.ctx, u.bucket, u.key, u.bucket.client.UploadPart, &s3.UploadPartInput{
		Bucket: &u.bucket.name, Key: &u.key, UploadId: u.id, PartNumber: number,
		Body: bytes.NewReader(chunk), ChecksumCRC64NVME: crc, ContentMD5: md5Sum,
	})
	if err != nil {
		return err
	}
	if !u.bucket.md5 {
		u.crc = crc64.Update(u.crc, u.table, chunk)
	}
	u.parts = append(u.parts, types.CompletedPart{PartNumber: number, ETag: out.ETag, ChecksumCRC64NVME: crc})
	return nil
}

func (u *s3Upload) begin() error {
	if u.id != nil {
		return nil
	}
	in := &s3.CreateMultipartUploadInput{Bucket: &u.bucket.name, Key: &u.key, Metadata: u.metadata()}
	if !u.bucket.md5 {
		in.ChecksumAlgorithm, in.ChecksumType = types.ChecksumAlgorithmCrc64nvme, types.ChecksumTypeFullObject
	}
	out, err := s3Call(u.ctx, u.bucket, u.key, u.bucket.client.CreateMultipartUpload, in)
	if err == nil && aws.ToString(out.UploadId) == "" {
		err = &Error{URI: u.bucket.uri(u.key), Err: errors.New("it gives no id for an upload; is this S3?")}
	}
	if err == nil {
		u.id = out.UploadId
	}
	return err
}

// finish makes the object visible.
func (u *s3Upload) finish(n int, last []byte) error {
	if n == 0 {
		return u.whole(last)
	}
	var err error
	if len(last) > 0 {
		err = u.put(n, last)
	}
	if err == nil {
		err = u.complete()
	}
	if err != nil {
		// Nobody sees what is left of it, and the error that counts is the first. Should it have been completed
		// after all, there is nothing to abort any more.
		_ = u.abort()
	}
	return err
}

// whole creates an object of one chunk.
func (u *s3Upload) whole(data []byte) error {
	crc, md5Sum := u.sums(data)
	_, err := s3Call(u.ctx, u.bucket, u.key, u.bucket.client.PutObject, &s3.PutObjectInput{
		Bucket: &u.bucket.name, Key: &u.key, Metadata: u.metadata(), IfNoneMatch: aws.String("*"),
		Body: bytes.NewReader(data), ChecksumCRC64NVME: crc, ContentMD5: md5Sum,
	})
	return err
}

func (u *s3Upload) complete() error {
	in := &s3.CompleteMultipartUploadInput{
		Bucket: &u.bucket.name, Key: &u.key, UploadId: u.id, IfNoneMatch: aws.String("*"),
		MultipartUpload: &types.CompletedMultipartUpload{Parts: u.parts},
	}
	if !u.bucket.md5 {
		in.ChecksumCRC64NVME, in.ChecksumType = s3Checksum(u.crc), types.ChecksumTypeFullObject
	}
	out, err := s3Call(u.ctx, u.bucket, u.key, u.bucket.client.CompleteMultipartUpload, in)
	// S3 begins to answer before it knows what came of it. The SDK takes a reply without a body for success.
	if err == nil && aws.ToString(out.ETag) == "" {
		err = &Error{URI: u.bucket.uri(u.key), Kind: ErrUnavailable, Err: errors.New("the reply to the completed upload was cut off")}
	}
	return err
}

// abort drops the parts, also after the context has ended.
func (u *s3Upload) abort() error {
	if u.id == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(u.ctx), s3AbortTimeout)
	defer cancel()
	_, err := s3Call(ctx, u.bucket, u.key, u.bucket.client.AbortMultipartUpload, &s3.AbortMultipartUploadInput{
		Bucket: &u.bucket.name, Key: &u.key, UploadId: u.id,
	})
	return err
}
