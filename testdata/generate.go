//go:build ignore

// Command generate writes the input files of this folder: go run testdata/generate.go, from the root of the
// repository. It writes the same bytes every time. The people in them do not exist: their emails are of
// example.com, .org and .net, or of gmail.com with a name nobody has, and their phone numbers come from the
// ranges that the numbering plans keep for fiction.
package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"
)

const people = 250

// person is a row; empty fields are blank.
type person struct {
	id                          int
	name, email, phone, country string
	signup                      time.Time
}

func main() {
	log.SetFlags(0)
	all := crm(rand.New(rand.NewPCG(2026, 11)))
	table := crmCSV(all)
	write("crm.csv", table)
	write("crm.csv.gz", gzipped(table))
	write("truncated.csv.gz", gzipped(table)[:len(gzipped(table))*6/10])
	write("crm.ndjson", crmNDJSON(all))
	write("crm.parquet", crmParquet(all))
	write("emails.txt", emails(all))
	write("latin1.csv", latin1("id,name,email\n1,Jos\u00e9 P\u00e9rez,jose@example.com\n2,J\u00fcrgen Gro\u00df,juergen@example.org\n"))
	write("utf16.csv", utf16LE("id,name,email\r\n1,Jane Roe,jane@example.com\r\n2,Zo\u00eb Dee,zoe@example.net\r\n"))
}

func write(name string, content []byte) {
	if err := os.WriteFile(filepath.Join("testdata", name), content, 0o644); err != nil {
		log.Fatal(err)
	}
}

var (
	first = []string{"Jane", "John", "Zo\u00eb", "J\u00fcrgen", "\u674e\u96f7", "\u041e\u043b\u044c\u0433\u0430", "Jos\u00e9", "Amina", "Mary \"MJ\"", "S\u00f8ren"}
	last  = []string{"Doe", "Roe", "O'Neil", "Gro\u00df", "\u97e9", "P\u00e9rez", "Smith, Jr.", "van der Berg", "Dee\nc/o Roe", "\u0160imek"}
)

// crm makes people as a customer database holds them: most in order, many not.
func crm(random *rand.Rand) []person {
	var all []person
	for i := range people {
		country, phone := number(random)
		p := person{
			id: 1001 + i, name: first[random.IntN(len(first))] + " " + last[random.IntN(len(last))],
			email: fmt.Sprintf("person.%03d@example.%s", i, []string{"com", "org", "net"}[i%3]),
			phone: phone, country: country,
			signup: time.Date(2024, 1, 1, 8, 0, 0, 0, time.UTC).Add(time.Duration(random.IntN(1000*24)) * time.Hour),
		}
		p.email = messy(p.email, i, random)
		switch random.IntN(12) {
		case 0:
			p.email = ""
		case 1, 2:
			p.phone = ""
		case 3:
			p.country = ""
		}
		all = append(all, p)
		if i%40 == 39 { // the same person once more, under another id
			p.id += 5000
			all = append(all, p)
		}
	}
	return all
}

// number returns a country and a number in it that is kept for fiction, in E.164 or as people write it.
func number(random *rand.Rand) (country, phone string) {
	n := random.IntN(100)
	switch random.IntN(8) {
	case 0:
		return "GB", fmt.Sprintf("+447700900%03d", n)
	case 1:
		return "GB", fmt.Sprintf("07700 900%03d", n) // national
	case 2:
		return "DE", fmt.Sprintf("+49 30 23125 %03d", n)
	case 3:
		return "FR", fmt.Sprintf("+33199001%03d", n)
	case 4:
		return "US", fmt.Sprintf("(202) 555-01%02d", n) // national
	case 5:
		return "US", fmt.Sprintf("+1-202-555-01%02d", n)
	default:
		return "US", fmt.Sprintf("+120255501%02d", n)
	}
}

// messy writes some emails the way they are found.
func messy(email string, i int, random *rand.Rand) string {
	sum := sha256.Sum256([]byte(email))
	switch random.IntN(20) {
	case 0:
		return strings.ToUpper(email[:1]) + email[1:7] + strings.ToUpper(email[7:])
	case 1:
		return " " + email + "  "
	case 2:
		return fmt.Sprintf("Mapper.Test.Person.%03d+news@gmail.com", i)
	case 3:
		return fmt.Sprintf("mappertestperson%03d@gmail.com", i-i%2)
	case 4:
		return hex.EncodeToString(sum[:])
	case 5:
		return base64.StdEncoding.EncodeToString(sum[:])
	case 6:
		return []string{"n/a", "unknown", "@example.com", "person@", "a@b@example.com"}[random.IntN(5)]
	case 7:
		return fmt.Sprintf("Person %03d <%s>", i, email)
	}
	return email
}

