package objectstest

import "syscall"

// endWithParent makes the kernel end a process when we end, however we do.
func endWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
