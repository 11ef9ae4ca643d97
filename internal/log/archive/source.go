package archive

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"
)

// Source is where an archive is read from.
type Source interface {
	// Objects lists the objects in the order in which they are to be read.
	Objects(ctx context.Context) ([]Listed, error)
	// Open begins to read one.
	Open(ctx context.Context, name string) (io.ReadCloser, error)
}

// Listed is an object that can be read.
type Listed struct {
	Name string
	// Size is how many bytes it has, 0 if unknown.
	Size int64
	// Modified is when it was put, the zero time if unknown.
	Modified time.Time
}

// Files is where all objects of an archive are read from, including those without events.
type Files interface {
	// List lists the objects whose names begin and end with texts, by name.
	List(ctx context.Context, prefix, suffix string) ([]Listed, error)
	// File reads a whole object.
	File(ctx context.Context, name string) ([]byte, error)
}

// Single is a Source of one object.
type Single struct {
	io.Reader
	Listed
}

// Objects returns the one.
func (s Single) Objects(context.Context) ([]Listed, error) { return []Listed{s.Listed}, nil }

// Open begins to read it.
func (s Single) Open(context.Context, string) (io.ReadCloser, error) {
	return io.NopCloser(s.Reader), nil
}

// Directory is a Source of the objects in a directory and all below.
type Directory struct{ fs.FS }

// Objects lists them by name.
func (d Directory) Objects(context.Context) ([]Listed, error) {
	var all []Listed
	err := fs.WalkDir(d.FS, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(name, Suffix) {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			all = append(all, Listed{Name: name, Size: info.Size()})
		}
		return err
	})
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("no file there ends with %s", Suffix)
	}
	return all, err
}

// List lists the files whose names begin and end with texts, by name.
func (d Directory) List(_ context.Context, prefix, suffix string) ([]Listed, error) {
	var all []Listed
	err := fs.WalkDir(d.FS, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasPrefix(name, prefix) || !strings.HasSuffix(name, suffix) {
			return err
		}
		all = append(all, Listed{Name: name})
		return nil
	})
	return all, err
}

// File reads a whole file.
func (d Directory) File(_ context.Context, name string) ([]byte, error) {
	return fs.ReadFile(d.FS, name)
}

// Open begins to read a file.
func (d Directory) Open(_ context.Context, name string) (io.ReadCloser, error) {
	return d.FS.Open(name)
}