// crmCSV is an export as spreadsheets make it: byte order mark, CRLF, quotes where needed, a blank line, two
// ragged rows, a stray quote.
func crmCSV(all []person) []byte {
	var b bytes.Buffer
	b.WriteString("\uFEFFcustomer_id,name,email,phone,country,signup_date\r\n")
	w := csv.NewWriter(&b)
	w.UseCRLF = true
	for i, p := range all {
		row := []string{fmt.Sprint(p.id), p.name, p.email, p.phone, p.country, p.signup.Format(time.DateOnly)}
		check(w.Write(row))
		w.Flush()
		check(w.Error())
		switch i {
		case 50:
			b.WriteString("9001,Ragged Row,ragged@example.com,US\r\n")
		case 100:
			b.WriteString("\r\n")
		case 150:
			b.WriteString("9002,\"Stray Quote,stray@example.com,+12025550199,US,2025-05-05\r\n")
		case 200:
			b.WriteString("9003,Comma, Unquoted,comma@example.com,+12025550198,US,2025-06-06\r\n")
		}
	}
	return b.Bytes()
}

// crmNDJSON are the same people as objects, with a nested value, a blank line and two broken ones.
func crmNDJSON(all []person) []byte {
	var b bytes.Buffer
	for i, p := range all {
		row := struct {
			ID      int             `json:"customer_id"`
			Name    string          `json:"name"`
			Email   *string         `json:"email"`
			Phone   string          `json:"phone,omitempty"`
			Country string          `json:"country,omitempty"`
			Signup  string          `json:"signup_date"`
			Active  bool            `json:"active"`
			Consent map[string]bool `json:"consent"`
		}{ID: p.id, Name: p.name, Phone: p.phone, Country: p.country, Signup: p.signup.Format(time.DateOnly), Active: i%5 != 0, Consent: map[string]bool{"ads": i%3 != 0}}
		if p.email != "" {
			row.Email = &p.email
		}
		line, err := json.Marshal(row)
		check(err)
		b.Write(append(line, '\n'))
		switch i {
		case 60:
			b.WriteString("\n")
		case 120:
			b.WriteString("{\"customer_id\": 9001, \"email\": \"cut.off@example.com\"\n")
		case 180:
			b.WriteString("{\"customer_id\": 9002, \"email\": \"a@example.com\", \"email\": \"b@example.com\"}\n")
		}
	}
	return b.Bytes()
}

// crmParquet are the same people in typed columns and row groups of 100.
func crmParquet(all []person) []byte {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "customer_id", Type: arrow.PrimitiveTypes.Int64},
		{Name: "name", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "email", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "phone", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "country", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "created", Type: &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "UTC"}},
	}, nil)
	r := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	for _, p := range all {
		r.Field(0).(*array.Int64Builder).Append(int64(p.id))
		for i, cell := range []string{p.name, p.email, p.phone, p.country} {
			if cell == "" {
				r.Field(i + 1).AppendNull()
			} else {
				r.Field(i + 1).(*array.StringBuilder).Append(cell)
			}
		}
		r.Field(5).(*array.TimestampBuilder).Append(arrow.Timestamp(p.signup.UnixMilli()))
	}
	var b bytes.Buffer
	w, err := pqarrow.NewFileWriter(schema, &b, parquet.NewWriterProperties(
		parquet.WithMaxRowGroupLength(100), parquet.WithStats(false), parquet.WithDictionaryDefault(false), parquet.WithDictionaryFor("country", true),
	), pqarrow.DefaultWriterProps())
	check(err)
	check(w.Write(r.NewRecord()))
	check(w.Close())
	return b.Bytes()
}

// emails are those of all people who have one, a line each.
func emails(all []person) []byte {
	var b bytes.Buffer
	for _, p := range all {
		if p.email != "" {
			b.WriteString(p.email + "\n")
		}
	}
	return b.Bytes()
}

func gzipped(content []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(content)
	check(err)
	check(w.Close())
	return b.Bytes()
}

func latin1(text string) []byte {
	var b []byte
	for _, r := range text {
		b = append(b, byte(r))
	}
	return b
}

func utf16LE(text string) []byte {
	b := []byte("\xff\xfe")
	for _, r := range text {
		b = append(b, byte(r), byte(r>>8))
	}
	return b
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
