package archive

import (
	"context"
	"fmt"
	"iter"

	"milepost/internal/log/eventstore"
)

// Whole returns the streams of an archive in which each is contiguous, as in an export to a file: each with all its
// events, in order. It keeps nothing of those that it returned. The error is *Broken at the first event that does not
// directly follow the one before it, as in an archive in the order of arrival. The chain of hashes is not checked:
// eventstore.Verify does that for a stream.
func (r *Reader) Whole(ctx context.Context) iter.Seq2[[]eventstore.Event, error] {
	return func(yield func([]eventstore.Event, error) bool) {
		var stream []eventstore.Event
		for events, err := range r.Events(ctx) {
			if err != nil {
				yield(nil, err)
				return
			}
			for len(events) > 0 {
				if len(stream) > 0 && stream[0].StreamID != events[0].StreamID {
					if !yield(stream, nil) {
						return
					}
					stream = nil
				}
				n := 0
				for n < len(events) && events[n].StreamID == events[0].StreamID {
					if v := events[n].Version; v != len(stream)+n+1 {
						yield(nil, &Broken{events[n].StreamID, v, fmt.Sprintf("does not follow version %d: the stream is in pieces", v-1)})
						return
					}
					n++
				}
				if len(stream) == 0 {
					stream = events[:n:n] // not copied, and so at the end of its capacity
				} else {
					stream = append(stream, events[:n]...)
				}
				events = events[n:]
			}
		}
		if len(stream) > 0 {
			yield(stream, nil)
		}
	}
}
