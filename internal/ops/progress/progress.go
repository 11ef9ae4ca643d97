// Package progress records the progress of long work in a file, so that it can continue after an interruption.
package progress

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// File is the name of a file with the progress of long work, so that it can continue after an interruption. "" records
// nothing.
type File string

// Validate is called by the parser. Who works for hours learns before, and not with the first write, that the file
// cannot be kept.
func (f File) Validate() error {
	if info, err := os.Stat(string(f)); err == nil && info.IsDir() {
		return fmt.Errorf("%s is a directory, and no file", f)
	}
	directory := filepath.Dir(string(f))
	if info, err := os.Stat(directory); err != nil || !info.IsDir() {
		return fmt.Errorf("there is no directory %s", directory)
	}
	return nil
}

// Read returns the content of the file; ok is false if there is no file.
func (f File) Read() (text []byte, ok bool, err error) {
	if f == "" {
		return nil, false, nil
	}
	text, err = os.ReadFile(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	return text, err == nil, err
}

// ErrOther is the error of a file that keeps the progress of other work.
var ErrOther = errors.New("it keeps the progress of other work")

// Resume returns the progress in the file, or begin if there is no file. whole reports whether it is a valid progress,
// and same whether it belongs to the work that begin begins. A file without a valid progress is set aside, and the work
// starts again; aside is then where the file is.
func Resume[P any](f File, begin P, whole, same func(P) bool) (p P, aside string, err error) {
	text, ok, err := f.Read()
	if !ok || err != nil {
		return begin, "", err
	}
	if err := json.Unmarshal(text, &p); err != nil || !whole(p) {
		aside, err = f.SetAside()
		return begin, aside, err
	}
	if !same(p) {
		return begin, "", ErrOther
	}
	return p, "", nil
}

// Write replaces what the file keeps. The rename makes sure that it is never half written.
func (f File) Write(progress any) error {
	if f == "" {
		return nil
	}
	text, err := json.Marshal(progress)
	if err != nil {
		return err
	}
	part := string(f) + ".part"
	if err := os.WriteFile(part, text, 0o600); err != nil {
		return err
	}
	return os.Rename(part, string(f))
}

// SetAside moves a file without a valid progress out of the way, and returns its new name: the work starts again, which
// repeats some of it and loses nothing. The file may be something else, so it is not overwritten.
func (f File) SetAside() (aside string, err error) {
	aside = fmt.Sprintf("%s.damaged-%s", f, time.Now().UTC().Format("20060102T150405Z"))
	return aside, os.Rename(string(f), aside)
}

// Remove says that the work is done.
func (f File) Remove() error {
	if f == "" {
		return nil
	}
	if err := os.Remove(string(f)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
