package jobs_test

import (
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mapper/jobs"
)

// TestSummaryIsDocumented compares the fields of the summary with the table in the README: every one has a row there,
// and there are no others.
func TestSummaryIsDocumented(t *testing.T) {
	want := map[string]bool{}
	jsonFields(reflect.TypeFor[jobs.Summary](), "", want)
	got := documented(t, "## The summary")
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if !got[name] {
			t.Errorf("the README says nothing of %s", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if !want[name] {
			t.Errorf("the README names %s, which the summary has not", name)
		}
	}
}

// jsonFields collects the JSON names below a type: a.b of a field, a[].b of a list, a.*.b of a map.
func jsonFields(of reflect.Type, prefix string, names map[string]bool) {
	for i := range of.NumField() {
		f := of.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		path, inner := prefix+name, f.Type
		switch {
		case f.Anonymous:
			path = strings.TrimSuffix(prefix, ".")
		case inner.Kind() == reflect.Slice:
			path, inner = path+"[]", inner.Elem()
		case inner.Kind() == reflect.Map && inner.Elem().Kind() == reflect.Struct:
			path, inner = path+".*", inner.Elem()
		}
		if inner.Kind() != reflect.Struct {
			names[path] = true
			continue
		}
		if path != "" {
			path += "."
		}
		jsonFields(inner, path, names)
	}
}

// documented returns the names in the first cells of the tables of a section of the README.
func documented(t *testing.T, heading string) map[string]bool {
	t.Helper()
	data, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(data), "\n"+heading+"\n")
	if !ok {
		t.Fatalf("the README has no section %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	names := map[string]bool{}
	for _, cell := range regexp.MustCompile(`(?m)^\| (.*?) \|`).FindAllStringSubmatch(section, -1) {
		for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cell[1], -1) {
			names[name[1]] = true
		}
	}
	return names
}
