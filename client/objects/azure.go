package objects

import (
	"context" //nolint:gosec // the checksum that the service keeps of a blob, against chance and not against malice
	"errors"
	"io"
	"io/fs"
	"iter"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
)

// azureCreator is the metadata that holds the id of a blob's creator. Azure takes only what could be the name of a
// variable in C# there.
const azureCreator = "mapper_creator"

// azure is one container of Azure Blob Storage. Its objects are block blobs, and an ETag is the version.
type azure struct {
	container *container.Client
	name      string
}

func (a *azure) uri(key string) string { return "azblob://" + a.name + "/" + key }

// azureETag writes all ETags alike: the service puts quotation marks around those in headers, and none around those
// in lists.
func azureETag(tag *azcore.ETag) string {
	if tag == nil {
		return ""
	}
	return strings.Trim(string(*tag), `"`)
}

// azureMeta returns a piece of metadata, whose name comes back from the service in any case.
func azureMeta(all map[string]*string, name string) string {
	for k, v := range all {
		if v != nil && strings.EqualFold(k, name) {
			return *v
		}
	}
	return ""
}

// isAzureFolder says whether a blob stands for a folder. In an account with a hierarchical namespace every folder
// is listed as an empty blob, known only by this metadata.
func isAzureFolder(meta map[string]*string) bool {
	return strings.EqualFold(azureMeta(meta, "hdi_isfolder"), "true")
}

func (a *azure) list(ctx context.Context, prefix string) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		pager := a.container.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{
			Prefix: &prefix, MaxResults: to.Ptr[int32](1000), Include: container.ListBlobsInclude{Metadata: true},
		})
		for pager.More() {
			var page container.ListBlobsFlatResponse
			err := a.call(ctx, prefix, func(ctx context.Context) (err error) {
				page, err = pager.NextPage(ctx)
				return err
			})
			if err != nil {
				yield(entry{}, err)
				return
			}
			for _, b := range page.Segment.BlobItems {
				if isAzureFolder(b.Metadata) {
					continue
				}
				e := entry{key: *b.Name, size: *b.Properties.ContentLength, version: azureETag(b.Properties.ETag)}
				if at := b.Properties.LastModified; at != nil {
					e.modified = *at
				}
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}

func (a *azure) folders(ctx context.Context, folder string) iter.Seq2[string, error] {
	pager := a.container.NewListBlobsHierarchyPager("/", &container.ListBlobsHierarchyOptions{
		Prefix: &folder, MaxResults: to.Ptr[int32](1000),
	})
	return func(yield func(string, error) bool) {
		for pager.More() {
			var page container.ListBlobsHierarchyResponse
			err := a.call(ctx, folder, func(ctx context.Context) (err error) {
				page, err = pager.NextPage(ctx)
				return err
			})
			if err != nil {
				yield("", err)
				return
			}
			for _, p := range page.Segment.BlobPrefixes {
				if !yield(strings.TrimSuffix((*p.Name)[len(folder):], "/"), nil) {
					return
				}
			}
		}
	}
}

func (a *azure) stat(ctx context.Context, key string) (e entry, creator string, err error) {
	var found blob.GetPropertiesResponse
	err = a.call(ctx, key, func(ctx context.Context) (err error) {
		found, err = a.container.NewBlobClient(key).GetProperties(ctx, nil)
		return err
	})
	switch {
	case err != nil:
		return entry{}, "", err
	case isAzureFolder(found.Metadata):
		return entry{}, "", &Error{URI: a.uri(key), Kind: fs.ErrNotExist, Err: errors.New("it is a folder")}
	}
	return entry{key: key, size: *found.ContentLength, version: azureETag(found.ETag)}, azureMeta(found.Metadata, azureCreator), nil
}

// read compares nothing with the MD5 that the service may keep of a blob: the SDK does not, and one core makes no more
// than 600 MB of it a second. TLS protects the way.
func (a *azure) read(ctx context.Context, e entry, from, size int64) (io.ReadCloser, error) {
	pin := azcore.ETag(`"` + e.version + `"`)
	options := &blob.DownloadStreamOptions{
		Range:            blob.HTTPRange{Offset: from, Count: size},
		AccessConditions: &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfMatch: &pin}},
	}
	var got blob.DownloadStreamResponse
	err := a.call(policy.WithRetryOptions(ctx, azureRetry(0)), e.key, func(ctx context.Context) (err error) {
		got, err = a.container.NewBlobClient(e.key).DownloadStream(ctx, options)
		return err
	})
	switch {
	case errors.Is(err, fs.ErrNotExist), isRefused(err, http.StatusPreconditionFailed), isRefused(err, http.StatusRequestedRangeNotSatisfiable):
		return nil, &Error{URI: a.uri(e.key), Kind: ErrChanged, Err: err}
	case err != nil:
		return nil, err
	}
	return got.Body, nil
}

func (a *azure) remove(ctx context.Context, key string) error {
	err := a.call(ctx, key, func(ctx context.Context) error {
		_, err := a.container.NewBlobClient(key).Delete(ctx, nil)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
