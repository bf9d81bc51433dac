package id5_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log"

	"mapper/client"
	"mapper/client/id5"
	"mapper/client/sandbox"
)

// Example maps two hashed emails over TCP. With credentials of ID5, leave BaseURL out.
func Example() {
	service, err := sandbox.New(sandbox.Options{})
	if err != nil {
		log.Fatal(err)
	}
	url, stop, err := service.Start("")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = stop(context.Background()) }()

	api, err := id5.New(id5.Options{BaseURL: url, Partner: service.ID5Partner(), Token: client.NewSecret(service.ID5Token())})
	if err != nil {
		log.Fatal(err)
	}
	defer api.CloseIdleConnections()
	france, _ := id5.ParseCountry("fr")
	users := []id5.User{
		{Hash: sha256.Sum256([]byte("jane@example.com")), Country: france},
		{Hash: sha256.Sum256([]byte("joe@example.com"))},
	}
	var answers client.Answers
	if err := api.Map(context.Background(), users, &answers); err != nil {
		log.Fatal(err)
	}
	for i := range users {
		fmt.Printf("%s... is mapped: %v\n", answers.UID(i)[:4], answers.Items[i].Status == client.Mapped)
	}
	// Output:
	// ID5-... is mapped: true
	// ID5-... is mapped: true
}
