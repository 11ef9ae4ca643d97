// Package xray plays AWS X-Ray on one machine. A Service takes Segments from the local services,
// from the UDP socket of a Daemon and from PutTraceSegments; it answers the queries of the X-Ray
// API; and it decides, as a Sampler, which requests are traced. A Header carries that decision
// from one service to the next.
//
// Traces are telemetry, not truth. They are kept in memory up to a bound, and the oldest ones make room for new ones.
// With a Store they are also written to disk, about once a second, so that a restart shows them again; what arrived in
// the last second before a kill is lost, and a failure to write is logged and fails nothing else.
package xray

import (
	"cmp"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"milepost/local/storage"
)

const (
	defaultCapacity = 20_000
	// segmentsPerTrace bounds what one trace may hold; X-Ray limits a trace's document too.
	segmentsPerTrace = 2_000
	// averageSegments bounds all traces together: Capacity times this many segments.
	averageSegments = 12
)

// Config configures a Service. Its zero value keeps 20,000 traces in memory only.
type Config struct {
	// Store keeps the traces over a restart; nil keeps them in memory only.
	Store *storage.Store
	// Logger receives errors in the background; nil discards them.
	Logger *slog.Logger
	// Capacity is how many traces are kept; 0 means 20,000. Together they may hold twelve times as many segments and
	// subsegments that came alone.
	Capacity int
}

// Service stores traces and answers queries about them. It is safe for concurrent use.
type Service struct {
	Sampler // which requests to trace; by default one a second and 5 % of the others

	log      *slog.Logger
	store    *storage.Store
	capacity int

	mu       sync.Mutex
	traces   map[string]*trace
	order    []*trace // oldest first
	segments int      // in all traces
	dropped  int      // traces
	refused  int      // segments
	dirty    map[string]bool

	persister persister
	groups    groups
}

// trace is what is known about one trace. Segments that it holds are never changed, so that a copy of the slice header
// can be read without the lock.
type trace struct {
	id         string
	segments   []*Segment
	inProgress int
	updated    time.Time
	limited    bool // segments were refused
}

// New makes a Service and reads what its Store kept.
func New(c Config) (*Service, error) {
	s := &Service{
		log: c.Logger, store: c.Store, capacity: c.Capacity,
		traces: map[string]*trace{}, dirty: map[string]bool{}, groups: groups{byName: map[string]Group{}},
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.capacity <= 0 {
		s.capacity = defaultCapacity
	}
	s.SetRule(1, 0.05)
	if err := errors.Join(s.load(), s.loadGroups()); err != nil {
		return nil, err
	}
	return s, nil
}

// Close writes what is not yet on disk. The Service still answers afterwards, but keeps nothing more.
func (s *Service) Close() error {
	s.persister.close()
	return s.flush()
}

// Stats counts what a Service holds and what it had to let go.
type Stats struct {
	Traces, Segments int
	// DroppedTraces made room for newer ones; RefusedSegments belong to a trace that was full.
	DroppedTraces, RefusedSegments int
}

// Stats returns the present counts.
func (s *Service) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Stats{len(s.traces), s.segments, s.dropped, s.refused}
}

// Put takes one segment or subsegment document of at most 64 KB. The error of a document that
// X-Ray refuses is an *InvalidSegment.
func (s *Service) Put(document []byte) error {
	seg, err := parseSegment(document)
	if err != nil {
		return err
	}
	s.add(seg)
	return nil
}

// PutSegment takes a segment or a subsegment from a service that made it itself. It is not
// validated, and neither it nor what it refers to may be changed afterwards. A segment that was
// in progress is replaced by the one with the same id.
func (s *Service) PutSegment(seg Segment) { s.add(&seg) }

func (s *Service) add(seg *Segment) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.traces[seg.TraceID]
	if t == nil {
		t = &trace{id: seg.TraceID}
		s.traces[seg.TraceID] = t
		s.order = append(s.order, t)
	}
	t.updated = now
	if !t.replace(seg) {
		if len(t.segments) >= segmentsPerTrace {
			t.limited = true
			s.refused++
			return
		}
		t.segments = append(t.segments, seg)
		if seg.InProgress {
			t.inProgress++
		}
		s.segments++
	}
	if s.store != nil {
		s.dirty[t.id] = true
		s.persister.wake(s)
	}
	for len(s.traces) > s.capacity || s.segments > averageSegments*s.capacity && len(s.traces) > 1 {
		s.dropOldest()
	}
}

// replace puts a segment in the place of the one in progress with the same id.
func (t *trace) replace(seg *Segment) bool {
	if t.inProgress == 0 {
		return false
	}
	i := slices.IndexFunc(t.segments, func(old *Segment) bool { return old.InProgress && old.ID == seg.ID })
	if i < 0 {
		return false
	}
	t.segments = slices.Clone(t.segments)
	t.segments[i] = seg
	if !seg.InProgress {
		t.inProgress--
	}
	return true
}

func (s *Service) dropOldest() {
	t := s.order[0]
	s.order[0] = nil // the array lives on until append moves to another one
	s.order = s.order[1:]
	delete(s.traces, t.id)
	s.segments -= len(t.segments)
	s.dropped++
	if s.store != nil {
		s.dirty[t.id] = true
	}
}

// snapshot copies the traces that keep accepts, newest id first.
func (s *Service) snapshot(keep func(*trace) bool) []trace {
	s.mu.Lock()
	var found []trace
	for _, t := range s.order {
		if keep(t) {
			found = append(found, *t)
		}
	}
	s.mu.Unlock()
	slices.SortFunc(found, func(a, b trace) int { return cmp.Compare(b.id, a.id) })
	return found
}

// byID copies the traces with the given ids and names the ids that are not known.
func (s *Service) byID(ids []string) (found []trace, unknown []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		if t, ok := s.traces[id]; ok {
			found = append(found, *t)
		} else {
			unknown = append(unknown, id)
		}
	}
	return found, unknown
}

// bounds returns the first start and the last end of a trace's segments, in epoch seconds.
func (t *trace) bounds() (start, end float64) {
	for i, seg := range t.segments {
		if i == 0 || seg.StartTime < start {
			start = seg.StartTime
		}
		end = max(end, seg.StartTime, seg.EndTime)
	}
	return start, end
}

// roots returns the segments without a parent in the trace, by start.
func (t *trace) roots() []*Segment {
	var roots []*Segment
	known := map[string]bool{}
	for _, seg := range t.segments {
		seg.walk(func(part *Segment) { known[part.ID] = true })
	}
	for _, seg := range t.segments {
		if !known[seg.ParentID] && seg.Type != "subsegment" {
			roots = append(roots, seg)
		}
	}
	slices.SortStableFunc(roots, func(a, b *Segment) int { return cmp.Compare(a.StartTime, b.StartTime) })
	return roots
}

func serviceType(seg *Segment) string {
	if seg.Origin == "" && seg.Namespace == "remote" {
		return "remote"
	}
	return seg.Origin
}

func isTraceID(id string) bool {
	return len(id) == 35 && strings.HasPrefix(id, "1-") && id[10] == '-' && isHex(id[2:10]) && isHex(id[11:])
}

func isHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return s != ""
}
