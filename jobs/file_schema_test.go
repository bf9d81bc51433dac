package jobs_test

import (
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"mapper/client"
	"mapper/jobs"
	"mapper/normalize"
	"mapper/sinks"
	"mapper/sources"
)

// schema is what the tests here know of JSON Schema.
type schema struct {
	Type       string            `json:"type"`
	Ref        string            `json:"$ref"`
	Enum       []any             `json:"enum"`
	AnyOf      []schema          `json:"anyOf"`
	Examples   []any             `json:"examples"`
	Additional *bool             `json:"additionalProperties"`
	Required   []string          `json:"required"`
	Properties map[string]schema `json:"properties"`
	Defs       map[string]schema `json:"$defs"`
}

func readSchema(t *testing.T) (s schema) {
	t.Helper()
	text, err := os.ReadFile("job.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// defOf is the definition in the schema for each type that the decoder reads.
var defOf = map[reflect.Type]string{
	reflect.TypeFor[string]():            "text",
	reflect.TypeFor[client.Secret]():     "text",
	reflect.TypeFor[sources.Encoding]():  "text",
	reflect.TypeFor[normalize.Region]():  "text",
	reflect.TypeFor[[]string]():          "texts",
	reflect.TypeFor[bool]():              "truth",
	reflect.TypeFor[int]():               "whole",
	reflect.TypeFor[*int]():              "whole",
	reflect.TypeFor[int64]():             "whole",
	reflect.TypeFor[float64]():           "number",
	reflect.TypeFor[*float64]():          "number",
	reflect.TypeFor[jobs.Size]():         "size",
	reflect.TypeFor[time.Duration]():     "duration",
	reflect.TypeFor[time.Time]():         "time",
	reflect.TypeFor[jobs.ServiceName]():  "service",
	reflect.TypeFor[sources.Format]():    "format",
	reflect.TypeFor[jobs.Hygiene]():      "hygiene",
	reflect.TypeFor[sinks.Compression](): "compression",
	reflect.TypeFor[jobs.Shard]():        "shard",
}

// TestSchemaHasTheKeysOfTheFile: every key of the one is in the other, and of the same type.
func TestSchemaHasTheKeysOfTheFile(t *testing.T) {
	compare(t, readSchema(t), reflect.TypeFor[jobs.File]())
}

func compare(t *testing.T, s schema, of reflect.Type) {
	t.Helper()
	if s.Type != "object" || s.Additional == nil || *s.Additional {
		t.Errorf("%v: not an object that knows all its keys", of)
	}
	unseen := maps.Clone(s.Properties)
	for i := range of.NumField() {
		key, kind := of.Field(i).Tag.Get("yaml"), of.Field(i).Type
		if key == "-" {
			continue // no setting
		}
		property, ok := s.Properties[key]
		if delete(unseen, key); !ok || key == "" {
			t.Errorf("field %s: key %q is not in the schema", of.Field(i).Name, key)
			continue
		}
		want := "#/$defs/" + defOf[kind]
		switch {
		case kind == reflect.TypeFor[jobs.FileColumns]():
			compare(t, property, kind)
			continue
		case key == "kind":
			want = "#/$defs/kind"
		}
		if property.Ref != want {
			t.Errorf("%s: %s in the schema, %s in the decoder", key, property.Ref, want)
		}
	}
	for key := range unseen {
		t.Errorf("%s: in the schema, and the decoder does not know it", key)
	}
}

// TestSchemaMeansTheSame: what the definitions list or give as examples is read, and what they leave out is not.
func TestSchemaMeansTheSame(t *testing.T) {
	s := readSchema(t)
	// For each definition, a key that has it, and values of each type of JSON.
	keys := map[string]string{
		"text": "environment", "texts": "input", "truth": "fresh", "whole": "limit", "number": "max_rps", "size": "memory",
		"duration": "part_interval", "time": "as_of", "kind": "kind", "service": "service", "shard": "shard", "format": "format", "hygiene": "hygiene", "compression": "compression",
	}
	values := map[string]string{"string": `"true story"`, "integer": "50000000", "number": "0.5", "boolean": "true", "array": "[a]", "object": "{a: b}"}
	for name, def := range s.Defs {
		if name == "reference" {
			continue
		}
		key := keys[name]
		allowed := typesOf(s, def)
		for kind, value := range values {
			if kind == "string" && !slices.Contains([]string{"text", "texts"}, name) {
				continue // which strings, is told by the values below
			}
			if _, _, err := read(t, fileWith(key, value)); (err == nil) != allowed[kind] {
				t.Errorf("%s: %s: the schema allows it: %v; the decoder says: %v", key, value, allowed[kind], err)
			}
		}
		for _, value := range append(slices.Clone(def.Examples), enumOf(def)...) {
			text, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := read(t, fileWith(key, string(text))); err != nil {
				t.Errorf("%v is in the schema: %v", value, err)
			}
		}
	}
}

// fileWith returns a job file with one value.
func fileWith(key, value string) string {
	text := key + ": " + value + "\n"
	rest := least
	if key == "as_of" || key == "service" && value == `"id5"` || value == `"remap"` {
		rest = "kind: remap\nfrom: ids\n"
	}
	for line := range strings.Lines(rest) {
		if !strings.HasPrefix(line, key+":") {
			text += line
		}
	}
	return text
}

// typesOf returns the types of JSON that a definition allows.
func typesOf(s schema, def schema) map[string]bool {
	types := map[string]bool{}
	if def.Ref != "" {
		def = s.Defs[strings.TrimPrefix(def.Ref, "#/$defs/")]
	}
	if def.Type != "" {
		types[def.Type] = true
	}
	if def.Type == "number" {
		types["integer"] = true
	}
	for _, one := range def.AnyOf {
		maps.Copy(types, typesOf(s, one))
	}
	return types
}

func enumOf(def schema) (values []any) {
	for _, one := range def.AnyOf {
		values = append(values, one.Enum...)
	}
	return values
}
