package pipeline

import (
	"testing"

	"mapper/client"
	"mapper/sinks"
)

func TestChange(t *testing.T) {
	mapped := func(uid string) Answer { return Answer{Status: client.Mapped, UID: []byte(uid)} }
	a, b := mapped("A"), mapped("B")
	nothing, optOut, invalid := Answer{}, Answer{Status: client.OptOut}, Answer{Status: client.Invalid}
	for _, c := range []struct {
		name        string
		before, now Answer
		is          sinks.Change
		former      string
	}{
		{"first raw UID", nothing, a, sinks.ChangeNew, ""},
		{"first opt-out", nothing, optOut, sinks.ChangeNew, ""},
		{"first invalid", nothing, invalid, sinks.ChangeNew, ""},
		{"never an answer", nothing, nothing, sinks.ChangeNew, ""},
		{"the same raw UID", a, mapped("A"), sinks.ChangeSame, ""},
		{"another raw UID", a, b, sinks.ChangeRotated, "A"},
		{"a raw UID that is longer", a, mapped("AA"), sinks.ChangeRotated, "A"},
		{"raw UID, opt-out", a, optOut, sinks.ChangeOptedOut, "A"},
		{"raw UID, invalid", a, invalid, sinks.ChangeRemoved, "A"},
		{"raw UID, no answer", a, nothing, sinks.ChangeSame, ""},
		{"opt-out, raw UID", optOut, b, sinks.ChangeRestored, ""},
		{"opt-out still", optOut, optOut, sinks.ChangeSame, ""},
		{"opt-out, invalid", optOut, invalid, sinks.ChangeSame, ""},
		{"opt-out, no answer", optOut, nothing, sinks.ChangeSame, ""},
		{"invalid, raw UID", invalid, b, sinks.ChangeRestored, ""},
		{"invalid, opt-out", invalid, optOut, sinks.ChangeOptedOut, ""},
		{"invalid still", invalid, invalid, sinks.ChangeSame, ""},
		{"invalid, no answer", invalid, nothing, sinks.ChangeSame, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if is, former := change(&c.before, &c.now); is != c.is || string(former) != c.former {
				t.Errorf("%v and former %q, want %v and %q", is, former, c.is, c.former)
			}
		})
	}
}
