package jobs_test

import "golang.org/x/sys/unix"

// callOf reads the call of a thread that is stopped at it. In register 7 the kernel says whether it has returned.
func callOf(thread int) (call, error) {
	const generalRegisters = 1 // NT_PRSTATUS
	var r unix.PtraceRegsArm64
	err := unix.PtraceGetRegSetArm64(thread, generalRegisters, &r)
	return call{number: r.Regs[8], flags: r.Regs[2], returned: r.Regs[7] == 1}, err
}
