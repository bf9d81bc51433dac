package jobs

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"mapper/client"
)

// decoder fills a File from YAML and from key=value. It walks the syntax tree itself instead of having the YAML
// package fill the struct: that package quotes the source in its errors, where credentials stand.
type decoder struct {
	path   string
	o      FileOptions
	file   File
	fields []keyedField
	given  map[string]given // by key
}

// keyedField is a field of a File and its key, which is columns.email for one of the columns.
type keyedField struct {
	key   string
	field reflect.Value
}

// given is what was written for a key: where, and the scalars.
type given struct {
	where  string // file and line, or --set
	values []scalar
}

// hide takes out of a message about a key what the given values expand to: it may be a credential by mistake.
func (g given) hide(key, message string) string {
	for _, v := range g.values {
		message = v.hide(key, message)
	}
	return message
}

func newDecoder(path string, o FileOptions) *decoder {
	d := &decoder{path: path, o: o, given: map[string]given{}}
	d.fields = fieldsOf("", reflect.ValueOf(&d.file).Elem())
	return d
}

// fieldsOf lists the settings of a struct by its yaml tags, those of columns among them.
func fieldsOf(prefix string, of reflect.Value) (fields []keyedField) {
	for i := range of.NumField() {
		name := of.Type().Field(i).Tag.Get("yaml")
		if name == "-" {
			continue // no setting
		}
		key := prefix + name
		if columns, ok := of.Field(i).Addr().Interface().(*FileColumns); ok {
			fields = append(fields, fieldsOf(key+".", reflect.ValueOf(columns).Elem())...)
			continue
		}
		fields = append(fields, keyedField{key, of.Field(i)})
	}
	return fields
}

// decode reads the text of a job file.
func (d *decoder) decode(text []byte) error {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))                          // a byte order mark, which editors on Windows write
	parsed, err := parser.ParseBytes(text, 0, parser.AllowDuplicateMapKey()) // which are found here, with both lines
	if err != nil {
		var syntax yaml.Error
		if errors.As(err, &syntax) && syntax.GetToken() != nil {
			return usagef("%s:%d: %s", d.path, syntax.GetToken().Position.Line, syntax.GetMessage())
		}
		return usagef("%s: this is not YAML", d.path)
	}
	bodies := slices.DeleteFunc(parsed.Docs, func(doc *ast.DocumentNode) bool { return doc.Body == nil })
	switch {
	case len(bodies) == 0:
		return usagef("%s: the job file is empty; it begins with kind: map", d.path)
	case len(bodies) > 1:
		return usagef("%s: there is more than one document in the job file; write one file for each job", d.path)
	}
	entries, ok := entriesOf(bodies[0].Body)
	if !ok {
		return usagef("%s: a job file is keys with values, beginning with kind: map", d.path)
	}
	// The kind says what the other keys can be.
	slices.SortStableFunc(entries, func(a, b *ast.MappingValueNode) int { return rank(a) - rank(b) })
	return d.decodeAll("", entries)
}

func rank(entry *ast.MappingValueNode) int {
	if key, ok := entry.Key.(*ast.StringNode); ok && key.Value == "kind" {
		return 0
	}
	return 1
}

