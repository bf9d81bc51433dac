package objectstest

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
)

// The account that Azurite begins with. Everybody's is the same.
const (
	azuriteAccount = "devstoreaccount1"
	azuriteKey     = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

// Azurite is Microsoft's own emulator of Azure Blob Storage, a program for Node, in a process of its own.
type Azurite struct {
	endpoint string // http://host:port
}

// Azure returns an empty container of a new server.
func Azure(t testing.TB) Target {
	t.Helper()
	return StartAzurite(t).Target(t)
}

// StartAzurite starts a server, which keeps its blobs in memory and ends with the test. Where the program is not
// installed, the test is skipped, or fails if MAPPER_REQUIRE_ENGINES is 1.
func StartAzurite(t testing.TB) *Azurite {
	t.Helper()
	command := azuriteCommand(t)
	command = append(command, "--blobPort", "0", "--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry", "--silent", "--loose")
	ctx, kill := context.WithCancel(context.Background())
	said, ended := make(chan string), make(chan error, 1)
	go func() {
		// The thread that starts a process has to live as long as that: it is its end that endWithParent is about.
		runtime.LockOSThread()
		ended <- runAzurite(ctx, command, said)
	}()
	t.Cleanup(func() {
		kill()
		for range said { // until it has ended
		}
	})
	timeout := time.After(time.Minute)
	for {
		select {
		case line, ok := <-said:
			if _, endpoint, found := strings.Cut(line, "successfully listens on "); found {
				go func() {
					for range said {
					}
				}()
				return &Azurite{endpoint: strings.TrimSpace(endpoint)}
			} else if !ok {
				t.Fatalf("%s ended before it listened: %v", command[0], <-ended)
			}
		case <-timeout:
			t.Fatalf("%s does not listen", command[0])
		}
	}
}

func azuriteCommand(t testing.TB) []string {
	t.Helper()
	name := os.Getenv("MAPPER_AZURITE")
	if name == "" {
		name = "azurite-blob"
	}
	if strings.HasSuffix(name, ".js") {
		return []string{"node", name}
	}
	path, err := exec.LookPath(name)
	if err == nil {
		return []string{path}
	}
	const missing = "%v; install it: npm install -g azurite@3.37.0, or set MAPPER_AZURITE"
	if os.Getenv("MAPPER_REQUIRE_ENGINES") == "1" {
		t.Fatalf(missing, err)
	}
	t.Skipf(missing, err)
	return nil
}

// runAzurite sends what the server says, line by line, until it ends.
func runAzurite(ctx context.Context, command []string, said chan<- string) error {
	defer close(said)
	cmd := exec.CommandContext(ctx, command[0], command[1:]...) //nolint:gosec // the tester names it
	cmd.SysProcAttr = endWithParent()
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		said <- lines.Text()
	}
	return cmd.Wait()
}

// ConnectionString is how to reach the server.
func (a *Azurite) ConnectionString() string { return azuriteAt(a.endpoint) }

func azuriteAt(endpoint string) string {
	return fmt.Sprintf("DefaultEndpointsProtocol=http;AccountName=%s;AccountKey=%s;BlobEndpoint=%s/%s;", azuriteAccount, azuriteKey, endpoint, azuriteAccount)
}

// Target makes an empty container, behind a proxy, and an environment in which it is found.
func (a *Azurite) Target(t testing.TB) Target {
	t.Helper()
	name := "t" + strings.ToLower(rand.Text())
	c, err := container.NewClientFromConnectionString(a.ConnectionString(), name, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Create(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	proxy := NewProxy(t)
	if err := proxy.Forward(a.endpoint); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AZURE_STORAGE_CONNECTION_STRING", azuriteAt(proxy.URL))
	return Target{URI: "azblob://" + name, Proxy: proxy}
}
