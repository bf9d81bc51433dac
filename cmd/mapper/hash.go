package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"mapper/normalize"
	"mapper/sources"
)

func (a *app) hash() *cobra.Command {
	var email, phone bool
	var service, hygiene string
	var region normalize.Region
	c := &cobra.Command{
		Use:   "hash [--email|--phone]",
		Short: "Normalize and hash values from standard input, one per line",
		Long: "hash shows what becomes of values: it reads one a line from standard input and writes, separated by tabs, the hash\n" +
			"in base64 (what UID2 and EUID take), the hash in hex (what ID5 takes), and the normalized value. A value that is\n" +
			"refused gives two dashes and the reason. Without --email or --phone a value with an @ or a hash is taken as an\n" +
			"email and everything else as a phone.\n\n" +
			"It shows normalized emails and phones on your terminal: it is for troubleshooting.",
		Example: "  echo ' Jane.Saoirse+news@gmail.com' | mapper hash\n" +
			"  mapper hash --phone --json < phones.txt\n" +
			"  echo '030 123456' | mapper hash --phone --phone-region DE",
		RunE: func(c *cobra.Command, _ []string) error {
			opts, err := hashOptions(service, hygiene)
			if err != nil {
				return err
			}
			opts.Region = region
			form := func(line []byte) normalize.Form { return guess(line) }
			switch {
			case email && phone:
				return usagef("--email and --phone exclude each other")
			case email:
				form = func([]byte) normalize.Form { return normalize.FormEmail }
			case phone:
				form = func([]byte) normalize.Form { return normalize.FormPhone }
			}
			return a.hashLines(c.Context(), normalize.New(opts), form)
		},
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.BoolVar(&email, "email", false, "every value is an email")
	flags.BoolVar(&phone, "phone", false, "every value is a phone")
	flags.TextVar(&region, "phone-region", normalize.Region{}, "country `CC` of national phones, two letters as in DE (default: none, they are refused)")
	flags.StringVar(&service, "service", "uid2", "whose rules: uid2, euid or id5")
	flags.StringVar(&hygiene, "hygiene", "on", "strip junk around values first: on or off")
	return c
}

func hashOptions(service, hygiene string) (opts normalize.Options, err error) {
	switch service {
	case "uid2", "euid":
	case "id5":
		opts.Profile = normalize.ID5
	default:
		return opts, usagef("--service %q is none of uid2, euid, id5", service)
	}
	switch hygiene {
	case "on":
	case "off":
		opts.NoHygiene = true
	default:
		return opts, usagef("--hygiene %q is neither on nor off", hygiene)
	}
	return opts, nil
}

// guess says what a value is meant to be.
func guess(line []byte) normalize.Form {
	if bytes.IndexByte(line, '@') >= 0 {
		return normalize.FormEmail
	}
	if _, reason := normalize.ParseHash(normalize.RawBytes(bytes.TrimSpace(line))); reason == normalize.ReasonNone {
		return normalize.FormEmail
	}
	return normalize.FormPhone
}

// hashed is what becomes of one value.
type hashed struct {
	Type       string `json:"type"` // "hash"
	Line       int    `json:"line"`
	Kind       string `json:"identity_type"`
	Base64     string `json:"base64,omitempty"`
	Hex        string `json:"hex,omitempty"`
	Normalized string `json:"normalized,omitempty"`
	Reason     string `json:"reason,omitempty"`
}

func (h hashed) String() string {
	if h.Reason != "" {
		return "-\t-\t" + h.Reason
	}
	return h.Base64 + "\t" + h.Hex + "\t" + h.Normalized
}

// longestLine bounds a value, as it does in inputs.
const longestLine = 1 << 20

func (a *app) hashLines(ctx context.Context, n *normalize.Normalizer, form func([]byte) normalize.Form) error {
	in, letGo := sources.Interruptible(ctx, a.stdin)
	defer letGo()
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, longestLine)
	out := bufio.NewWriter(a.stdout)
	valid, number := 0, 0
	for lines.Scan() && ctx.Err() == nil { // what is scanned once ctx has ended may be half a line
		number++
		h := hashOne(n, form(lines.Bytes()), lines.Bytes())
		h.Line = number
		if h.Reason == "" {
			valid++
		}
		if err := a.writeLine(out, h); err != nil {
			return err
		}
	}
	err := lines.Err()
	switch {
	case ctx.Err() != nil:
		err = ctx.Err()
	case errors.Is(err, bufio.ErrTooLong):
		err = fmt.Errorf("standard input:%d: the line is longer than %d bytes", number+1, longestLine)
	}
	if err := errors.Join(err, out.Flush()); err != nil {
		return err
	}
	if number > 0 && valid == 0 {
		return errors.New("none of the values is valid; the reasons stand in the output")
	}
	return nil
}

func hashOne(n *normalize.Normalizer, form normalize.Form, line []byte) hashed {
	normalized, id, _, reason := n.Normalized(form, normalize.RawBytes(line))
	h := hashed{Type: "hash", Kind: form.Kind().String(), Reason: reason.String()}
	if reason == normalize.ReasonNone {
		h.Base64, h.Hex = string(id.AppendBase64(nil)), string(id.AppendHex(nil))
		if h.Normalized = string(normalized); normalized == nil { // a hash was given
			h.Normalized = h.Base64
		}
	}
	return h
}

func (a *app) writeLine(out *bufio.Writer, h hashed) error {
	if a.json {
		return json.NewEncoder(out).Encode(h)
	}
	_, err := fmt.Fprintln(out, h)
	return err
}
