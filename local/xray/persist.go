package xray

import (
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"milepost/local/storage"
)

// bucket holds, by trace id, the list of a trace's documents. Trace ids begin with their time, so
// the order of the keys is the order of the traces.
const bucket = "xray.traces"

const flushAfter = time.Second

// persister writes what is dirty a moment after the first change, so that a trace whose segments arrive one after the
// other is written once or twice and not with each of them.
type persister struct {
	mu     sync.Mutex
	timer  *time.Timer
	armed  bool
	closed bool
	wg     sync.WaitGroup
}

// wake makes sure that s is flushed soon.
func (p *persister) wake(s *Service) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.armed || p.closed {
		return
	}
	p.armed = true
	p.wg.Add(1)
	p.timer = time.AfterFunc(flushAfter, func() {
		defer p.wg.Done()
		p.mu.Lock()
		p.armed = false
		p.mu.Unlock()
		if err := s.flush(); err != nil {
			s.log.Error("write traces", "error", err)
		}
	})
}

func (p *persister) close() {
	p.mu.Lock()
	p.closed = true
	if p.armed && p.timer.Stop() {
		p.wg.Done()
	}
	p.mu.Unlock()
	p.wg.Wait()
}

func (s *Service) flush() error {
	s.mu.Lock()
	dirty := make(map[string][]*Segment, len(s.dirty))
	for id := range s.dirty {
		var segments []*Segment
		if t, ok := s.traces[id]; ok {
			segments = t.segments
		}
		dirty[id] = segments
	}
	clear(s.dirty)
	s.mu.Unlock()

	ops := make([]storage.Op, 0, len(dirty))
	for id, segments := range dirty {
		op := storage.Op{Bucket: bucket, Key: []byte(id)}
		if segments != nil {
			value, err := encodeTrace(segments)
			if err != nil {
				return fmt.Errorf("encode trace %s: %w", id, err)
			}
			op.Value = value
		}
		ops = append(ops, op)
	}
	return s.store.Commit(ops...)
}

func encodeTrace(segments []*Segment) ([]byte, error) {
	documents := make([]json.RawMessage, len(segments))
	for i, seg := range segments {
		var err error
		if documents[i], err = seg.text(); err != nil {
			return nil, err
		}
	}
	return json.Marshal(documents)
}

func (s *Service) load() error {
	return s.store.Each(bucket, func(key, value []byte) error {
		var documents []json.RawMessage
		if err := json.Unmarshal(value, &documents); err != nil {
			return fmt.Errorf("read trace %s: %w", key, err)
		}
		t := &trace{id: string(key), updated: time.Now()}
		for _, d := range documents {
			seg := &Segment{document: d}
			if err := json.Unmarshal(d, seg); err != nil {
				return fmt.Errorf("read trace %s: %w", key, err)
			}
			t.segments = append(t.segments, seg)
			if seg.InProgress {
				t.inProgress++
			}
			s.segments++
		}
		s.traces[t.id] = t
		s.order = append(s.order, t)
		return nil
	})
}
