package jobs_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"mapper/client"
	"mapper/client/objects"
	"mapper/client/sandbox"
	"mapper/jobs"
)

// A whole job: a file goes in, a committed table comes out, and the table is checked.
func ExampleMap() {
	ctx := context.Background()
	operator, err := sandbox.New(sandbox.Options{}) // stands for the service
	if err != nil {
		panic(err)
	}
	url, stop, err := operator.Start("")
	if err != nil {
		panic(err)
	}
	defer func() { _ = stop(ctx) }()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	input := filepath.Join(dir, "customers.csv")
	if err := os.WriteFile(input, []byte("id,email\n1,jane@example.com\n2,optout@example.com\n3,nobody\n"), 0o600); err != nil {
		panic(err)
	}

	job := jobs.Map{
		BaseURL:      url,
		APIKey:       client.NewSecret(operator.APIKey()),
		ClientSecret: client.NewSecret(operator.ClientSecret()),
		Inputs:       []string{input},
		Columns:      jobs.Columns{ID: "id"},
		Out:          filepath.Join(dir, "ids"),
	}
	summary, err := job.Run(ctx)
	if err != nil {
		panic(err)
	}
	fmt.Println(summary.Status, summary.Counts.Mapped, summary.Counts.Unmapped)

	found, err := jobs.Verify(ctx, new(objects.Store), job.Out)
	fmt.Println(found, err)
	// Output:
	// committed 1 map[INVALID_IDENTIFIER:1 OPTOUT:1]
	// 1 runs, 3 parts, 4 rows recounted: 0 damaged <nil>
}

// What a job needs is looked at first. Here the key may not map.
func ExampleDoctor() {
	ctx := context.Background()
	operator, err := sandbox.New(sandbox.Options{Roles: []string{"GENERATOR"}})
	if err != nil {
		panic(err)
	}
	url, stop, err := operator.Start("")
	if err != nil {
		panic(err)
	}
	defer func() { _ = stop(ctx) }()

	found := jobs.Doctor{
		BaseURL:      url,
		APIKey:       client.NewSecret(operator.APIKey()),
		ClientSecret: client.NewSecret(operator.ClientSecret()),
	}.Examine(ctx)
	for _, c := range found.Checks {
		if c.State == jobs.StateFail {
			fmt.Println(c.Name+":", strings.Replace(c.Remedy, url[len("http://"):], "HOST", 1))
		}
	}
	// Output:
	// identity/map: the API key is unknown, or lacks the MAPPER role, or belongs to another environment than HOST
}

// A job that is written in a file.
func ExampleReadFile() {
	file, err := jobs.ReadFile("examples/nightly.yaml", jobs.FileOptions{
		Set: []string{"max_in_flight=10"},
		Env: func(name string) (string, bool) {
			value, ok := map[string]string{"EXPORT": "gs://crm/export/2026-11-21", "TABLE": "gs://ids/uid2"}[name]
			return value, ok
		},
	})
	if err != nil {
		panic(err)
	}
	job := file.Map() // to be given credentials, and run
	fmt.Println(job.Inputs, job.Columns.Email, job.MaxInFlight, job.Out)
	// Output: [gs://crm/export/2026-11-21/*.csv] [email alt_email] 10 gs://ids/uid2
}
