//go:build !linux

package objectstest

import "syscall"

// endWithParent does nothing: only the end of the test ends a process here.
func endWithParent() *syscall.SysProcAttr { return nil }
