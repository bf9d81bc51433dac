package objects

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // see azure.go
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"hash/crc64"
	"io/fs"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
)

// azureUpload sends a blob as blocks, which are nothing until a list of them is committed. The service checks each
// against its CRC-64, and keeps the MD5 of the whole.
type azureUpload struct {
	ctx     context.Context
	azure   *azure
	key     string
	creator string
	blob    *blockblob.Client
	table   *crc64.Table
	id      string // of the upload
	sum     hash.Hash
	blocks  []string
}

func (a *azure) create(ctx context.Context, key, creator string) (upload, error) {
	return newChunked(&azureUpload{
		ctx: ctx, azure: a, key: key, creator: creator, blob: a.container.NewBlockBlobClient(key), id: rand.Text(),
		table: crc64.MakeTable(0x9A6C9329AC4BC9B5), // Azure's polynomial, in the order of bits that Go wants
		sum:   md5.New(),                           //nolint:gosec // see azure.go
	}), nil
}

// block returns the name of a block. They are as long as each other, which the service demands of all blocks of a
// blob, whoever sends them; and nobody else's, since all who write one blob have their blocks in one place.
func (u *azureUpload) block(n int) string {
	return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%s-%06d", u.id, n)) // n is below 50,000
}

func (u *azureUpload) put(n int, chunk []byte) error {
	_, _ = u.sum.Write(chunk) // hashes do not fail
	id := u.block(n)
	err := u.azure.call(u.ctx, u.key, func(ctx context.Context) error {
		_, err := u.blob.StageBlock(ctx, id, streaming.NopCloser(bytes.NewReader(chunk)), &blockblob.StageBlockOptions{
			TransactionalValidation: blob.TransferValidationTypeCRC64(crc64.Checksum(chunk, u.table)),
		})
		return err
	})
	u.blocks = append(u.blocks, id)
	return u.taken(err)
}

// finish makes the blob visible. A blob of one chunk is one request.
func (u *azureUpload) finish(n int, last []byte) error {
	if n > 0 && len(last) > 0 {
		if err := u.put(n, last); err != nil {
			return err
		}
	}
	err := u.azure.call(u.ctx, u.key, func(ctx context.Context) error {
		if n == 0 {
			return u.upload(ctx, last)
		}
		return u.commit(ctx)
	})
	return u.taken(err)
}

// taken makes fs.ErrExist of the answers that mean that there is a blob of the name.
func (u *azureUpload) taken(err error) error {
	var refusal *azureRefusal
	if !errors.As(err, &refusal) || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	switch {
	case refusal.code == "BlockCountExceedsLimit": // unfinished uploads have left too much
		return err
	case refusal.status == http.StatusConflict, refusal.status == http.StatusPreconditionFailed,
		refusal.code == "InvalidBlockList": // a blob that becomes visible takes away the blocks of all others
		return &Error{URI: u.azure.uri(u.key), Kind: fs.ErrExist, Err: refusal}
	}
	return err
}

func (u *azureUpload) upload(ctx context.Context, whole []byte) error {
	sum := md5.Sum(whole) //nolint:gosec // see azure.go
	_, err := u.blob.Upload(ctx, streaming.NopCloser(bytes.NewReader(whole)), &blockblob.UploadOptions{
		Metadata:                map[string]*string{azureCreator: &u.creator},
		AccessConditions:        ifAbsent(),
		TransactionalValidation: blob.TransferValidationTypeMD5(sum[:]), // which is kept, too
	})
	return err
}

func (u *azureUpload) commit(ctx context.Context) error {
	_, err := u.blob.CommitBlockList(ctx, u.blocks, &blockblob.CommitBlockListOptions{
		Metadata:         map[string]*string{azureCreator: &u.creator},
		AccessConditions: ifAbsent(),
		HTTPHeaders:      &blob.HTTPHeaders{BlobContentMD5: u.sum.Sum(nil)},
	})
	return err
}

// abort has nothing to do: there is no request to drop blocks, and the service does so after a week.
func (u *azureUpload) abort() error { return nil }

func ifAbsent() *blob.AccessConditions {
	return &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfNoneMatch: to.Ptr(azcore.ETagAny)}}
}
