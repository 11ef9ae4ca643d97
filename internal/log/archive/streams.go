package archive

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"milepost/internal/log/eventstore"
)

// Broken is the error if an archive does not have a stream as it was appended.
type Broken struct {
	StreamID string
	Version  int
	// What says what is wrong there.
	What string
}

func (b *Broken) Error() string {
	return fmt.Sprintf("stream %s: version %d %s", b.StreamID, b.Version, b.What)
}

// Streams puts the events of an archive in order: it returns each version of each stream once, after the one before it,
// and checks that it follows that one in the chain of hashes. It keeps about 150 bytes for each stream and 8 for each
// event.
type Streams struct {
	tails map[string]*tail
	// Repeats counts the events that came again.
	Repeats int
}

// tail is what is known of a stream.
type tail struct {
	// base is the version after which the archive's events begin, and digests are the first bytes of their hashes.
	base    int
	digests []uint64
	// last is the hash of the event at version.
	last string
	// held are events that arrived before their predecessors.
	held map[int]eventstore.Event
}

func (t *tail) version() int { return t.base + len(t.digests) }

// digestOf is the beginning of a hash: enough to distinguish events under the same version.
func digestOf(hash string) uint64 {
	d, _ := strconv.ParseUint(hash[:16], 16, 64) // a hash is hexadecimal
	return d
}

// size is how many streams there are.
func (s *Streams) size() int { return len(s.tails) }

// Add takes an event in and returns those that are next: none when it came before, or when one before it has not come
// yet. The error is *Broken.
func (s *Streams) Add(e eventstore.Event) ([]eventstore.Event, error) {
	if s.tails == nil {
		s.tails = map[string]*tail{}
	}
	t := s.tails[e.StreamID]
	if t == nil {
		t = &tail{}
		s.tails[e.StreamID] = t
	}
	held, waiting := t.held[e.Version]
	switch {
	case e.Version <= t.base:
		return nil, &Broken{e.StreamID, e.Version, "comes after later ones that do not need it"}
	case e.Version <= t.version() && digestOf(e.Hash()) != t.digests[e.Version-t.base-1], waiting && held.Hash() != e.Hash():
		return nil, &Broken{e.StreamID, e.Version, "is there twice, and differs"}
	case e.Version <= t.version(), waiting:
		s.Repeats++
		return nil, nil
	case e.Version > t.version()+1:
		if t.held == nil {
			t.held = map[int]eventstore.Event{}
		}
		t.held[e.Version] = e
		return nil, nil
	}
	return t.follow(e)
}

// follow returns e and the held events that follow it.
func (t *tail) follow(e eventstore.Event) ([]eventstore.Event, error) {
	var next []eventstore.Event
	for ok := true; ok; e, ok = t.held[t.version()+1] {
		if e.PreviousHash != t.last {
			if e.Version == 1 {
				return nil, &Broken{e.StreamID, e.Version, "claims that one precedes it"}
			}
			return nil, &Broken{e.StreamID, e.Version, fmt.Sprintf("does not follow version %d: one of them was changed", e.Version-1)}
		}
		t.last = e.Hash()
		t.digests = append(t.digests, digestOf(t.last))
		delete(t.held, e.Version)
		next = append(next, e)
	}
	return next, nil
}

// Waiting returns the streams with held events, in order, each with the version that is missing before the first of
// them.
func (s *Streams) Waiting() []eventstore.Fault {
	var faults []eventstore.Fault
	for stream, t := range s.tails {
		first := 0
		for version := range t.held {
			if first == 0 || version < first {
				first = version
			}
		}
		if first > 0 {
			faults = append(faults, eventstore.Fault{StreamID: stream, Version: first - 1, What: "missing"})
		}
	}
	slices.SortFunc(faults, func(a, b eventstore.Fault) int { return cmp.Compare(a.StreamID, b.StreamID) })
	return faults
}

// behind records the event before held ones, found elsewhere, and returns those that follow it.
func (s *Streams) behind(e eventstore.Event) ([]eventstore.Event, error) {
	t := s.tails[e.StreamID]
	t.base, t.digests, t.last = e.Version, nil, e.Hash()
	next, ok := t.held[e.Version+1]
	if !ok {
		return nil, nil
	}
	return t.follow(next)
}
