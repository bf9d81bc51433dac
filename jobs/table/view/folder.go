package view

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

const (
	folderPrefix = "mapper-view-"
	folderLock   = ".lock"
	// folderYoung is for how long a folder may have been made and not be locked yet.
	folderYoung = time.Minute
	// lockYoung is the same for one that has its lock, which is not held yet.
	lockYoung = 2 * time.Second
)

// spillFolder is a folder for one view. As long as its lock is held, which ends with the process, nobody removes it.
type spillFolder struct {
	path string
	lock *flock.Flock
}

// newSpillFolder makes a folder below another one, and removes those there that killed processes have left.
func newSpillFolder(below string) (f spillFolder, err error) {
	if below == "" {
		below = os.TempDir()
	}
	if err := sweep(below); err != nil {
		return f, spillError(err)
	}
	if f.path, err = os.MkdirTemp(below, folderPrefix); err != nil {
		return f, spillError(err)
	}
	f.lock = flock.New(filepath.Join(f.path, folderLock), flock.SetPermissions(0o600))
	locked, err := f.lock.TryLock()
	if err == nil && !locked { // somebody who sweeps took it for left behind
		err = errors.New("another process has taken the folder for left behind; run the command again")
	}
	if err != nil {
		return f, errors.Join(spillError(err), f.remove())
	}
	return f, nil
}

// remove removes the folder with all that is in it. It can be called again.
func (f spillFolder) remove() error {
	err := errors.Join(os.RemoveAll(f.path), f.lock.Close())
	if err != nil {
		err = spillError(err)
	}
	return err
}

// Sweep removes what killed processes have left of their views in the system's folder for temporary files. Each view
// that is opened there does that too; it is for those who find that there is nothing left to open one for.
func Sweep() error {
	if err := sweep(os.TempDir()); err != nil {
		return spillError(err)
	}
	return nil
}

// sweep removes the folders that nobody has locked. What cannot be removed belongs to somebody else.
func sweep(below string) error {
	entries, err := os.ReadDir(below)
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !e.IsDir() || !strings.HasPrefix(e.Name(), folderPrefix) {
			continue
		}
		path := filepath.Join(below, e.Name())
		young := folderYoung
		if _, err := os.Stat(filepath.Join(path, folderLock)); err == nil {
			young = lockYoung
		}
		if time.Since(info.ModTime()) < young {
			continue
		}
		lock := flock.New(filepath.Join(path, folderLock))
		if free, err := lock.TryLock(); err == nil && free {
			_ = os.RemoveAll(path)
		}
		_ = lock.Close()
	}
	return nil
}
