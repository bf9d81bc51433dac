package objects

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// answers is a server in memory.
type answers func(*http.Request) (*http.Response, error)

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) { return a(r) }

func answer(status int, header map[string]string, body string) *http.Response {
	w := httptest.NewRecorder()
	for k, v := range header {
		w.Header().Set(k, v)
	}
	w.WriteHeader(status)
	_, _ = w.WriteString(body) // into memory
	return w.Result()
}

// clearAzure makes an environment in which no account is named.
func clearAzure(t *testing.T) {
	for _, name := range []string{
		"AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_KEY", "AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_DOMAIN",
		"AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_AUTHORITY_HOST", "AZURE_TOKEN_CREDENTIALS",
	} {
		t.Setenv(name, "") // puts it back at the end
		if err := os.Unsetenv(name); err != nil {
			t.Fatal(err)
		}
	}
}

func azureWith(t *testing.T, server answers) cloud {
	t.Helper()
	clearAzure(t)
	t.Setenv("AZURE_STORAGE_ACCOUNT", "acct")
	t.Setenv("AZURE_STORAGE_SAS_TOKEN", "?sv=2025&sig=secret")
	c, err := openAzure(t.Context(), "box", &http.Client{Transport: server})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAzureCredentials(t *testing.T) {
	const key = "c2VjcmV0" // "secret"
	for name, c := range map[string]struct {
		env            map[string]string
		url, authority string // the beginning of what is asked for, and of the header Authorization
	}{
		"connection string": {
			map[string]string{"AZURE_STORAGE_CONNECTION_STRING": "AccountName=acct;AccountKey=" + key + ";BlobEndpoint=http://host:1/acct", "AZURE_STORAGE_ACCOUNT": "other"},
			"http://host:1/acct/box/k", "SharedKey acct:",
		},
		"connection string with a signature": {
			map[string]string{"AZURE_STORAGE_CONNECTION_STRING": "BlobEndpoint=https://host/;SharedAccessSignature=sv=1&sig=s"},
			"https://host/box/k?sig=s&sv=1", "",
		},
		"key":              {map[string]string{"AZURE_STORAGE_ACCOUNT": "acct", "AZURE_STORAGE_KEY": key}, "https://acct.blob.core.windows.net/box/k", "SharedKey acct:"},
		"signature":        {map[string]string{"AZURE_STORAGE_ACCOUNT": "acct", "AZURE_STORAGE_SAS_TOKEN": "sv=1&sig=s"}, "https://acct.blob.core.windows.net/box/k?sig=s&sv=1", ""},
		"signature with ?": {map[string]string{"AZURE_STORAGE_ACCOUNT": "acct", "AZURE_STORAGE_SAS_TOKEN": "?sv=1&sig=s"}, "https://acct.blob.core.windows.net/box/k?sig=s&sv=1", ""},
		"domain": {
			map[string]string{"AZURE_STORAGE_ACCOUNT": "acct", "AZURE_STORAGE_KEY": key, "AZURE_STORAGE_DOMAIN": "blob.core.chinacloudapi.cn"},
			"https://acct.blob.core.chinacloudapi.cn/box/k", "SharedKey acct:",
		},
		"service principal": {
			map[string]string{"AZURE_STORAGE_ACCOUNT": "acct", "AZURE_TENANT_ID": "tenant", "AZURE_CLIENT_ID": "me", "AZURE_CLIENT_SECRET": "secret"},
			"https://acct.blob.core.windows.net/box/k", "Bearer token-of-me",
		},
	} {
		t.Run(name, func(t *testing.T) {
			clearAzure(t)
			for k, v := range c.env {
				t.Setenv(k, v)
			}
			var url, authority string
			opened, err := openAzure(t.Context(), "box", &http.Client{Transport: answers(func(r *http.Request) (*http.Response, error) {
				if r.URL.Host == "login.microsoftonline.com" {
					return logIn(r), nil
				}
				url, authority = r.URL.String(), r.Header.Get("Authorization")
				return answer(http.StatusAccepted, nil, ""), nil
			})})
			if err != nil {
				t.Fatal(err)
			}
			if err := opened.remove(t.Context(), "k"); err != nil {
				t.Fatal(err)
			}
			if url != c.url || !strings.HasPrefix(authority, c.authority) || (c.authority == "") != (authority == "") {
				t.Errorf("%s with %q; want %s with %q", url, authority, c.url, c.authority)
			}
		})
	}
}

// logIn answers as Entra ID does.
func logIn(r *http.Request) *http.Response {
	header := map[string]string{"Content-Type": "application/json"}
	switch {
	case strings.Contains(r.URL.Path, "discovery/instance"):
		return answer(http.StatusOK, header, `{"tenant_discovery_endpoint":"https://login.microsoftonline.com/tenant/v2.0/.well-known/openid-configuration","metadata":[]}`)
	case strings.Contains(r.URL.Path, "openid-configuration"):
		return answer(http.StatusOK, header, `{"issuer":"https://login.microsoftonline.com/tenant/v2.0","authorization_endpoint":"https://login.microsoftonline.com/a","token_endpoint":"https://login.microsoftonline.com/t"}`)
	case r.PostFormValue("client_secret") != "secret":
		return answer(http.StatusUnauthorized, header, "{\n\"error\":\"invalid_client\",\n\"error_description\":\"AADSTS7000215: no\"\n}")
	}
	return answer(http.StatusOK, header, `{"access_token":"token-of-`+r.PostFormValue("client_id")+`","expires_in":3600,"token_type":"Bearer"}`)
}

// TestAzureDenied: who has no credentials is told so, at once and in one line.
func TestAzureDenied(t *testing.T) {
	for name, c := range map[string]struct {
		env  map[string]string
		says string
	}{
		"nothing":                 {nil, "AZURE_STORAGE_ACCOUNT"},
		"broken connection":       {map[string]string{"AZURE_STORAGE_CONNECTION_STRING": "AccountKey"}, "AZURE_STORAGE_CONNECTION_STRING"},
		"broken key":              {map[string]string{"AZURE_STORAGE_ACCOUNT": "acct", "AZURE_STORAGE_KEY": "hidden!"}, "AZURE_STORAGE_KEY"},
		"no credentials":          {map[string]string{"AZURE_STORAGE_ACCOUNT": "acct", "AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential"}, "AZURE_TENANT_ID"},
		"wrong service principal": {map[string]string{"AZURE_STORAGE_ACCOUNT": "acct", "AZURE_TENANT_ID": "tenant", "AZURE_CLIENT_ID": "me", "AZURE_CLIENT_SECRET": "hidden"}, "ClientSecretCredential authentication failed"},
	} {
		t.Run(name, func(t *testing.T) {
			clearAzure(t)
			for k, v := range c.env {
				t.Setenv(k, v)
			}
			opened, err := openAzure(t.Context(), "box", &http.Client{Transport: answers(func(r *http.Request) (*http.Response, error) { return logIn(r), nil })})
			if err == nil {
				_, _, err = opened.stat(t.Context(), "k")
			}
			var typed *Error
			if !errors.Is(err, fs.ErrPermission) || !errors.As(err, &typed) || !strings.Contains(err.Error(), c.says) ||
				strings.ContainsAny(err.Error(), "\n?") || strings.Contains(err.Error(), "hidden") {
				t.Errorf("%v; want %q in one line", err, c.says)
			}
		})
	}
}

// TestAzurePatience: what passes is waited for, but never longer than half a minute at once, whatever the service
// says, and what does not pass is not repeated.
func TestAzurePatience(t *testing.T) {
	busy := func(after string) *http.Response {
		return answer(http.StatusServiceUnavailable, map[string]string{"Retry-After": after, "x-ms-error-code": "ServerBusy"}, "")
	}
	for name, c := range map[string]struct {
		fail      func() (*http.Response, error)
		attempts  int
		from, end time.Duration
	}{
		"refused":           {func() (*http.Response, error) { return nil, &net.OpError{Op: "dial", Err: errors.New("refused")} }, 12, 2 * time.Minute, 4 * time.Minute},
		"busy":              {func() (*http.Response, error) { return answer(http.StatusServiceUnavailable, nil, ""), nil }, 12, 2 * time.Minute, 4 * time.Minute},
		"busy for an hour":  {func() (*http.Response, error) { return busy("3600"), nil }, 12, 330 * time.Second, 331 * time.Second},
		"busy for a second": {func() (*http.Response, error) { return busy("1"), nil }, 12, 11 * time.Second, 12 * time.Second},
		"busy until a date": {func() (*http.Response, error) { return busy("Wed, 21 Oct 2099 07:28:00 GMT"), nil }, 12, 330 * time.Second, 331 * time.Second},
		"damaged on the way": {func() (*http.Response, error) {
			return answer(400, map[string]string{"x-ms-error-code": "Md5Mismatch"}, ""), nil
		}, 12, time.Minute, 4 * time.Minute},
		"no such account": {func() (*http.Response, error) { return nil, &net.DNSError{Err: "no such host", IsNotFound: true} }, 1, 0, 1},
		"foreign server": {func() (*http.Response, error) {
			return nil, &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}
		}, 1, 0, 1},
		"wrong": {func() (*http.Response, error) { return answer(http.StatusBadRequest, nil, ""), nil }, 1, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			attempts := 0
			opened := azureWith(t, func(*http.Request) (*http.Response, error) {
				if attempts++; attempts < 12 {
					return c.fail()
				}
				return answer(http.StatusAccepted, nil, ""), nil
			})
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				err := opened.remove(t.Context(), "k")
				took := time.Since(began)
				if attempts != c.attempts || (err == nil) != (attempts == 12) || took < c.from || took > c.end {
					t.Errorf("%d attempts in %v, %v; want %d in %v to %v", attempts, took, err, c.attempts, c.from, c.end)
				}
				if err != nil && (strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "azblob://box/k")) {
					t.Error(err)
				}
			})
		})
	}
}

