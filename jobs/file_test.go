package jobs_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"mapper/client"
	"mapper/client/sandbox"
	"mapper/client/uid2"
	"mapper/jobs"
	"mapper/normalize"
	"mapper/sinks"
	"mapper/sources"
)

// variables are the environment of the tests here. TOKEN stands for what must never be shown.
var variables = map[string]string{
	"TOKEN": "hunter2-hunter2", "OUT": "ids", "N": "7", "YES": "true", "EMPTY": "", "NESTED": "${TOKEN}",
}

func lookUp(name string) (string, bool) {
	value, ok := variables[name]
	return value, ok
}

// read writes a job file and reads it. Errors and log lines name it job.yaml.
func read(t *testing.T, text string, set ...string) (file *jobs.File, logged string, err error) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, data := range map[string]string{"job.yaml": text, "secret": " s3cr3t-s3cr3t\n"} {
		if err := os.WriteFile(name, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var log bytes.Buffer
	file, err = jobs.ReadFile("job.yaml", jobs.FileOptions{Set: set, Env: lookUp, Log: slog.New(slog.NewTextHandler(&log, nil))})
	return file, log.String(), err
}

const least = "kind: map\ninput: in.csv\nout: ids\n" // three lines

func TestFileSaysEverything(t *testing.T) {
	file, logged, err := read(t, `
kind: map
service: euid
base_url: http://localhost:1
environment: here
api_key: ${TOKEN}
secret_key: ${file:secret}
input: [a.csv, "b.csv"]
columns: {id: key, email: [email, mail], phone: mobile, email_hash: eh, phone_hash: [ph], phone_region_column: cc, keep: [x, "1"]}
allow_raw: true
phone_region: "NO"
format: csv
encoding: windows-1252
delimiter: ;
quote: none
no_header: false
hygiene: off
max_invalid: 0.25
allow_empty: true
limit: 10
max_batch: 1_000
max_in_flight: ${N}
max_rps: 12
give_up_after: 720h
max_poison: 0
out: to/$${this}/${OUT}
compression: zstd
part_rows: 5
part_bytes: 10MB
part_interval: 60s
memory: 192MB
run_id: r1
fresh: ${YES}
`)
	if err != nil {
		t.Fatal(err)
	}
	got := file.Map()
	if key, secret := got.APIKey.Reveal(), got.ClientSecret.Reveal(); key != variables["TOKEN"] || secret != "s3cr3t-s3cr3t" {
		t.Errorf("credentials %q and %q", key, secret)
	}
	share, region := 0.25, normalize.Region{}
	if err := region.UnmarshalText([]byte("NO")); err != nil {
		t.Fatal(err)
	}
	want := jobs.Map{
		Service: uid2.EUID, BaseURL: "http://localhost:1", Environment: "here", APIKey: got.APIKey, ClientSecret: got.ClientSecret,
		APIKeyName: "job.yaml:6: api_key", ClientSecretName: "job.yaml:7: secret_key",
		Inputs: []string{"a.csv", "b.csv"}, Format: sources.CSV, Encoding: "windows-1252", Delimiter: ";", Quote: "none",
		Columns: jobs.Columns{ID: "key", Email: []string{"email", "mail"}, Phone: []string{"mobile"}, EmailHash: []string{"eh"},
			PhoneHash: []string{"ph"}, PhoneRegionColumn: "cc", Keep: []string{"x", "1"}, AllowRaw: true},
		PhoneRegion: region, Hygiene: jobs.HygieneOff, Out: "to/${this}/ids", Compression: sinks.CompressionZstd,
		PartRows: 5, PartBytes: 10_000_000, PartInterval: time.Minute, MaxBatch: 1000, MaxInFlight: 7, MaxRPS: 12,
		GiveUpAfter: 720 * time.Hour, MaxPoison: -1, Memory: 192_000_000, MaxInvalid: &share, AllowEmpty: true, Limit: 10, RunID: "r1", Fresh: true,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if logged != "" {
		t.Errorf("logged %s", logged)
	}
}

// TestFileReachesEveryField: whatever a job can be told, a file can tell it.
func TestFileReachesEveryField(t *testing.T) {
	share, none := 0.5, 0
	f := jobs.File{MaxInvalid: &share, MaxRemoved: &share, MaxPoison: &none}
	fill(t, reflect.ValueOf(&f).Elem())
	f.Service = "euid"
	surroundings := " Stdin Store Version Log Monitor Now "
	for _, job := range []any{f.Map(), f.Remap(), f.Signals()} {
		all := reflect.ValueOf(job)
		for i := range all.NumField() {
			name := all.Type().Field(i).Name
			if all.Field(i).IsZero() != strings.Contains(surroundings, " "+name+" ") {
				t.Errorf("field %s of %T: no setting of a file reaches it, or it is no surrounding", name, job)
			}
		}
	}
	if as := reflect.ValueOf(f.Signals().ID5); as.Field(0).IsZero() || as.Field(1).IsZero() || as.Field(2).IsZero() {
		t.Errorf("%+v: no setting of a file reaches a field", as)
	}
}

// fill makes every field of a struct something else than zero.
func fill(t *testing.T, of reflect.Value) {
	t.Helper()
	for i := range of.NumField() {
		switch f := of.Field(i); f.Kind() {
		case reflect.String:
			f.SetString("x")
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Int, reflect.Int64:
			f.SetInt(1)
		case reflect.Uint8:
			f.SetUint(1)
		case reflect.Float64:
			f.SetFloat(1)
		case reflect.Slice:
			f.Set(reflect.MakeSlice(f.Type(), 1, 1))
		case reflect.Struct:
			switch p := f.Addr().Interface().(type) {
			case *normalize.Region:
				if err := p.UnmarshalText([]byte("DE")); err != nil {
					t.Fatal(err)
				}
			case *time.Time:
				*p = time.Unix(1, 0)
			case *jobs.FileColumns, *jobs.Shard:
				fill(t, f)
			default: // a credential
				f.Set(reflect.ValueOf(client.NewSecret("x")))
			}
		}
	}
}

func TestSet(t *testing.T) {
	file, _, err := read(t, least+"columns: {id: key}\nmax_batch: 10\n", `columns.email=a,"b,c"`, "out=to", "max_batch=20", "incremental=", "fresh=true")
	if err == nil {
		t.Fatalf("an unknown key passes: %+v", file)
	}
	file, _, err = read(t, least+"columns: {id: key, email: [x, y]}\nmax_batch: 10\n", `columns.email=a,"b,c"`, "out=to=here", "max_batch=20", "fresh=true", "input=x.csv", "memory=64MB", "max_batch=30")
	if err != nil {
		t.Fatal(err)
	}
	got := file.Map()
	want := jobs.Map{Inputs: []string{"x.csv"}, Out: "to=here", MaxBatch: 30, Fresh: true, Memory: 64_000_000,
		Columns: jobs.Columns{ID: "key", Email: []string{"a", "b,c"}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if file, _, err = read(t, "kind: map\ninput: in.csv\n", "out=${TOKEN}"); err != nil || file.Out != "${TOKEN}" {
		t.Errorf("%v: values of --set are taken as they are, and the shell expands them; got %+v", err, file)
	}
}

func TestFileErrors(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		set  []string
		want string
	}{
		"unknown key":             {least + "\n\n\nmax_inflight: 3", nil, `job.yaml:7: unknown key "max_inflight"; did you mean "max_in_flight"?`},
		"a flag":                  {least + "max-in-flight: 3", nil, `job.yaml:4: unknown key "max-in-flight"; did you mean "max_in_flight"?`},
		"column above":            {least + "email: mail", nil, `job.yaml:4: unknown key "email"; did you mean "columns.email"?`},
		"unknown column":          {least + "columns:\n  id: a\n  emial: mail", nil, `job.yaml:6: unknown key "columns.emial"; did you mean "columns.email"?`},
		"setting among columns":   {least + "columns: {phone_region: DE}", nil, `job.yaml:4: unknown key "columns.phone_region"; did you mean "phone_region"?`},
		"twice":                   {least + "out: ids", nil, `job.yaml:4: key "out" is here again, after job.yaml:3`},
		"columns twice":           {least + "columns: {id: a}\ncolumns: {id: a}", nil, `job.yaml:5: key "columns" is here again, after job.yaml:4`},
		"text for number":         {least + "max_in_flight: many", nil, `job.yaml:4: max_in_flight: text where a whole number belongs`},
		"quoted number":           {least + `max_in_flight: "20"`, nil, `job.yaml:4: max_in_flight: text where a whole number belongs`},
		"share for number":        {least + "max_batch: 0.5", nil, `job.yaml:4: max_batch: a number where a whole number belongs`},
		"number for text":         {least + "run_id: 20261122", nil, `job.yaml:4: run_id: a whole number where text belongs; put it in quotes`},
		"number for column":       {least + "columns: {email: [a, 2]}", nil, `job.yaml:4: columns.email: a whole number where text belongs; put it in quotes`},
		"text for truth":          {least + "fresh: yes", nil, `job.yaml:4: fresh: text where true or false belongs`},
		"number for duration":     {least + "part_interval: 60", nil, `job.yaml:4: part_interval: a whole number without a unit; write 60s, 60m or 60h`},
		"fraction for duration":   {least + "give_up_after: 1.5", nil, `job.yaml:4: give_up_after: a number without a unit; write 1.5s, 1.5m or 1.5h`},
		"unknown and like none":   {least + "json: true", nil, `job.yaml:4: unknown key "json"; the keys are the flags of mapper map, with _ for -`},
		"set like none":           {least, []string{"foo=1"}, `--set: unknown key "foo"; the keys are the flags of mapper map, with _ for -`},
		"misspelled column above": {least + "emial: mail", nil, `job.yaml:4: unknown key "emial"; did you mean "columns.email"?`},
		"flag in the advice":      {least, []string{"shard=0/2"}, `--set: shard "0/2": the shards of a run find each other by its name; give all of them the same run_id`},
		"list for text":           {least + "run_id: [a]", nil, `job.yaml:4: run_id: a list where one value belongs`},
		"list in list":            {least + "columns: {email: [[a]]}", nil, `job.yaml:4: columns.email: a list where a value belongs`},
		"mapping for text":        {least + "run_id: {a: b}", nil, `job.yaml:4: run_id: keys with values where a value belongs`},
		"text for columns":        {least + "columns: email", nil, `job.yaml:4: columns: text where keys with names of columns belong, such as {id: customer_id, email: email}`},
		"nothing":                 {least + "run_id:", nil, `job.yaml:4: run_id: nothing where a value belongs`},
		"empty":                   {least + `run_id: ""`, nil, `job.yaml:4: run_id is empty; leave it out`},
		"empty list":              {"kind: map\nout: ids\ninput: []", nil, `job.yaml:3: input: the list is empty; leave it out`},
		"empty delimiter":         {least + `delimiter: ""`, nil, `job.yaml:4: delimiter is empty; leave it out to have it found`},
		"alias":                   {least + "run_id: &a b\nenvironment: *a", nil, `job.yaml:4: run_id: an anchor, alias or tag where a value belongs`},
		"key that is none":        {least + "1: b", nil, `job.yaml:4: this is no key; keys are words, such as input`},
		"zero":                    {least + "max_batch: 0", nil, `job.yaml:4: max_batch 0: leave it out to have its default`},
		"zero duration":           {least + "part_interval: 0m", nil, `job.yaml:4: part_interval 0: leave it out to have its default`},
		"too many":                {least + "limit: 1\nmax_batch: 6000", nil, `job.yaml:5: max_batch 6000: a request takes 1 to 5000 identities`},
		"negative":                {least + "limit: -1", nil, `job.yaml:4: limit -1: it cannot be negative`},
		"too large":               {least + "limit: 9223372036854775808", nil, `job.yaml:4: limit "9223372036854775808" is no whole number that fits`},
		"no share":                {least + "max_invalid: 2", nil, `job.yaml:4: max_invalid 2 is a share, from 0 to 1`},
		"service":                 {least + "service: uid3", nil, `job.yaml:4: service "uid3" is none of uid2, euid, id5`},
		"format":                  {least + "format: xls", nil, `job.yaml:4: format "xls" is none of auto, csv, tsv, ndjson, parquet, arrow, text`},
		"hygiene":                 {least + "hygiene: maybe", nil, `job.yaml:4: hygiene "maybe" is neither on nor off`},
		"compression":             {least + "compression: gzip", nil, `job.yaml:4: compression "gzip" is none of none, snappy, zstd`},
		"size":                    {least + "memory: lots", nil, `job.yaml:4: memory "lots" is no size; write a number with KB, MB or GB`},
		"little memory":           {least + "memory: 1MB", nil, `job.yaml:4: memory 1.0 MB is too little; the least is 32 MB`},
		"duration":                {least + "give_up_after: soon", nil, `job.yaml:4: give_up_after "soon" is no duration; write a number with s, m or h, such as 60s or 720h`},
		"region":                  {least + "phone_region: XX", nil, `job.yaml:4: phone_region "XX" is no country with telephone numbers of its own; write its two letters, for example DE`},
		"run id":                  {least + "run_id: a/b", nil, `job.yaml:4: run_id "a/b" is no run id; it is letters, digits, '.', '_' and '-', up to 63, and begins with a letter or digit`},
		"encoding":                {least + "fresh: true\nencoding: ebcdic", nil, `job.yaml:5: encoding "ebcdic" is none of auto, utf-8, utf-16, utf-16le, utf-16be, windows-1252, iso-8859-1`},
		"header of parquet":       {least + "no_header: true\nformat: parquet", nil, `job.yaml:4: format parquet has no header line; leave no_header out`},
		"delimiter is the quote":  {least + "quote: x\ndelimiter: x", nil, `job.yaml:5: delimiter and quote are both "x"; give another delimiter, another quote, or the quote none`},
		"no kind":                 {"input: a\nout: b", nil, `job.yaml: no kind; write kind: map`},
		"no input":                {"kind: map\nout: b", nil, `job.yaml: no input; name files, folders, globs or URLs, or - for standard input`},
		"no out":                  {"kind: map\ninput: b", nil, `job.yaml: no out; name the folder or URL of the table to write into`},
		"columns of a kind":       {"out: b\nkind: signals\ncolumns: {phone: p}", nil, `job.yaml:3: key "columns.phone" is for jobs of kind map, and this one is of kind signals`},
		"key of another kind":     {"out: b\nfrom: ids\nkind: remap", nil, `job.yaml:1: key "out" is for jobs of kind map and signals, and this one is of kind remap`},
		"no from":                 {"kind: remap", nil, `job.yaml: no from; name the folder or URL of the table to map again`},
		"no time":                 {"kind: remap\nfrom: ids\nas_of: tomorrow", nil, `job.yaml:3: as_of "tomorrow" is no time; write 2026-11-22T06:00:00Z, or 2026-11-22 for the beginning of that day in UTC`},
		"kind":                    {"out: b\nkind: mop", nil, `job.yaml:2: kind "mop" is none of map, remap, signals`},
		"no YAML":                 {"kind: map\nout: [a", nil, `job.yaml:2: sequence end token ']' not found`},
		"empty file":              {"# nothing\n", nil, `job.yaml: the job file is empty; it begins with kind: map`},
		"list":                    {"- kind: map", nil, `job.yaml: a job file is keys with values, beginning with kind: map`},
		"two documents":           {least + "---\n" + least, nil, `job.yaml: there is more than one document in the job file; write one file for each job`},
		"unset variable":          {least + "run_id: a-${NOWHERE}", nil, `job.yaml:4: run_id: ${NOWHERE} is not set`},
		"unreadable file":         {least + "run_id: ${file:no/where}", nil, `job.yaml:4: run_id: ${file:no/where} cannot be read: no such file or directory`},
		"unclosed":                {least + "run_id: ${NOWHERE", nil, `job.yaml:4: run_id: "${" begins no ${VAR} and no ${file:/path}; write $${ for a literal ${`},
		"no name":                 {least + "run_id: ${a b}", nil, `job.yaml:4: run_id: "${" begins no ${VAR} and no ${file:/path}; write $${ for a literal ${`},
		"empty variable":          {least + "run_id: ${EMPTY}", nil, `job.yaml:4: run_id is empty; leave it out`},
		"variable of wrong type":  {least + "fresh: ${OUT}", nil, `job.yaml:4: fresh "${OUT}" is neither true nor false`},
		"set without value":       {least, []string{"out"}, `--set is key=value, such as --set out=ids/uid2`},
		"set unknown":             {least, []string{"colums.email=a"}, `--set: unknown key "colums.email"; did you mean "columns.email"?`},
		"set columns":             {least, []string{"columns=a"}, `--set: columns is not one value; set columns.email and others one by one`},
		"set type":                {least, []string{"max_batch=x"}, `--set: max_batch "x" is no whole number that fits`},
		"set impossible":          {least + "max_batch: 3", []string{"max_batch=6000"}, `--set: max_batch 6000: a request takes 1 to 5000 identities`},
		"set empty":               {least, []string{"out="}, `--set: out is empty; leave it out`},
		"set list":                {least, []string{`columns.email="a`}, `--set: columns.email: the quotes in the list do not match; write a,b and quote only what has a comma in it`},
		"set credential":          {least, []string{"secret_key=hunter2-hunter2"}, `--set: secret_key is not taken from the command line, which others can see; write ${VAR} or ${file:/path} into the job file, or leave it out to have it from the environment`},
		"credential is a number":  {least + "api_key: 4815162342", nil, `job.yaml:4: api_key: a whole number where text belongs; put it in quotes`},
		"credential is a list":    {least + "api_key: [hunter2-hunter2]", nil, `job.yaml:4: api_key: a list where one value belongs`},
		"credential unset":        {least + "api_key: ${NOWHERE}", nil, `job.yaml:4: api_key: ${NOWHERE} is not set`},
		"credential like a name":  {least + "api_key: ab${NOWHERE}cd", nil, `job.yaml:4: api_key: a ${...} in it cannot be expanded; write $${ for a literal ${`},
		"credential elsewhere":    {least + "service: ${TOKEN}", nil, `job.yaml:4: service "${TOKEN}" is none of uid2, euid, id5`},
		"credential as a run id":  {least + "run_id: /${TOKEN}", nil, `job.yaml:4: run_id "/${TOKEN}" is no run id; it is letters, digits, '.', '_' and '-', up to 63, and begins with a letter or digit`},
		"credential as encoding":  {least + "encoding: ${TOKEN}", nil, `job.yaml:4: encoding "${TOKEN}" is none of auto, utf-8, utf-16, utf-16le, utf-16be, windows-1252, iso-8859-1`},
		"credential never closed": {least + "fresh: true\napi_key: \"hunter2-hunter2\n", nil, `job.yaml:5: could not find end character of double-quoted text`},
		"credential out of line":  {least + "api_key: hunter2-hunter2: x", nil, `job.yaml:4: mapping value is not allowed in this context`},
	} {
		t.Run(name, func(t *testing.T) {
			file, _, err := read(t, c.text, c.set...)
			var usage *jobs.UsageError
			if err == nil || err.Error() != c.want || !errors.As(err, &usage) {
				t.Errorf("got  %v\nwant %s (file %+v)", err, c.want, file)
			}
		})
	}
}

// TestCredentialsInTheFile: they work and are warned about, and nothing shows them.
func TestCredentialsInTheFile(t *testing.T) {
	file, logged, err := read(t, least+"api_key: hunter2-hunter2\nsecret_key: ${NESTED}")
	if err != nil {
		t.Fatal(err)
	}
	if file.APIKey.Reveal() != "hunter2-hunter2" || file.SecretKey.Reveal() != "${TOKEN}" {
		t.Error("other credentials than those of the file; what a variable holds is not expanded again")
	}
	if !strings.Contains(logged, "job.yaml:4: api_key stands in the file as it is; write ${VAR} or ${file:/path}") || strings.Count(logged, "\n") != 1 {
		t.Errorf("logged %s", logged)
	}
	if strings.Contains(logged, "hunter2") {
		t.Errorf("the log shows a credential: %s", logged)
	}
}

// TestFileOfWindows: a byte order mark and CRLF are no part of keys and values, and lines are counted all the same.
func TestFileOfWindows(t *testing.T) {
	text := "\ufeff" + strings.ReplaceAll(least, "\n", "\r\n")
	file, _, err := read(t, text)
	if err != nil || file.Kind != "map" || file.Out != "ids" {
		t.Errorf("%+v, %v", file, err)
	}
	if _, _, err = read(t, text+"max_inflight: 3\r\n"); err == nil || !strings.HasPrefix(err.Error(), "job.yaml:4: ") {
		t.Errorf("%v, which is in line 4", err)
	}
}

func TestFileIsMissing(t *testing.T) {
	_, err := jobs.ReadFile("no.yaml", jobs.FileOptions{})
	if want := "job file: open no.yaml: no such file or directory"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestExamples runs the job files that the project shows.
func TestExamples(t *testing.T) {
	examples, err := filepath.Abs("examples")
	if err != nil {
		t.Fatal(err)
	}
	export := "customer_id,email,alt_email,mobile,country\n1,jane@example.com,,(212) 555-0123,US\n2,joe@example.com,j@example.com,,US\n"
	archive := "email,phone\njane@example.com,+12125550123\njoe@example.com,\n"
	sets := map[string][]string{"backfill.yaml": {"out=elsewhere"}}
	for name, want := range map[string]int64{"nightly.yaml": 4, "backfill.yaml": 3} {
		t.Run(name, func(t *testing.T) {
			s, url := operator(t, sandbox.Options{})
			t.Chdir(t.TempDir())
			for name, text := range map[string]string{"export/people.csv": export, "archive/2025/people.csv": archive, "secrets/api_key": s.APIKey() + "\n", "secrets/secret_key": s.ClientSecret()} {
				if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			env := map[string]string{"EXPORT": "export", "TABLE": "elsewhere"}
			file, err := jobs.ReadFile(filepath.Join(examples, name), jobs.FileOptions{Set: sets[name], Env: func(name string) (string, bool) {
				value, ok := env[name]
				return value, ok
			}})
			if err != nil {
				t.Fatal(err)
			}
			job := file.Map()
			if job.BaseURL = url; job.APIKey.IsZero() { // the program takes them from the environment
				job.APIKey, job.ClientSecret = client.NewSecret(s.APIKey()), client.NewSecret(s.ClientSecret())
			}
			summary, err := job.Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if c := summary.Counts; c.Rows != 2 || c.Mapped != want || job.Out != "elsewhere" {
				t.Errorf("want %d mapped of 2 rows, in elsewhere: %v", want, summary)
			}
		})
	}
}
