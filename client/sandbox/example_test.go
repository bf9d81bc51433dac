package sandbox_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log"
	"net/http"
	"time"

	"mapper/client/sandbox"
	"mapper/normalize"
)

// What a sandbox has to answer to anybody who asks it for a person, now and in a year, and how to reach it.
func ExampleSandbox() {
	now := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	op, err := sandbox.New(sandbox.Options{Seed: "example", Now: func() time.Time { return now }})
	if err != nil {
		log.Fatal(err)
	}
	person := normalize.ID{Hash: sha256.Sum256([]byte("user@example.com")), Kind: normalize.KindEmail}
	e := op.Expect(person)
	fmt.Println(e.RawUID, "until", e.RefreshFrom.Format(time.DateOnly))
	now = now.AddDate(1, 0, 0)
	e = op.Expect(person)
	fmt.Println(e.RawUID, "until", e.RefreshFrom.Format(time.DateOnly))
	op.OptOut(person)
	fmt.Println("opted out:", op.Expect(person).OptedOut)

	baseURL, stop, err := op.Start("") // clients also need op.APIKey() and op.ClientSecret()
	if err != nil {
		log.Fatal(err)
	}
	reply, err := http.Get(baseURL + "/ops/healthcheck")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("health:", reply.Status, reply.Body.Close())
	http.DefaultClient.CloseIdleConnections()
	if err := stop(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output:
	// AHTMEOkNcqoOFNTtFNYOkWmhepglI559JtI5HNDITCtx until 2026-03-18
	// AIIdyXZrwhUp0afWjF0K8YPx/Enz59LKztObKdccGDGR until 2027-04-12
	// opted out: true
	// health: 200 OK <nil>
}

// An operator that throttles, loses one reply in ten and cannot bear one of its customers.
func ExampleSandbox_SetFaults() {
	op, err := sandbox.New(sandbox.Options{})
	if err != nil {
		log.Fatal(err)
	}
	op.SetFaults(sandbox.Faults{
		Limit: sandbox.Limit{PerSecond: 50, RetryAfter: 2 * time.Second},
		Rules: []sandbox.Fault{
			{Do: sandbox.Fail, Status: http.StatusServiceUnavailable, First: 3},
			{Do: sandbox.ResetMidway, Share: 0.1},
		},
		Poison: []normalize.ID{{Hash: sha256.Sum256([]byte("poison@example.com"))}},
	})
	fmt.Println(op.Stats().Requests, "requests so far")
	// Output: 0 requests so far
}