// TestAzureIdentityPatience: who gives out tokens may be out of order for a while, too.
func TestAzureIdentityPatience(t *testing.T) {
	clearAzure(t)
	for k, v := range map[string]string{"AZURE_STORAGE_ACCOUNT": "acct", "AZURE_TENANT_ID": "tenant", "AZURE_CLIENT_ID": "me", "AZURE_CLIENT_SECRET": "secret"} {
		t.Setenv(k, v)
	}
	synctest.Test(t, func(t *testing.T) {
		attempts := 0
		opened, err := openAzure(t.Context(), "box", &http.Client{Transport: answers(func(r *http.Request) (*http.Response, error) {
			if r.URL.Host != "login.microsoftonline.com" {
				return answer(http.StatusAccepted, nil, ""), nil
			}
			if attempts++; attempts < 12 {
				return answer(http.StatusServiceUnavailable, nil, ""), nil
			}
			return logIn(r), nil
		})})
		if err != nil {
			t.Fatal(err)
		}
		if err := opened.remove(t.Context(), "k"); err != nil || attempts < 12 {
			t.Errorf("%d attempts, %v", attempts, err)
		}
	})
}

// TestAzureGivesUp: when time is up, the error is what the service said, and not only that time is up.
func TestAzureGivesUp(t *testing.T) {
	opened := azureWith(t, func(*http.Request) (*http.Response, error) {
		return answer(http.StatusServiceUnavailable, map[string]string{"x-ms-error-code": "ServerBusy"}, ""), nil
	})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, _, err := opened.stat(ctx, "k")
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "(ServerBusy HTTP 503)") {
		t.Error(err)
	}
}

