package storage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"
)

// Open opens the file at path, and creates it if there is none. A file that another process has open is an error, and
// so is an empty, truncated or otherwise damaged one: it never counts as new.
//
// Writes reach the operating system before a Commit returns, which a killed process survives.
// They are not forced to the disk: after a power cut the file may be lost.
func Open(path string) (*Store, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = create(path)
	case err == nil && info.Size() == 0:
		err = damaged(path, errors.New("it is empty"))
	case err == nil:
		err = inspect(path, info.Size())
	}
	if err != nil {
		return nil, err
	}
	db, err := open(path, bbolt.Options{NoSync: true, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return nil, err
	}
	return &Store{db: db}, nil
}

func open(path string, options bbolt.Options) (*bbolt.DB, error) {
	options.Timeout = time.Second
	db, err := bbolt.Open(path, 0o600, &options)
	switch {
	case errors.Is(err, bbolterrors.ErrTimeout):
		return nil, fmt.Errorf("open %s: another process has it open", path)
	case errors.Is(err, bbolterrors.ErrInvalid), errors.Is(err, bbolterrors.ErrChecksum), errors.Is(err, bbolterrors.ErrVersionMismatch):
		return nil, damaged(path, err)
	case err != nil:
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return db, nil
}

// damaged says what is wrong with the file at path, and what to do.
func damaged(path string, err error) error {
	return fmt.Errorf("%s is damaged: %w; put a copy of it back, or move it away to begin with nothing", path, err)
}

// create makes a file with no buckets. The file is complete as soon as it exists under its name, so that a killed
// process leaves no empty one; and it never replaces one that another process made meanwhile.
func create(path string) error {
	part, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.part")
	if err != nil {
		return fmt.Errorf("make %s: %w", path, err)
	}
	defer func() { _ = os.Remove(part.Name()) }() // the file has its own name by then
	if err := part.Close(); err != nil {
		return fmt.Errorf("make %s: %w", path, err)
	}
	db, err := open(part.Name(), bbolt.Options{})
	if err != nil {
		return err
	}
	if err := db.Close(); err != nil {
		return fmt.Errorf("make %s: %w", path, err)
	}
	if err := os.Link(part.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make %s: %w", path, err)
	}
	return nil
}

// inspect reads all that a file has, before anything is done with it.
func inspect(path string, size int64) error {
	db, err := open(path, bbolt.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	defer db.Close()
	err = checkHeads(path, db.Info().PageSize)
	if err == nil {
		err = db.View(func(tx *bbolt.Tx) error { return readAll(tx, size) })
	}
	if err != nil {
		return damaged(path, err)
	}
	return nil
}

// checkHeads checks the first two pages, each of which says where everything is: commits write them alternately. If one
// is damaged, the database takes the other, and would lose its last commit. Each has, after the page's header, a
// checksum of the fields before it.
func checkHeads(path string, pageSize int) error {
	const header, fields = 16, 56
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	for page := range 2 {
		head := make([]byte, header+fields+8)
		if _, err := file.ReadAt(head, int64(page*pageSize)); err != nil {
			return err
		}
		sum := fnv.New64a()
		sum.Write(head[header : header+fields])
		if binary.NativeEndian.Uint64(head[header+fields:]) != sum.Sum64() {
			return fmt.Errorf("page %d is not what was written", page)
		}
	}
	return nil
}

// readAll touches every page that is in use. What the database only asserts, and memory that is not there, are
// errors here.
func readAll(tx *bbolt.Tx, size int64) (err error) {
	if tx.Size() > size {
		return fmt.Errorf("it is cut off: %d bytes of %d", size, tx.Size())
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if problem := recover(); problem != nil {
			err = fmt.Errorf("%v", problem)
		}
	}()
	var touched byte
	defer func() { runtime.KeepAlive(touched) }()
	return tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
		var last []byte
		return b.ForEach(func(key, value []byte) error {
			if last != nil && bytes.Compare(last, key) >= 0 {
				return fmt.Errorf("the keys of bucket %q are not in order", name)
			}
			last = append(last[:0], key...)
			if len(value) > 0 {
				touched += value[0] + value[len(value)-1] // a page that is not there faults now
			}
			return nil
		})
	})
}
