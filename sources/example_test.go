package sources_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/apache/arrow/go/v17/arrow/array"

	"mapper/client/objects"
	"mapper/sources"
)

func Example() {
	ctx := context.Background()
	list, err := sources.List(ctx, new(objects.Store), []string{"../testdata/crm.csv"})
	if err != nil {
		log.Fatal(err)
	}
	in, err := sources.Inspect(ctx, list[0], sources.Options{})
	if err != nil {
		log.Fatal(err)
	}
	email, err := in.Layout.Index("email")
	if err != nil {
		log.Fatal(err)
	}
	rows, blank := 0, 0
	for batch, err := range in.Batches(ctx, []int{email}, sources.Position{}) {
		if err != nil {
			log.Fatal(err)
		}
		for _, m := range batch.Malformed {
			fmt.Printf("line %d, %s\n", m.Line, m.Reason)
		}
		emails := batch.Record.Column(0).(*array.String)
		rows += emails.Len()
		blank += emails.NullN() - len(batch.Malformed)
	}
	fmt.Println(in.Layout.Format, rows, "rows,", blank, "without email")
	// Output:
	// line 55, row: 4 fields, header has 6
	// line 162, row: text behind a closing quote
	// line 218, row: 7 fields, header has 6
	// csv 259 rows, 23 without email
}

func ExampleInspect_standardInput() {
	opts := sources.Options{Stdin: strings.NewReader("jane@example.com\njohn@example.com\n")}
	in, err := sources.Inspect(context.Background(), objects.Object{URI: "-", Size: -1}, opts)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(in.Layout.Format, in.Layout.Columns[0].Name, in.Sample().NumRows())
	// Output: text identifier 2
}

func ExampleLayout_Index() {
	layout := sources.Layout{Columns: []sources.Column{{Name: "customer_id"}, {Name: "email"}}}
	_, err := layout.Index("mail")
	fmt.Println(err)
	// Output: there is no column "mail"; there are: customer_id, email
}
