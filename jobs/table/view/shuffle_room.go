//go:build linux || darwin

package view

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// checkRoom fails when the file system of a folder has less room than is going to be written at once.
func checkRoom(folder string, need int64) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(folder, &fs); err != nil {
		return spillError(fmt.Errorf("%s: %w", folder, err))
	}
	if free := fs.Bavail * uint64(fs.Bsize); free < uint64(need) {
		return spillError(fmt.Errorf("%s: the file system has %d MB free, and %d MB are needed at least", folder, free>>20, (need+1<<20-1)>>20))
	}
	return nil
}
