package objects

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
)

// openAzure returns a container of the storage account that the environment names, as Azure's own command line
// does:
//
//   - AZURE_STORAGE_CONNECTION_STRING, which says everything, or
//   - AZURE_STORAGE_ACCOUNT, in the domain AZURE_STORAGE_DOMAIN (default blob.core.windows.net), with
//     AZURE_STORAGE_KEY, or AZURE_STORAGE_SAS_TOKEN, or else whatever azidentity.DefaultAzureCredential finds: a
//     service principal in the environment, a workload identity, a managed identity, or who is logged in with az.
func openAzure(_ context.Context, name string, client *http.Client) (cloud, error) {
	c, err := azureContainer(name, client)
	if err != nil {
		return nil, &Error{URI: "azblob://" + name, Kind: fs.ErrPermission, Err: azureCause(err)}
	}
	return &azure{container: c, name: name}, nil
}

func azureContainer(name string, client *http.Client) (*container.Client, error) {
	options := &container.ClientOptions{ClientOptions: policy.ClientOptions{
		Transport: client, Retry: azureRetry(azureTryTimeout), PerRetryPolicies: []policy.Policy{azureAttempt{}},
		Telemetry: policy.TelemetryOptions{ApplicationID: "mapper"},
	}}
	if s := os.Getenv("AZURE_STORAGE_CONNECTION_STRING"); s != "" {
		c, err := container.NewClientFromConnectionString(s, name, options)
		return c, azureSetting("AZURE_STORAGE_CONNECTION_STRING", err)
	}
	account := os.Getenv("AZURE_STORAGE_ACCOUNT")
	if account == "" {
		return nil, errors.New("no storage account is named; set AZURE_STORAGE_ACCOUNT, or AZURE_STORAGE_CONNECTION_STRING")
	}
	url := fmt.Sprintf("https://%s.%s/%s", account, cmp.Or(os.Getenv("AZURE_STORAGE_DOMAIN"), "blob.core.windows.net"), name)
	if key := os.Getenv("AZURE_STORAGE_KEY"); key != "" {
		shared, err := container.NewSharedKeyCredential(account, key)
		if err != nil {
			return nil, azureSetting("AZURE_STORAGE_KEY", err)
		}
		return container.NewClientWithSharedKeyCredential(url, shared, options)
	}
	if token := os.Getenv("AZURE_STORAGE_SAS_TOKEN"); token != "" {
		return container.NewClientWithNoCredential(url+"?"+strings.TrimPrefix(token, "?"), options)
	}
	// Each service that gives out tokens has its own passing failures, which azidentity knows.
	identity := policy.ClientOptions{Transport: client, Retry: azureRetry(azureTryTimeout), PerRetryPolicies: []policy.Policy{azureAttempt{}}}
	identity.Retry.ShouldRetry = nil
	who, err := azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{ClientOptions: identity})
	if err != nil {
		return nil, err
	}
	return container.NewClient(url, who, options)
}

// azureSetting names the variable that is wrong.
func azureSetting(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", name, err)
}
