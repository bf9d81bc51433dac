package jobs_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"mapper/client/sandbox"
	"mapper/normalize"
)

// customers is a made-up customer base that changes from day to day. The same seed gives the same changes.
type customers struct {
	t       testing.TB
	chance  *rand.Rand
	here    []customer
	left    []customer
	members []member       // every email and phone that there ever was; others know them by their place here
	byHash  map[string]int // place of a member, by the text of its hash, which no two kinds share
	ids     int            // how many ids were given away
	words   map[normalize.ID]string
}

// customer is a row of the export. Emails and phones are places of members, or none.
type customer struct {
	id                string
	email, alt, phone int
	plan              int
	twice             bool // there are two rows of them, of which the second has another plan
}

// member is an email or a phone.
type member struct {
	id   normalize.ID
	text string
	word string // why the operator has no raw UID for it, whoever asks; mostly nothing
}

const (
	none   = -1
	nobody = -2 // what stands in the cell is no email
)

func newCustomers(t testing.TB, seed uint64, n int) *customers {
	c := &customers{t: t, chance: rand.New(rand.NewPCG(seed, 0)), byHash: map[string]int{}, words: map[normalize.ID]string{}}
	for range n {
		c.join()
	}
	return c
}

func (c *customers) add(kind normalize.Kind) int {
	n := len(c.members)
	m := member{text: fmt.Sprintf("person%d@example.com", n)}
	if kind == normalize.KindPhone {
		m.text = fmt.Sprintf("+1%010d", 2_025_550_000+n)
	}
	m.id = identity(kind, m.text)
	switch n % 400 {
	case 7:
		m.word = wordInvalid
	case 8:
		m.word = wordUnknown
	}
	if m.word != "" {
		c.words[m.id] = m.word
	}
	c.byHash[string(m.id.AppendBase64(nil))] = n
	c.members = append(c.members, m)
	return n
}

const (
	wordInvalid = "invalid identifier" // the operator's own
	wordUnknown = "under review"       // one that nobody knows
)

func (c *customers) one(in int) bool { return c.chance.IntN(in) == 0 }

func (c *customers) newID() string {
	c.ids++
	return "c" + strconv.Itoa(c.ids)
}

func (c *customers) anyone() *customer { return &c.here[c.chance.IntN(len(c.here))] }

func (c *customers) join() {
	who := customer{id: c.newID(), email: c.add(normalize.KindEmail), alt: none, phone: none, plan: c.chance.IntN(5), twice: c.one(50)}
	if c.one(4) {
		who.phone = c.add(normalize.KindPhone)
	}
	switch c.chance.IntN(30) {
	case 0:
		who.alt = c.add(normalize.KindEmail)
	case 1:
		who.alt = who.email // the same pair again, in one row
	case 2:
		who.email = nobody
	case 3:
		who.email = none
	}
	c.here = append(c.here, who)
}

func (c *customers) leave() {
	i := c.chance.IntN(len(c.here))
	c.left = append(c.left, c.here[i])
	c.drop(i)
}

func (c *customers) drop(i int) {
	c.here[i] = c.here[len(c.here)-1]
	c.here = c.here[:len(c.here)-1]
}

func (c *customers) comeBack() {
	if len(c.left) == 0 {
		return
	}
	i := c.chance.IntN(len(c.left))
	c.here = append(c.here, c.left[i])
	c.left[i] = c.left[len(c.left)-1]
	c.left = c.left[:len(c.left)-1]
}

// happenings are what happens to a base in a day: how often, as a share of it, and what.
var happenings = []struct {
	share float64
	does  func(*customers)
}{
	{0.003, (*customers).join},
	{0.005, (*customers).leave},
	{0.001, (*customers).comeBack},
	{0.001, func(c *customers) { c.anyone().id = c.newID() }},
	{0.001, func(c *customers) { // an email, and maybe a phone, of somebody under another id as well
		who := *c.anyone()
		who.id, who.plan = c.newID(), 9
		c.here = append(c.here, who)
	}},
	{0.002, func(c *customers) { c.anyone().email = c.add(normalize.KindEmail) }},
	{0.0005, func(c *customers) { c.anyone().alt = c.anyone().email }},
	{0.001, func(c *customers) { c.anyone().phone = c.add(normalize.KindPhone) }},
	{0.0005, func(c *customers) { c.anyone().phone = none }},
	{0.01, func(c *customers) { c.anyone().plan = c.chance.IntN(5) }},
}

// day lets a day pass.
func (c *customers) day(operator *sandbox.Sandbox) {
	for _, kind := range happenings {
		c.times(kind.share, func() { kind.does(c) })
	}
	c.times(0.0007, func() { operator.OptOut(c.members[c.someMember()].id) })
	c.times(0.0004, func() { c.optIn(operator) })
}

// times does something for a share of the base.
func (c *customers) times(share float64, do func()) {
	n := share * float64(len(c.here))
	for range int(n + c.chance.Float64()) {
		do()
	}
}

// someMember returns a member that is in the export.
func (c *customers) someMember() int {
	for {
		if of := c.anyone().members(); len(of) > 0 {
			return of[c.chance.IntN(len(of))]
		}
	}
}

// optIn lets somebody who is opted out opt in, if one is found soon.
func (c *customers) optIn(operator *sandbox.Sandbox) {
	for range 300 {
		if id := c.members[c.someMember()].id; operator.Expect(id).OptedOut {
			operator.OptIn(id)
			return
		}
	}
}

// members returns the emails and phones of a customer.
func (c *customer) members() (all []int) {
	for _, m := range []int{c.email, c.alt, c.phone} {
		if m >= 0 {
			all = append(all, m)
		}
	}
	return all
}

// exported is an identifier in the export: whose it is, and what the row says beside it.
type exported struct {
	holding
	source
}

// holding is a pair that a table can hold.
type holding struct {
	id     string
	member int
}

// source is what a table keeps of the row that a pair came from.
type source struct {
	column string
	line   int64
	plan   string
}

// export writes the base as a CSV. It returns the identifiers in it, in order, and how many cells hold none.
func (c *customers) export(path string) (all []exported, refused int) {
	f, err := os.Create(path)
	if err != nil {
		c.t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	fmt.Fprintln(w, "id,email,alt_email,phone,plan")
	line := int64(0)
	write := func(who *customer, plan int) {
		line++
		fmt.Fprintf(w, "%s,%s,%s,%s,p%d\n", who.id, c.cell(who.email), strings.ToUpper(c.cell(who.alt)), c.cell(who.phone), plan)
		for i, m := range []int{who.email, who.alt, who.phone} {
			switch {
			case m == nobody:
				refused++
			case m >= 0:
				all = append(all, exported{holding{who.id, m}, source{[]string{"email", "alt_email", "phone"}[i], line, "p" + strconv.Itoa(plan)}})
			}
		}
	}
	for i := range c.here {
		who := &c.here[i]
		write(who, who.plan)
		if who.twice {
			write(who, who.plan+10)
		}
	}
	if err := w.Flush(); err != nil {
		c.t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		c.t.Fatal(err)
	}
	return all, refused
}

func (c *customers) cell(m int) string {
	switch m {
	case none:
		return ""
	case nobody:
		return "nobody"
	}
	return c.members[m].text
}
