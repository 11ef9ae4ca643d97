// Package storage keeps the state of the local services on disk, so that what was acknowledged
// survives the process being killed at any moment.
//
// A Store holds key-value pairs in named buckets. The services keep their state in memory and
// write every change through; on start they read it back with Load. Commits of goroutines that
// wait at the same time share one transaction. A nil *Store keeps nothing: the runtime is then
// in memory only.
package storage

import (
	"cmp"
	"errors"
	"fmt"
	"sync"

	"go.etcd.io/bbolt"
)

// Op sets Key of Bucket to Value; a nil Value deletes the key. The Store keeps the slices, so the
// caller must not change them afterwards.
type Op struct {
	Bucket     string
	Key, Value []byte
}

// Store is a set of buckets in one file. It is safe for concurrent use.
type Store struct {
	db *bbolt.DB

	mu      sync.Mutex
	waiting *group
	closed  bool
	broken  error
	running sync.WaitGroup
	busy    bool
}

// group is what one transaction commits.
type group struct {
	ops  []Op
	done chan struct{}
	err  error
}

// ErrClosed is returned by a Commit after Close.
var ErrClosed = errors.New("storage: closed")

// Commit applies ops as one: after a crash either all of them are there or none. It returns once
// they are safe.
func (s *Store) Commit(ops ...Op) error {
	if s == nil || len(ops) == 0 {
		return nil
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrClosed
	}
	g := s.waiting
	if g == nil {
		g = &group{done: make(chan struct{})}
		s.waiting = g
	}
	g.ops = append(g.ops, ops...)
	lead := !s.busy
	if lead {
		s.busy = true
		s.running.Add(1)
	}
	s.mu.Unlock()
	if lead {
		s.commitWaiting()
	}
	<-g.done
	return g.err
}

// commitWaiting commits groups until none waits. The first goroutine that finds the store idle does so for all that
// arrive meanwhile.
func (s *Store) commitWaiting() {
	defer s.running.Done()
	for {
		s.mu.Lock()
		g, broken := s.waiting, s.broken
		s.waiting = nil
		if g == nil {
			s.busy = false
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		g.err = s.db.Update(func(tx *bbolt.Tx) error { return cmp.Or(broken, apply(tx, g.ops)) })
		close(g.done)
	}
}

func apply(tx *bbolt.Tx, ops []Op) error {
	for _, op := range ops {
		b, err := tx.CreateBucketIfNotExists([]byte(op.Bucket))
		if err != nil {
			return err
		}
		if op.Value == nil {
			err = b.Delete(op.Key)
		} else {
			err = b.Put(op.Key, op.Value)
		}
		if err != nil {
			return fmt.Errorf("write %s/%q: %w", op.Bucket, op.Key, err)
		}
	}
	return nil
}

// Each calls fn for every pair of a bucket, in the order of the keys. The slices are only valid during the call. An
// error of fn is reported as an error of the file, because its content cannot be read.
func (s *Store) Each(bucket string, fn func(key, value []byte) error) error {
	if s == nil {
		return nil
	}
	return s.db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte(bucket))
		if b == nil {
			return nil
		}
		return b.ForEach(func(key, value []byte) error {
			if err := fn(key, value); err != nil {
				return damaged(s.db.Path(), fmt.Errorf("%s/%q: %w", bucket, key, err))
			}
			return nil
		})
	})
}

// Break lets every Commit fail with err, as on a disk that is full, until it is called with nil. It is for tests.
func (s *Store) Break(err error) {
	s.mu.Lock()
	s.broken = err
	s.mu.Unlock()
}

// EachFrom calls fn for the pairs of a bucket whose keys are not before from, in the order of the
// keys, until fn returns false. The slices are only valid during the call, and fn must not Commit.
func (s *Store) EachFrom(bucket string, from []byte, fn func(key, value []byte) bool) error {
	if s == nil {
		return nil
	}
	return s.db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte(bucket))
		if b == nil {
			return nil
		}
		c := b.Cursor()
		for k, v := c.Seek(from); k != nil && fn(k, v); k, v = c.Next() {
		}
		return nil
	})
}

// Close waits for running commits and closes the file.
func (s *Store) Close() error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.running.Wait()
	return s.db.Close()
}