// entriesOf returns the entries of a mapping.
func entriesOf(n ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := n.(type) {
	case *ast.MappingNode:
		return slices.Clone(n.Values), true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	return nil, false
}

func (d *decoder) decodeAll(prefix string, entries []*ast.MappingValueNode) error {
	for _, entry := range entries {
		where := fmt.Sprintf("%s:%d", d.path, entry.Key.GetToken().Position.Line)
		name, ok := entry.Key.(*ast.StringNode)
		if !ok {
			return usagef("%s: this is no key; keys are words, such as input", where)
		}
		key := prefix + name.Value
		if first, ok := d.given[key]; ok {
			return usagef("%s: key %q is here again, after %s", where, key, first.where)
		}
		if err := d.decodeOne(where, key, entry.Value); err != nil {
			return err
		}
	}
	return nil
}

func (d *decoder) decodeOne(where, key string, n ast.Node) error {
	if key == "columns" {
		d.given[key] = given{where: where}
		entries, ok := entriesOf(n)
		if !ok {
			return usagef("%s: columns: %s where keys with names of columns belong, such as {id: customer_id, email: email}", where, kindOf(n))
		}
		return d.decodeAll("columns.", entries)
	}
	field, err := d.find(where, key)
	if err != nil {
		return err
	}
	values, err := d.scalars(key, n)
	if err != nil {
		return usagef("%s: %s: %v", where, key, err)
	}
	_, list := n.(*ast.SequenceNode)
	return d.assign(field, given{where, values}, list)
}

// find returns the field of a key, or an error with the nearest one.
func (d *decoder) find(where, key string) (keyedField, error) {
	keys := make([]string, 0, len(d.fields))
	for _, f := range d.fields {
		if f.key == key {
			return f, nil
		}
		keys = append(keys, f.key)
	}
	if meant := nearest(key, keys); meant != "" {
		return keyedField{}, usagef("%s: unknown key %q; did you mean %q?", where, key, meant)
	}
	return keyedField{}, usagef("%s: unknown key %q; the keys are the flags of mapper map, with _ for -", where, key)
}

// assign puts what was given into a field.
func (d *decoder) assign(to keyedField, g given, list bool) error {
	into := to.field.Addr().Interface()
	texts, isList := into.(*[]string)
	switch {
	case list && !isList:
		return usagef("%s: %s: a list where one value belongs", g.where, to.key)
	case len(g.values) == 0:
		return usagef("%s: %s: the list is empty; leave it out", g.where, to.key)
	case isList:
		*texts = nil
	}
	d.given[to.key] = g
	for _, v := range g.values {
		if isList {
			*texts = append(*texts, "")
			into = &(*texts)[len(*texts)-1]
		}
		if err := d.assignOne(to.key, into, v); err != nil {
			return usagef("%s: %s", g.where, g.hide(to.key, to.key+err.Error()))
		}
	}
	if _, ok := into.(*client.Secret); ok && !g.values[0].expanded {
		d.o.Log.Warn(fmt.Sprintf("%s: %s stands in the file as it is; write ${VAR} or ${file:/path}, or leave it out to have it from the environment", g.where, to.key))
	}
	return nil
}

func (d *decoder) assignOne(key string, into any, v scalar) error {
	if err := v.read(into); err != nil {
		return err
	}
	if key == "kind" {
		if err := parseKind(v.text); err != nil {
			return fmt.Errorf(" %w", err)
		}
	}
	shown := fmt.Sprint(reflect.ValueOf(into).Elem())
	if err := CheckGiven(key, shown); err != nil {
		return fmt.Errorf(" %w", err)
	}
	if v.text == "" {
		return errors.New(" is empty; leave it out")
	}
	return nil
}

// override takes key=value of a command line.
func (d *decoder) override(set string) error {
	const where = "--set"
	key, text, ok := strings.Cut(set, "=")
	if !ok {
		return usagef("--set is key=value, such as --set out=ids/uid2")
	}
	if key == "columns" {
		return usagef("--set: columns is not one value; set columns.email and others one by one")
	}
	to, err := d.find(where, key)
	if err != nil {
		return err
	}
	into := to.field.Addr().Interface()
	if _, ok := into.(*client.Secret); ok {
		return usagef("--set: %s is not taken from the command line, which others can see; write ${VAR} or ${file:/path} into the job file, or leave it out to have it from the environment", key)
	}
	texts := []string{text}
	if _, ok := into.(*[]string); ok && text != "" {
		if texts, err = csv.NewReader(strings.NewReader(text)).Read(); err != nil {
			return usagef("--set: %s: the quotes in the list do not match; write a,b and quote only what has a comma in it", key)
		}
	}
	g := given{where: where}
	for _, text := range texts {
		g.values = append(g.values, scalar{text: text, env: d.o.Env})
	}
	return d.assign(to, g, len(texts) > 1)
}
