package jobs_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mapper/client"
	"mapper/client/objects"
	"mapper/client/objects/objectstest"
	"mapper/client/sandbox"
	"mapper/client/uid2"
	"mapper/jobs"
	"mapper/jobs/table"
	"mapper/normalize"
)

// diagnose examines, within the time that is promised, and looks for secrets in what comes out.
func diagnose(t *testing.T, d jobs.Doctor) *jobs.Diagnosis {
	t.Helper()
	began := time.Now()
	found := d.Examine(t.Context())
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
	asJSON, err := json.Marshal(found)
	if err != nil {
		t.Fatal(err)
	}
	shown := fmt.Sprintln(found, string(asJSON), found.Err())
	for _, secret := range []client.Secret{d.APIKey, d.ClientSecret} {
		if text := secret.Reveal(); text != "" && strings.Contains(shown, text) {
			t.Errorf("a secret is shown: %s", shown)
		}
	}
	return found
}

// states writes the states of the checks in their order, a letter for each: o, w, f or s.
func states(d *jobs.Diagnosis) string {
	var b strings.Builder
	for _, c := range d.Checks {
		b.WriteByte(c.State[0])
	}
	return b.String()
}

func isFault(f client.Fault) func(error) bool {
	return func(err error) bool {
		var e *client.Error
		return errors.As(err, &e) && e.Fault == f
	}
}

var (
	isRefused     = isFault(client.Refused)
	isUnreachable = isFault(client.Unreachable)
	isBroken      = isFault(client.Broken)
)

func wordsFor(email, word string) map[normalize.ID]string {
	return map[normalize.ID]string{{Kind: normalize.KindEmail, Hash: sha256.Sum256([]byte(email))}: word}
}

func isNil(err error) bool { return err == nil }

func isUsage(err error) bool {
	var usage *jobs.UsageError
	return errors.As(err, &usage)
}

