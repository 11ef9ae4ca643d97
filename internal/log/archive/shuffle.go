package archive

import (
	"context"
	"errors"
	"hash/fnv"
	"io"
	"maps"
	"os"
	"slices"

	"milepost/internal/log/eventstore"
)

// buckets is into how many files Shuffled divides what it holds; it reads one of them at a time.
const buckets = 64

// Shuffled is a Sink that passes whole streams on in the order of their ids, so that the order of arrival reveals
// nothing. What it holds until it is closed is in temporary files.
type Shuffled struct {
	to    Sink
	files [buckets]*os.File
	sinks [buckets]*Stream
}

// Shuffle makes a Shuffled before a sink. It must be closed or discarded.
func Shuffle(to Sink) (*Shuffled, error) {
	s := &Shuffled{to: to}
	for i := range s.files {
		f, err := os.CreateTemp("", "milepost-shuffle-*")
		if err != nil {
			return nil, errors.Join(err, s.Discard())
		}
		s.files[i], s.sinks[i] = f, NewStream(f)
	}
	return s, nil
}

// Write takes events in.
func (s *Shuffled) Write(ctx context.Context, events []eventstore.Event) error {
	for _, e := range events {
		h := fnv.New32a()
		_, _ = h.Write([]byte(e.StreamID))
		if err := s.sinks[h.Sum32()%buckets].Write(ctx, []eventstore.Event{e}); err != nil {
			return err
		}
	}
	return nil
}

// Close passes everything on, and closes the next sink.
func (s *Shuffled) Close(ctx context.Context) error {
	for i, f := range s.files {
		if err := s.sinks[i].Close(ctx); err != nil {
			return err
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
		streams := map[string][]eventstore.Event{}
		for events, err := range (&Reader{Source: Single{Reader: f, Listed: Listed{Name: f.Name()}}}).Events(ctx) {
			if err != nil {
				return err
			}
			for _, e := range events {
				streams[e.StreamID] = append(streams[e.StreamID], e)
			}
		}
		for _, id := range slices.Sorted(maps.Keys(streams)) {
			if err := s.to.Write(ctx, streams[id]); err != nil {
				return err
			}
		}
	}
	return s.to.Close(ctx)
}

// Discard removes the temporary files.
func (s *Shuffled) Discard() error {
	var errs []error
	for _, f := range s.files {
		if f != nil {
			errs = append(errs, f.Close(), os.Remove(f.Name()))
		}
	}
	return errors.Join(errs...)
}
