// Package logs plays CloudWatch Logs: it keeps the lines of functions, bounded by size and age, and answers reads of them.
// Lines come from the functions of the stack alone; writing by API is refused by name.
package logs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"milepost/local/storage"
)

// bucket holds lines by their group and number.
const bucket = "logs.lines"

// The bounds of what is kept.
const (
	// maxGroup and maxLine are in bytes; a longer line is cut, as AWS cuts it.
	maxGroup = 32 << 20
	maxLine  = 256 << 10
	// overhead is what AWS counts for a line besides its text.
	overhead = 26
	// flushAfter is how long lines may wait until they are written to the disk.
	flushAfter = time.Second
)

// Config is what a Service needs.
type Config struct {
	// Store keeps lines; nil keeps them in memory.
	Store  *storage.Store
	Logger *slog.Logger
}

// Service keeps the lines of groups. It is safe for concurrent use.
type Service struct {
	store *storage.Store
	log   *slog.Logger

	mu      sync.Mutex
	groups  map[string]*group
	dirty   []storage.Op
	flushes sync.WaitGroup
	timer   *time.Timer
	closed  bool
}

type group struct {
	name    string
	created int64
	// days are kept, 0 for ever.
	days  int
	lines []line // in the order of their numbers, and nearly of their times
	bytes int
	next  uint64
}

// line is one event, with times in milliseconds.
type line struct {
	Number   uint64 `json:"-"`
	Stream   string `json:"s"`
	At       int64  `json:"t"`
	Ingested int64  `json:"i"`
	Message  string `json:"m"`
}

func (l line) size() int { return len(l.Message) + overhead }

// New returns a Service with what the store has of earlier runs.
func New(c Config) (*Service, error) {
	s := &Service{store: c.Store, log: c.Logger, groups: map[string]*group{}}
	err := s.store.Each(bucket, func(key, value []byte) error {
		name, number, ok := strings.Cut(string(key), "\x00")
		var l line
		if _, err := fmt.Sscanf(number, "%d", &l.Number); !ok || err != nil {
			return fmt.Errorf("read a log line: its key is %q", key)
		}
		if err := json.Unmarshal(value, &l); err != nil {
			return fmt.Errorf("read line %d of the log group %s: %w", l.Number, name, err)
		}
		g := s.group(name)
		g.lines, g.bytes, g.next = append(g.lines, l), g.bytes+l.size(), l.Number+1
		g.created = min(g.created, l.At)
		return nil
	})
	return s, err
}

// Declare makes a group whose lines are kept for a number of days, 0 for ever.
func (s *Service) Declare(name string, days int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.group(name).days = days
}

// group returns a group, which it makes if there is none. The caller holds mu, or has the Service for itself.
func (s *Service) group(name string) *group {
	g := s.groups[name]
	if g == nil {
		g = &group{name: name, created: time.Now().UnixMilli()}
		s.groups[name] = g
	}
	return g
}

// Writer returns what a function writes its lines to. A write has whole lines, as a logger makes them; of a line over 256 KB
// the rest is left out.
func (s *Service) Writer(group, stream string) io.Writer { return &writer{s, group, stream} }

type writer struct {
	*Service
	group, stream string
}

func (w *writer) Write(text []byte) (int, error) {
	for part := range bytes.Lines(text) {
		if part = bytes.TrimRight(part, "\r\n"); len(part) > 0 {
			w.add(w.group, w.stream, string(part[:min(len(part), maxLine)]))
		}
	}
	return len(text), nil
}

func (s *Service) add(name, stream, message string) {
	now := time.Now().UnixMilli()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	g := s.group(name)
	l := line{Number: g.next, Stream: stream, At: now, Ingested: now, Message: message}
	g.next++
	g.lines, g.bytes = append(g.lines, l), g.bytes+l.size()
	if value, err := json.Marshal(l); err == nil { // a line is always JSON
		s.keep(storage.Op{Bucket: bucket, Key: g.key(l), Value: value})
	}
	s.expire(g)
}

// expire forgets what is too old or too much. The caller holds mu.
func (s *Service) expire(g *group) {
	oldest, n := int64(0), 0
	if g.days > 0 {
		oldest = time.Now().UnixMilli() - int64(g.days)*24*time.Hour.Milliseconds()
	}
	for n < len(g.lines) && (g.bytes > maxGroup || g.lines[n].At < oldest) {
		g.bytes -= g.lines[n].size()
		s.keep(storage.Op{Bucket: bucket, Key: g.key(g.lines[n])})
		n++
	}
	clear(g.lines[:n]) // so that the array does not hold their texts
	g.lines = g.lines[n:]
}

func (g *group) key(l line) []byte { return fmt.Appendf(nil, "%s\x00%020d", g.name, l.Number) }

// keep has a change written soon. The caller holds mu.
func (s *Service) keep(op storage.Op) {
	if s.store == nil {
		return
	}
	s.dirty = append(s.dirty, op)
	if s.timer == nil {
		s.flushes.Add(1)
		s.timer = time.AfterFunc(flushAfter, func() {
			defer s.flushes.Done()
			s.flush()
		})
	}
}

func (s *Service) flush() {
	s.mu.Lock()
	ops := s.dirty
	s.dirty, s.timer = nil, nil
	s.mu.Unlock()
	if err := s.store.Commit(ops...); err != nil {
		s.log.Error("write log lines", "error", err)
	}
}

// Close writes what is not written yet. Lines that come later are lost, as when an environment is gone.
func (s *Service) Close() {
	s.mu.Lock()
	s.closed = true
	if s.timer != nil && s.timer.Stop() {
		s.flushes.Done()
	}
	s.mu.Unlock()
	s.flushes.Wait()
	s.flush()
}
