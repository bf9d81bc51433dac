package jobs

import (
	"errors"
	"fmt"
	"strings"

	"github.com/dustin/go-humanize"

	"mapper/client/objects"
)

// UsageError is a job that cannot be meant as it stands: the user has to say it differently.
type UsageError struct {
	message string
	setting string // the one that is wrong, as a key of job files; empty when it is not one setting
}

// Error returns what is wrong and what to write instead.
func (e *UsageError) Error() string { return e.message }

func usagef(format string, args ...any) error {
	return &UsageError{message: fmt.Sprintf(format, args...)}
}

// settingf is an error about one setting, which the message names as a flag.
func settingf(setting, format string, args ...any) error {
	return &UsageError{setting: setting, message: flagNamed(setting) + " " + fmt.Sprintf(format, args...)}
}

// outError is an error about the place that a job writes to: one of a storage, or else a name that cannot be meant.
func outError(err error) error {
	var storage *objects.Error
	if errors.As(err, &storage) {
		return fmt.Errorf("--out: %w", err)
	}
	return usagef("--out: %v", err)
}

// checkMemory refuses a byte budget that nothing can be done with.
func checkMemory(budget int64) error {
	if budget < minMemory {
		return settingf("memory", "%s is too little; the least is %s", humanize.Bytes(uint64(budget)), humanize.Bytes(minMemory))
	}
	return nil
}

// reworded is an error in other words than that which it wraps.
type reworded struct {
	text  string
	cause error
}

// Error returns the words.
func (e *reworded) Error() string { return e.text }

// Unwrap returns the error as it was.
func (e *reworded) Unwrap() error { return e.cause }

// flagNamed returns the flag of a setting.
func flagNamed(setting string) string { return "--" + strings.ReplaceAll(setting, "_", "-") }
