package objects

import (
	"os"

	"golang.org/x/sys/unix"
)

// writeBack has the system begin to write a stretch of a file to the disk, and does not wait for it. It is a hint: what
// goes wrong is told by Sync.
func writeBack(f *os.File, from, n int64) {
	_ = unix.SyncFileRange(int(f.Fd()), from, n, unix.SYNC_FILE_RANGE_WRITE)
}