// TestAzureRefusals: each answer has its meaning, which depends on what was asked.
func TestAzureRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		status             int
		code               string
		stat, read, create error
	}{
		"no blob":        {404, "BlobNotFound", fs.ErrNotExist, ErrChanged, fs.ErrNotExist},
		"no container":   {404, "ContainerNotFound", fs.ErrNotExist, ErrChanged, fs.ErrNotExist},
		"going":          {409, "ContainerBeingDeleted", fs.ErrNotExist, ErrChanged, fs.ErrNotExist},
		"there":          {409, "BlobAlreadyExists", nil, nil, fs.ErrExist},
		"another kind":   {409, "InvalidBlobType", nil, nil, fs.ErrExist},
		"changed":        {412, "ConditionNotMet", nil, ErrChanged, fs.ErrExist},
		"shorter":        {416, "InvalidRange", nil, ErrChanged, nil},
		"no blocks":      {400, "InvalidBlockList", nil, nil, fs.ErrExist},
		"no key":         {401, "NoAuthenticationInformation", fs.ErrPermission, fs.ErrPermission, fs.ErrPermission},
		"no right":       {403, "AuthorizationPermissionMismatch", fs.ErrPermission, fs.ErrPermission, fs.ErrPermission},
		"put away":       {409, "BlobArchived", nil, nil, fs.ErrExist},
		"something else": {400, "InvalidHeaderValue", nil, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			opened := azureWith(t, func(*http.Request) (*http.Response, error) {
				return answer(c.status, map[string]string{"x-ms-error-code": c.code}, "<Error>\n<Code>"+c.code+"</Code>\n</Error>"), nil
			})
			_, _, stat := opened.stat(t.Context(), "k")
			_, read := opened.read(t.Context(), entry{key: "k", size: 10, version: "1"}, 3, 4)
			w, err := opened.create(t.Context(), "k", "me")
			if err != nil {
				t.Fatal(err)
			}
			for what, c := range map[string]struct{ got, want error }{"stat": {stat, c.stat}, "read": {read, c.read}, "create": {w.Close(), c.create}} {
				var typed *Error
				if !errors.As(c.got, &typed) || !errors.Is(typed.Kind, c.want) || strings.ContainsAny(c.got.Error(), "\n?") || typed.URI != "azblob://box/k" {
					t.Errorf("%s: %v, want %v", what, c.got, c.want)
				}
			}
		})
	}
}

