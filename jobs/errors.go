package jobs

import (
	"fmt"
	"strings"
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

// flagNamed returns the flag of a setting.
func flagNamed(setting string) string { return "--" + strings.ReplaceAll(setting, "_", "-") }
