package jobs_test

import "syscall"

// callOf reads the call of a thread that is stopped at it. Until the call returns, its result is ENOSYS.
func callOf(thread int) (call, error) {
	var r syscall.PtraceRegs
	err := syscall.PtraceGetRegs(thread, &r)
	return call{number: r.Orig_rax, flags: r.Rdx, returned: -int64(r.Rax) != int64(syscall.ENOSYS)}, err
}
