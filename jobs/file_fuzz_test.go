package jobs

import (
	"errors"
	"strings"
	"testing"
)

// FuzzFile: whatever stands in a job file, reading it ends with a job or with an error that names the file and does
// not show what variables hold.
func FuzzFile(f *testing.F) {
	for _, text := range []string{
		"kind: map\ninput: [a, b]\nout: ids\ncolumns: {id: x, email: [y]}\nmax_batch: 3\napi_key: ${A}",
		"kind: map\nsecret_key: |\n  ${A}\nrun_id: /${A}\nphone_region: ${A}\nmemory: ${A}",
		"\ufeffkind: map\r\ninput: ${A}\r\nout: '$${${A}'\r\nencoding: x${A}\r\n",
		"? ${A}\n: b\n<<: *x\n--- &y !!str\napi_key: '",
		"%YAML 9.9\n---\nrun_id: !x ${A}\ncolumns: ${A}",
		"kind: map\ninput: a\nout: b\ndelimiter: ${A}\nquote: ${A}\nmax_batch: ${A}\nmax_invalid: ${A}",
	} {
		f.Add(text)
	}
	const secret = "hunter2-hunter2"
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "${file:") || strings.Contains(text, secret) {
			return
		}
		d := newDecoder("job.yaml", FileOptions{Env: func(string) (string, bool) { return secret, true }}.withDefaults())
		err := d.decode([]byte(text))
		if err == nil {
			err = d.check()
		}
		var usage *UsageError
		switch {
		case err == nil:
		case !errors.As(err, &usage) || !strings.HasPrefix(err.Error(), "job.yaml:"):
			t.Errorf("an error that does not name the file: %v", err)
		case strings.Contains(err.Error(), secret):
			t.Errorf("the error shows what a variable holds: %v", err)
		}
	})
}