// The checks: credentials, key and secret, base url, dns, connection, clock, identity/map, answers, opt-out.
func TestDoctorService(t *testing.T) {
	otherSecret := client.NewSecret(base64.StdEncoding.EncodeToString([]byte("another secret, 32 bytes of it..")))
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "<html>Welcome to the hotel network</html>")
	}))
	t.Cleanup(page.Close)
	nothing := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(nothing.Close)
	unsure := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(unsure.Close)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // whose connections nobody accepts
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })

	for _, c := range []struct {
		name   string
		opts   sandbox.Options
		faults sandbox.Faults
		change func(*jobs.Doctor)
		want   string
		says   []string
		class  func(error) bool
	}{
		{name: "all fine", want: "ooooooooo", says: []string{"has the MAPPER role", "plain http to this machine", "UID2_API_KEY and UID2_SECRET_KEY are set"}, class: isNil},
		{name: "EUID", opts: sandbox.Options{EUID: true}, change: func(d *jobs.Doctor) { d.Service = uid2.EUID }, want: "ooooooooo", says: []string{"EUID_API_KEY"}, class: isNil},
		{name: "no key", change: func(d *jobs.Doctor) { d.APIKey = client.Secret{} }, want: "fsoooosss", says: []string{"UID2_API_KEY not set; set it in the environment, or name a file that holds it by UID2_API_KEY_FILE", `because "credentials" failed`}, class: isRefused},
		{name: "no credentials", change: func(d *jobs.Doctor) { d.APIKey, d.ClientSecret = client.Secret{}, client.Secret{} }, want: "fsoooosss", says: []string{"UID2_API_KEY and UID2_SECRET_KEY not set"}, class: isRefused},
		{name: "credentials not read", change: func(d *jobs.Doctor) { d.Unread = fs.ErrNotExist }, want: "fsoooosss", class: func(err error) bool { return errors.Is(err, fs.ErrNotExist) }},
		{name: "key with a line end", change: func(d *jobs.Doctor) { d.APIKey = client.NewSecret("a key\n") }, want: "ofoooosss", says: []string{"white space"}, class: isRefused},
		{name: "secret too short", change: func(d *jobs.Doctor) { d.ClientSecret = client.NewSecret("c2hvcnQ=") }, want: "ofoooosss", says: []string{"5 bytes in base64; want 32"}, class: isRefused},
		{name: "unknown key", change: func(d *jobs.Doctor) { d.APIKey = client.NewSecret("UID2-C-T-nobody") }, want: "oooooofss", says: []string{"the API key is unknown"}, class: isRefused},
		{name: "without the role", opts: sandbox.Options{Roles: []string{"GENERATOR"}}, want: "oooooofss", says: []string{"lacks the MAPPER role"}, class: isRefused},
		{name: "wrong secret", change: func(d *jobs.Doctor) { d.ClientSecret = otherSecret }, want: "oooooofss", says: []string{"the client secret does not belong to this API key"}, class: isRefused},
		{name: "clock a little off", faults: sandbox.Faults{Skew: -15 * time.Second}, want: "ooooowooo", says: []string{"s, ahead"}, class: isNil},
		{name: "clock off", faults: sandbox.Faults{Skew: 45 * time.Second}, want: "ooooofooo", says: []string{"off by 45 s, behind"}, class: isRefused},
		{name: "clock far off", faults: sandbox.Faults{Skew: -time.Hour}, want: "oooooffss", says: []string{"off by 3600 s, ahead", "Request too old"}, class: isRefused},
		{name: "version in the base URL", change: func(d *jobs.Doctor) { d.BaseURL += "/v2/" }, want: "oowoooooo", says: []string{`the "/v2/" at its end`}, class: isNil},
		{name: "http to elsewhere", change: func(d *jobs.Doctor) { d.BaseURL = "http://operator.invalid" }, want: "oofssssss", says: []string{"plain http"}, class: isUsage},
		{name: "of the other service", change: func(d *jobs.Doctor) { d.BaseURL = "https://prod.euid.eu" }, want: "oofssssss", says: []string{"euid-prod"}, class: isUsage},
		{name: "no such host", change: func(d *jobs.Doctor) { d.BaseURL = "https://operator.invalid" }, want: "ooofsssss", says: []string{"operator.invalid has no address"}, class: isUnreachable},
		{name: "port closed", change: func(d *jobs.Doctor) { d.BaseURL = "http://" + closed.Addr().String() }, want: "oooofssss", says: []string{"connection refused"}, class: isUnreachable},
		{name: "silence", change: func(d *jobs.Doctor) { d.BaseURL = "http://" + silent.Addr().String() }, want: "oooofssss", says: []string{"connected to 127.0.0.1:", "but no reply within 5 s"}, class: isUnreachable},
		{name: "unknown authority", change: func(d *jobs.Doctor) { d.BaseURL = unsure.URL }, want: "oooofssss", says: []string{"unknown authority", "SSL_CERT_FILE"}, class: isUnreachable},
		{name: "no TLS", change: func(d *jobs.Doctor) { d.BaseURL = strings.Replace(nothing.URL, "http:", "https:", 1) }, want: "oooofssss", says: []string{"nobody speaks TLS there"}, class: isUnreachable},
		{name: "404", change: func(d *jobs.Doctor) { d.BaseURL = nothing.URL }, want: "oooooofss", says: []string{"HTTP 404", "base URL is probably wrong"}, class: isRefused},
		{name: "a page", change: func(d *jobs.Doctor) { d.BaseURL = page.URL }, want: "oooooofss", says: []string{"not those of the service"}, class: isBroken},
		{name: "500 forever", faults: sandbox.Faults{Outage: true}, want: "oooooofss", says: []string{"lastly HTTP 500", "status page"}, class: isUnreachable},
		{name: "429 forever", faults: sandbox.Faults{Rules: []sandbox.Fault{{Do: sandbox.Fail, Status: 429, RetryAfter: time.Hour}}}, want: "oooooofss", says: []string{"HTTP 429, as often"}, class: isUnreachable},
		{name: "503 once", faults: sandbox.Faults{Rules: []sandbox.Fault{{Do: sandbox.Fail, Status: 503, First: 1}}}, want: "oooooowoo", says: []string{"1 requests failed before, lastly with HTTP 503"}, class: isNil},
		{name: "never answers", faults: sandbox.Faults{Rules: []sandbox.Fault{{Delay: time.Hour}}}, want: "oooooofss", says: []string{"no whole reply within 6s"}, class: isUnreachable},
		{name: "no raw UID", faults: sandbox.Faults{Words: wordsFor("validate@example.com", "broken")}, want: "ooooooofo", says: []string{"test email that always has a raw UID is not answered"}, class: isBroken},
		{name: "private operator without opt-outs", faults: sandbox.Faults{Words: wordsFor("optout@example.com", "broken")}, want: "oooooooow", says: []string{"always opted out is not answered"}, class: isNil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // most of it is waiting
			s, url := operator(t, c.opts)
			s.SetFaults(c.faults)
			d := jobs.Doctor{BaseURL: url, APIKey: client.NewSecret(s.APIKey()), ClientSecret: client.NewSecret(s.ClientSecret())}
			if c.change != nil {
				c.change(&d)
			}
			found := diagnose(t, d)
			if got := states(found); got != c.want {
				t.Errorf("the states are %s, want %s", got, c.want)
			}
			for _, text := range c.says {
				if !strings.Contains(found.String(), text) {
					t.Errorf("it does not say %q", text)
				}
			}
			if !c.class(found.Err()) {
				t.Errorf("the error is %v", found.Err())
			}
			if t.Failed() {
				t.Logf("\n%s", found)
			}
		})
	}
}