// TestAzureList: a page is asked for when it is needed, and a version is the same wherever it is read: the service
// quotes an ETag in headers and not in lists.
func TestAzureList(t *testing.T) {
	var asked []string
	opened := azureWith(t, func(r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodHead {
			return answer(http.StatusOK, map[string]string{"ETag": `"0x8D"`, "Content-Length": "7", "x-ms-meta-Mapper_Creator": "me"}, ""), nil
		}
		q := r.URL.Query()
		asked = append(asked, q.Get("prefix")+" "+q.Get("maxresults")+" "+q.Get("marker"))
		return answer(http.StatusOK, map[string]string{"Content-Type": "application/xml"}, `<?xml version="1.0"?><EnumerationResults><Blobs>
<Blob><Name>p/d</Name><Properties><Etag>0x8C</Etag><Content-Length>0</Content-Length></Properties><Metadata><hdi_isfolder>true</hdi_isfolder></Metadata></Blob>
<Blob><Name>p/k`+q.Get("marker")+`</Name><Properties><Etag>0x8D</Etag><Content-Length>7</Content-Length></Properties></Blob>
</Blobs><NextMarker>+`+q.Get("marker")+`</NextMarker></EnumerationResults>`), nil
	})
	var listed []entry
	for e, err := range opened.list(t.Context(), "p/") {
		if err != nil {
			t.Fatal(err)
		}
		if listed = append(listed, e); len(listed) == 2 {
			break
		}
	}
	if len(asked) != 2 || asked[0] != "p/ 1000 " || asked[1] != "p/ 1000 +" || listed[1].key != "p/k+" {
		t.Errorf("%q were asked for, and %v listed", asked, listed)
	}
	e, creator, err := opened.stat(t.Context(), "p/k")
	if err != nil || e != listed[0] || creator != "me" {
		t.Errorf("%v of %q, %v; want %v", e, creator, err, listed[0])
	}
}

// TestAzureEarlyAnswer: a server may refuse before it has read the request. The one that is on its way still must
// not disturb the next, which reads the same bytes, nor read what is in their memory later. It is for -race.
func TestAzureEarlyAnswer(t *testing.T) {
	got := make(chan []byte, 4) // three blocks and their list
	var requests atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) <= 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got <- body
		w.WriteHeader(http.StatusCreated)
	}))
	defer server.Close()
	clearAzure(t)
	t.Setenv("AZURE_STORAGE_CONNECTION_STRING", "BlobEndpoint="+server.URL+";SharedAccessSignature=sig=s")
	opened, err := openAzure(t.Context(), "box", server.Client())
	if err != nil {
		t.Fatal(err)
	}
	w, err := opened.create(t.Context(), "k", "me")
	if err != nil {
		t.Fatal(err)
	}
	data := []byte(strings.Repeat("0123456789abcdef", (2*chunkSize+1000)/16))
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if want := data[i*chunkSize : min(len(data), (i+1)*chunkSize)]; string(<-got) != string(want) {
			t.Errorf("block %d is not what was written", i)
		}
	}
}
