package jobs

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"mapper/client"
	"mapper/normalize"
	"mapper/sinks"
	"mapper/sources"
)

// What a scalar of YAML is. The words are those of messages.
const (
	isText    = "text"
	isWhole   = "a whole number"
	isNumber  = "a number"
	isBool    = "true or false"
	isNothing = "nothing"
)

// scalar is a value that was given: a list has several.
type scalar struct {
	text     string // after expansion
	written  string // before it
	kind     string // what it is; empty when it comes from outside YAML, as text that can be anything
	expanded bool
	env      func(name string) (string, bool)
}

// hide writes a value into a message as it stands in the file, not as what it expands to. The message begins with
// the key.
func (v scalar) hide(key, message string) string {
	if !v.expanded {
		return message
	}
	message = strings.ReplaceAll(message, strconv.Quote(v.text), strconv.Quote(v.written))
	if len(v.text) >= leastSecret && strings.Contains(strings.ToLower(message), strings.ToLower(v.text)) {
		return key + ": what it expands to is not possible here"
	}
	return message
}

// leastSecret is the length from which on a text may be a credential that got to the wrong key. What is shorter may
// be part of a message by chance.
const leastSecret = 6

// scalars returns the values of a node.
func (d *decoder) scalars(key string, n ast.Node) ([]scalar, error) {
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		v, err := d.scalar(key, n)
		return []scalar{v}, err
	}
	var values []scalar
	for _, item := range list.Values {
		v, err := d.scalar(key, item)
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, nil
}

func (d *decoder) scalar(key string, n ast.Node) (scalar, error) {
	v := scalar{kind: kindOf(n), env: d.o.Env}
	switch n := n.(type) {
	case *ast.StringNode:
		v.written = n.Value
	case *ast.LiteralNode:
		v.written = n.Value.Value
	case *ast.IntegerNode:
		v.written = fmt.Sprint(n.Value)
	case *ast.FloatNode:
		v.written = fmt.Sprint(n.Value)
	case *ast.BoolNode:
		v.written = fmt.Sprint(n.Value)
	default:
		return v, fmt.Errorf("%s where a value belongs", v.kind)
	}
	if v.text = v.written; v.kind != isText {
		return v, nil
	}
	x := expander{env: d.o.Env, secret: key == "api_key" || key == "secret_key"}
	text, err := x.expand(v.written)
	if v.text = text; x.used {
		v.expanded, v.kind = true, ""
	}
	return v, err
}

// kindOf says what a node is.
func kindOf(n ast.Node) string {
	switch n.(type) {
	case *ast.StringNode, *ast.LiteralNode:
		return isText
	case *ast.IntegerNode:
		return isWhole
	case *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return isNumber
	case *ast.BoolNode:
		return isBool
	case *ast.NullNode:
		return isNothing
	case *ast.SequenceNode:
		return "a list"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "keys with values"
	}
	return "an anchor, alias or tag"
}

// want refuses a value of another kind than the setting's. It does not show the value.
func (v scalar) want(kinds ...string) error {
	if v.kind == "" {
		return nil
	}
	for _, kind := range kinds {
		if v.kind == kind {
			return nil
		}
	}
	hint := ""
	if kinds[0] == isText {
		hint = "; put it in quotes"
	}
	return fmt.Errorf(": %s where %s belongs%s", v.kind, kinds[0], hint)
}

// read reads the value into a field. An error begins with what separates it from the key.
func (v scalar) read(into any) error {
	var err error
	switch p := into.(type) {
	case *string:
		*p, err = v.text, v.want(isText)
	case *client.Secret:
		*p, err = client.NewSecret(v.text), v.want(isText)
	case *sources.Encoding:
		*p, err = sources.Encoding(v.text), v.want(isText)
	case *bool:
		*p, err = parsed(v, parseBool, isBool)
	case *int:
		*p, err = parsed(v, parseInt, isWhole)
	case **int:
		*p = new(int)
		return v.read(*p)
	case *int64:
		*p, err = parsed(v, parseInt64, isWhole)
	case *float64:
		*p, err = parsed(v, parseFloat, isNumber, isWhole)
	case **float64:
		*p = new(float64)
		return v.read(*p)
	case *time.Duration:
		if v.kind == isWhole || v.kind == isNumber {
			return fmt.Errorf(": %s without a unit; write %[2]ss, %[2]sm or %[2]sh", v.kind, v.text)
		}
		*p, err = parsed(v, parseDuration, isText)
	case *time.Time:
		*p, err = parsed(v, ParseTime, isText)
	case *Size:
		var n int64
		n, err = parsed(v, ParseSize, isText, isWhole)
		*p = Size(n)
	case *ServiceName:
		*p, err = parsed(v, ParseServiceName, isText)
	case *sources.Format:
		*p, err = parsed(v, ParseFormat, isText)
	case *Hygiene:
		*p, err = parsed(v, ParseHygiene, isText)
	case *sinks.Compression:
		*p, err = parsed(v, ParseCompression, isText)
	case *Shard:
		*p, err = parsed(v, func(text string) (Shard, error) { return ParseShard(text, v.env) }, isText)
	case *normalize.Region:
		*p, err = parsed(v, parseRegion, isText)
	default:
		err = fmt.Errorf(": a bug: nothing reads a %T", into)
	}
	return err
}

// parsed reads a value of one of these kinds.
func parsed[T any](v scalar, parse func(string) (T, error), kinds ...string) (value T, err error) {
	if err := v.want(kinds...); err != nil {
		return value, err
	}
	if value, err = parse(v.text); err != nil {
		err = fmt.Errorf(" %w", err)
	}
	return value, err
}

func parseBool(text string) (bool, error) {
	if text != "true" && text != "false" {
		return false, fmt.Errorf("%q is neither true nor false", text)
	}
	return text == "true", nil
}

func parseInt(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("%q is no whole number that fits", text)
	}
	return n, nil
}

func parseInt64(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no whole number that fits", text)
	}
	return n, nil
}

func parseFloat(text string) (float64, error) {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no number", text)
	}
	return n, nil
}

func parseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%q is no duration; write a number with s, m or h, such as 60s or 720h", text)
	}
	return d, nil
}

func parseRegion(text string) (r normalize.Region, err error) {
	if err = r.UnmarshalText([]byte(text)); err != nil {
		err = fmt.Errorf("%q is %w", text, err)
	}
	return r, err
}
