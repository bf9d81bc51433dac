package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"mapper/client"
	"mapper/client/objects"
	"mapper/jobs"
	"mapper/jobs/table"
)

// Exit codes are an interface: schedulers decide by them.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 3
	exitRefused     = 4
	exitUnreachable = 5
)

const exitCodesHelp = `Exit codes: 0 done · 1 failed (bad input, damage found, the run is being worked on by another process)
2 usage, or another service's table · 3 interrupted: run the same command to resume
4 refused: credentials, role, clock, or a file that this user may not read or write · 5 out of reach: the service or the storage kept failing; run the same command to resume`

// usageError is a command line that cannot be meant as it stands.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// exitCode is the one place where errors become exit codes.
func exitCode(err error) int {
	var usage usageError
	var job *jobs.UsageError
	var service *client.Error
	var storage *objects.Error
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &usage), errors.As(err, &job), errors.Is(err, table.ErrOtherTable), strings.HasPrefix(err.Error(), "unknown command"):
		return exitUsage
	case errors.As(err, &service) && service.Fault == client.Refused:
		return exitRefused
	case errors.As(err, &storage) && errors.Is(storage, fs.ErrPermission):
		return exitRefused
	case errors.Is(err, context.Canceled): // what a storage does not answer any more then does not matter
		return exitInterrupted
	case errors.Is(err, objects.ErrUnavailable):
		return exitUnreachable
	case errors.As(err, &service) && service.Fault == client.Unreachable:
		return exitUnreachable
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS): // of the local file system
		return exitRefused
	}
	return exitFailed
}