const serviceChecks = 9 // which come first

// doctorAt returns a doctor whom only the storage can worry.
func doctorAt(t *testing.T, out string) jobs.Doctor {
	s, url := operator(t, sandbox.Options{})
	return jobs.Doctor{BaseURL: url, APIKey: client.NewSecret(s.APIKey()), ClientSecret: client.NewSecret(s.ClientSecret()), Out: out}
}

// checkStorage examines a storage. The checks: storage, table, write, create-if-absent, delete.
func checkStorage(t *testing.T, d jobs.Doctor, want string, says ...string) error {
	t.Helper()
	found := diagnose(t, d)
	if got := states(found)[serviceChecks:]; got != want {
		t.Errorf("the states are %s, want %s\n%s", got, want, found)
	}
	for _, text := range says {
		if !strings.Contains(found.String(), text) {
			t.Errorf("it does not say %q\n%s", text, found)
		}
	}
	return found.Err()
}

// TestDoctorEveryStorage examines each storage before there is a table and when there is one, and looks for traces.
func TestDoctorEveryStorage(t *testing.T) {
	for name, open := range storages {
		t.Run(name, func(t *testing.T) {
			d := doctorAt(t, open(t).URI+"/ids")
			if err := checkStorage(t, d, "ooooo", "holds no table yet", "the first run makes it one of uid2, environment 127.0.0.1"); err != nil {
				t.Error(err)
			}
			store := new(objects.Store)
			defer store.Close()
			b, err := store.Bucket(t.Context(), d.Out)
			if err != nil {
				t.Fatal(err)
			}
			there, err := table.Open(t.Context(), store, d.Out)
			if err != nil {
				t.Fatal(err)
			}
			if err := there.Claim(t.Context(), "uid2", "127.0.0.1"); err != nil {
				t.Fatal(err)
			}
			if err := checkStorage(t, d, "ooooo", "it is one of uid2, environment 127.0.0.1"); err != nil {
				t.Error(err)
			}
			keys, err := b.List(t.Context(), "")
			if err != nil || len(keys) != 1 {
				t.Errorf("there are %q, %v", keys, err)
			}
			d.Environment = "uid2-prod"
			if err := checkStorage(t, d, "ofsss", " the table belongs to another service or environment: it holds UIDs of uid2, environment 127.0.0.1"); !errors.Is(err, table.ErrOtherTable) {
				t.Error(err)
			}
		})
	}
}

