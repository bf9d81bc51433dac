package uid2_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log"
	"time"

	"mapper/client"
	"mapper/client/sandbox"
	"mapper/client/uid2"
	"mapper/normalize"
)

// Maps three people with an operator in process. With a real one, leave BaseURL empty and take the credentials that
// its administrator gave out.
func ExampleClient_Map() {
	op, err := sandbox.New(sandbox.Options{Seed: "example"})
	if err != nil {
		log.Fatal(err)
	}
	baseURL, stop, err := op.Start("")
	if err != nil {
		log.Fatal(err)
	}
	c, err := uid2.New(uid2.Options{
		Service:      uid2.UID2,
		BaseURL:      baseURL,
		APIKey:       client.NewSecret(op.APIKey()),
		ClientSecret: client.NewSecret(op.ClientSecret()),
	})
	if err != nil {
		log.Fatal(err)
	}
	ids := []normalize.ID{
		{Kind: normalize.KindEmail, Hash: sha256.Sum256([]byte("validate@example.com"))},
		{Kind: normalize.KindEmail, Hash: sha256.Sum256([]byte("optout@example.com"))},
		{Kind: normalize.KindPhone, Hash: sha256.Sum256([]byte("+12345678901"))},
	}
	var answers client.Answers // reuse it for the next call
	if err := c.Map(context.Background(), ids, &answers); err != nil {
		log.Fatal(err)
	}
	for i, id := range ids {
		switch item := answers.Items[i]; item.Status {
		case client.Mapped:
			again := time.UnixMilli(item.RefreshFrom)
			fmt.Println(id.Kind, "has a raw UID of", len(answers.UID(i)), "characters; ask again later:", again.After(time.Now()))
		default:
			fmt.Printf("%s has none: %s\n", id.Kind, answers.Word(i))
		}
	}
	c.CloseIdleConnections()
	if err := stop(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output:
	// email has a raw UID of 44 characters; ask again later: true
	// email has none: optout
	// phone has a raw UID of 44 characters; ask again later: true
}
