package pipeline

import (
	"bytes"

	"mapper/client"
	"mapper/sinks"
)

// change compares what was known of an identity with what the service says of it now. former is the raw UID that was
// known, where there is another one now or none.
//
// A raw UID that is gone because the service calls the identity invalid is removed: there is no word of its own for that.
// No answer supersedes nothing, so what was known before stays the same.
func change(before, now *Answer) (is sinks.Change, former []byte) {
	switch {
	case before.Status == client.Unknown:
		return sinks.ChangeNew, nil
	case now.Status == client.Unknown:
		return sinks.ChangeSame, nil
	case before.Status == client.Mapped:
		return changeOfUID(before, now)
	case now.Status == client.Mapped:
		return sinks.ChangeRestored, nil
	case now.Status == client.OptOut && before.Status == client.Invalid:
		return sinks.ChangeOptedOut, nil
	}
	return sinks.ChangeSame, nil
}

// changeOfUID is change where a raw UID was known and there is an answer now.
func changeOfUID(before, now *Answer) (is sinks.Change, former []byte) {
	switch {
	case now.Status == client.OptOut:
		return sinks.ChangeOptedOut, before.UID
	case now.Status == client.Invalid:
		return sinks.ChangeRemoved, before.UID
	case !bytes.Equal(before.UID, now.UID):
		return sinks.ChangeRotated, before.UID
	}
	return sinks.ChangeSame, nil
}
