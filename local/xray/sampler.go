package xray

import (
	"math/rand/v2"
	"sync"
	"time"
)

// Sampler decides which requests are traced: up to a number in each second, and a share of the others. It is X-Ray's
// default rule, and safe for concurrent use.
type Sampler struct {
	mu        sync.Mutex
	reservoir int
	rate      float64
	second    int64
	taken     int
	modified  time.Time
}

// SetRule makes the sampler take the first reservoir requests of each second and the share rate
// (0 to 1) of the rest. SetRule(0, 1) traces everything.
func (s *Sampler) SetRule(reservoir int, rate float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reservoir, s.rate, s.modified = reservoir, rate, time.Now()
}

// Sample decides about one request.
func (s *Sampler) Sample() bool {
	now := time.Now().Unix()
	s.mu.Lock()
	defer s.mu.Unlock()
	if now != s.second {
		s.second, s.taken = now, 0
	}
	if s.taken < s.reservoir {
		s.taken++
		return true
	}
	return s.rate > 0 && rand.Float64() < s.rate
}

// Decide completes the trace header of a request that arrives: it begins a trace if there is none, and samples if
// nothing has been decided.
func (s *Sampler) Decide(h Header) Header {
	if !isTraceID(h.Root) {
		h.Root, h.Parent = NewTraceID(), ""
	}
	if h.Sampled != Sampled && h.Sampled != NotSampled {
		h.Sampled = NotSampled
		if s.Sample() {
			h.Sampled = Sampled
		}
	}
	return h
}

func (s *Sampler) rule() (reservoir int, rate float64, modified time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reservoir, s.rate, s.modified
}
