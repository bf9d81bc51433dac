package jobs

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"

	"mapper/client/objects"
)

// What to do when the system lets this user not read or write.
const (
	letWrite = "let this user read and write there, or give another --out"
	letRead  = "let this user read it"
)

// advised adds to an error of the local file system what to do about it: the system says less than a storage in the
// cloud does.
func (m *Map) advised(err error) error {
	var at *fs.PathError
	var cloud *objects.Error
	if errors.As(err, &cloud) || !errors.As(err, &at) {
		return err
	}
	switch {
	case isDenied(at) && m.isOut(at.Path):
		return &reworded{fmt.Sprintf("%s: %v; %s", at.Path, at.Err, letWrite), err}
	case isDenied(at):
		return &reworded{fmt.Sprintf("%s: %v; %s", at.Path, at.Err, letRead), err}
	case errors.Is(at, syscall.ENOSPC), errors.Is(at, syscall.EDQUOT):
		return &reworded{fmt.Sprintf("%s: %v; make room, then run the same command again", at.Path, at.Err), err}
	}
	return err
}

// isDenied says whether a local file may not be read or written by this user, or by nobody.
func isDenied(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)
}

// isOut says whether a path is that of the table, lies in it, or is a folder above it, which has to be made first.
func (m *Map) isOut(path string) bool {
	out, err := filepath.Abs(m.Out)
	if err != nil {
		return false
	}
	within, err1 := filepath.Rel(out, path)
	above, err2 := filepath.Rel(path, out)
	return err1 == nil && filepath.IsLocal(within) || err2 == nil && filepath.IsLocal(above)
}