// TestDoctorLeavesNoFile looks where List does not: at hidden files.
func TestDoctorLeavesNoFile(t *testing.T) {
	place := t.TempDir()
	if err := checkStorage(t, doctorAt(t, filepath.Join(place, "new", "ids")), "ooooo"); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(place); err != nil || len(left) > 0 {
		t.Errorf("there are %v, %v", left, err)
	}
	runs := filepath.Join(place, "_runs") // which is somebody else's, and stays
	if err := os.Mkdir(runs, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := checkStorage(t, doctorAt(t, place), "ooooo"); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(runs); err != nil || len(left) > 0 {
		t.Errorf("there are %v, %v", left, err)
	}
}

func TestDoctorReadOnlyFolder(t *testing.T) {
	out := t.TempDir()
	if err := os.Chmod(out, 0o500); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 { // whom permissions do not keep out, but nobody makes a folder there
		out = "/sys"
	}
	err := checkStorage(t, doctorAt(t, out), "oofss", "let this user read and write there")
	var denied *objects.Error
	if !errors.As(err, &denied) || !errors.Is(denied, fs.ErrPermission) {
		t.Error(err)
	}
}

func TestDoctorDeniedStorage(t *testing.T) {
	target := objectstest.S3(t)
	target.Proxy.Refuse(-1, objectstest.IsWrite, http.StatusForbidden)
	err := checkStorage(t, doctorAt(t, target.URI), "oofss", "access is denied")
	var denied *objects.Error
	if !errors.As(err, &denied) || !errors.Is(denied, fs.ErrPermission) {
		t.Error(err)
	}
}

func TestDoctorMayNotDelete(t *testing.T) {
	target := objectstest.S3(t)
	target.Proxy.Refuse(-1, func(r *http.Request) bool { return r.Method == http.MethodDelete }, http.StatusForbidden)
	if err := checkStorage(t, doctorAt(t, target.URI), "oooow", "delete this object by hand"); err != nil {
		t.Error(err)
	}
}

// TestDoctorStorageThatReplaces takes the condition out of all writes.
func TestDoctorStorageThatReplaces(t *testing.T) {
	target := objectstest.S3(t)
	to, err := url.Parse(os.Getenv("AWS_ENDPOINT_URL"))
	if err != nil {
		t.Fatal(err)
	}
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Header.Del("If-None-Match")
	}}
	careless := httptest.NewServer(forward)
	t.Cleanup(careless.Close)
	t.Setenv("AWS_ENDPOINT_URL", careless.URL)
	err = checkStorage(t, doctorAt(t, target.URI), "ooofo", "the storage replaced an object")
	var cloud *objects.Error
	if err == nil || errors.As(err, &cloud) {
		t.Error(err)
	}
}

func TestDoctorStorageOutOfReach(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	target := objectstest.S3(t)
	t.Setenv("AWS_ENDPOINT_URL", "http://"+silent.Addr().String())
	d := doctorAt(t, target.URI)
	d.Store = &objects.Store{GiveUpAfter: time.Second}
	defer d.Store.Close()
	if err := checkStorage(t, d, "fssss", "out of reach"); !errors.Is(err, objects.ErrUnavailable) {
		t.Error(err)
	}
}

func TestDoctorStorageOfNoKind(t *testing.T) {
	err := checkStorage(t, doctorAt(t, "ftp://ids/uid2"), "fssss", "gs://, s3:// or azblob://")
	var usage *jobs.UsageError
	if !errors.As(err, &usage) {
		t.Error(err)
	}
}

func TestDoctorInterrupted(t *testing.T) {
	d := doctorAt(t, t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Examine(ctx).Err(); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
