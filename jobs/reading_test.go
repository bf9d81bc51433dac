package jobs

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"mapper/sources"
)

// TestReadingMakesTheJob: how text is read changes rows, so that it is part of what makes two jobs the same; words for
// the same thing are not.
func TestReadingMakesTheJob(t *testing.T) {
	settings := func(m Map) map[string]string {
		m.Inputs, m.Out = []string{"people.csv"}, "ids"
		m, err := m.withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		return (&mapping{Map: &m}).settings()
	}
	given := settings(Map{Encoding: sources.Windows1252, Delimiter: "\t", Quote: "none"})
	if words := settings(Map{Encoding: "CP1252", Delimiter: "tab", Quote: "None"}); !maps.Equal(given, words) {
		t.Errorf("%v and %v differ", given, words)
	}
	auto := settings(Map{Encoding: "auto"})
	if !maps.Equal(auto, settings(Map{})) {
		t.Error("auto is not the default")
	}
	for key, m := range map[string]Map{
		"encoding": {Encoding: sources.UTF16}, "delimiter": {Delimiter: "tab"}, "quote": {Quote: "'"}, "no_header": {NoHeader: true},
	} {
		if other := settings(m); other[key] == auto[key] {
			t.Errorf("%s is %q, as by default", key, other[key])
		}
	}
}

func TestReadingThatCannotBeMeant(t *testing.T) {
	_, err := Map{Inputs: []string{"people.csv"}, Out: "ids", Format: sources.Text, Delimiter: ";"}.withDefaults()
	var usage *UsageError
	if !errors.As(err, &usage) || !strings.Contains(err.Error(), "leave --delimiter out") {
		t.Errorf("%v, want a usage error", err)
	}
}
