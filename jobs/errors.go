package jobs

import "fmt"

// UsageError is a job that cannot be meant as it stands: the user has to say it differently.
type UsageError struct{ message string }

// Error returns what is wrong and what to write instead.
func (e *UsageError) Error() string { return e.message }

func usagef(format string, args ...any) error {
	return &UsageError{message: fmt.Sprintf(format, args...)}
}
