package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"

	"milepost/internal/log/eventstore"
	"milepost/internal/platform/stored"
)

// Exporter writes what a log has into an archive.
type Exporter struct {
	Log *eventstore.Store
	// Since and Until cut each stream: at its first event that did not occur before Since, and before its first one
	// that did not occur before Until. The zero time cuts nothing.
	Since, Until time.Time
	// Streams are those to write; empty means all.
	Streams []string
	// Change returns what to write of a stream, and may leave it out; nil leaves it as it is. It needs a stream with
	// all its events. If its error is *eventstore.Unreadable, the stream is left out.
	Change func(context.Context, []eventstore.Event) ([]eventstore.Event, error)
	// Workers is how many parts of the log are read at the same time.
	Workers int
}

// Exported are the figures of an export.
type Exported struct {
	Streams int `json:"streams"`
	Events  int `json:"events"`
	// LeftOut counts the streams that Change left out.
	LeftOut int `json:"leftOut,omitempty"`
	// Faults are the events that cannot be read. They are not written, nor are, if there is a Change, their streams.
	stored.Faults
}

// Sink takes the events of an export, those of a stream in their order.
type Sink interface {
	// Write takes some in. It is not called by two at a time.
	Write(ctx context.Context, events []eventstore.Event) error
	// Close writes what is held.
	Close(ctx context.Context) error
}

// parts is the number of parts in which the log is read: more than there are workers, so that none has all the work at
// the end.
const parts = 32

// Run exports to a sink, and closes it after the whole log. From time to time it calls report with the number of
// written events. What is appended meanwhile may be missing. An event that cannot be read is among the Faults, and all
// others are written.
func (x *Exporter) Run(ctx context.Context, sink Sink, report func(events int)) (Exported, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex // guards f and the sink
	var f Exported
	f.Faults = stored.NewFaults()
	write := func(stream eventstore.Stream) error {
		events, faults := x.cut(stream.Events), stream.Unreadable
		leftOut := false
		if x.Change != nil && len(faults) > 0 {
			events = nil
		}
		if x.Change != nil && len(events) > 0 {
			changed, err := x.Change(ctx, events)
			if bad, ok := errors.AsType[*eventstore.Unreadable](err); ok {
				changed, err, faults = nil, nil, append(faults, bad)
			}
			if err != nil {
				return fmt.Errorf("stream %s: %w", stream.ID, err)
			}
			events, leftOut = changed, len(changed) == 0 && len(faults) == 0
		}
		mu.Lock()
		defer mu.Unlock()
		for _, bad := range faults {
			f.Add(bad)
		}
		if leftOut {
			f.LeftOut++
		}
		if len(events) == 0 {
			return nil
		}
		f.Streams++
		f.Events += len(events)
		report(f.Events)
		return sink.Write(ctx, events)
	}
	tasks := make(chan func() error)
	var workers sync.WaitGroup
	for range x.Workers {
		workers.Go(func() {
			for task := range tasks {
				if err := task(); err != nil {
					cancel(err) // the first error is the one that counts
				}
			}
		})
	}
	for _, task := range x.tasks(ctx, write) {
		select {
		case tasks <- task:
		case <-ctx.Done():
		}
	}
	close(tasks)
	workers.Wait()
	if err := context.Cause(ctx); err != nil {
		return f, err
	}
	return f, sink.Close(ctx)
}

// tasks are the parts of the work.
func (x *Exporter) tasks(ctx context.Context, write func(eventstore.Stream) error) []func() error {
	var tasks []func() error
	for _, stream := range x.Streams {
		tasks = append(tasks, func() error {
			read, err := x.Log.Stream(ctx, stream, 0)
			if err == nil && len(read.Events)+len(read.Unreadable) == 0 {
				err = fmt.Errorf("the log has no stream %s", stream)
			}
			if err != nil {
				return err
			}
			return write(read)
		})
	}
	for n := range parts {
		if x.Streams != nil {
			break
		}
		tasks = append(tasks, func() error {
			for stream, err := range x.Log.Whole(ctx, eventstore.Part{Number: n, Of: parts}, "") {
				if err == nil {
					err = write(stream)
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	return tasks
}

// cut takes away what is before Since and after Until. What is left has no gaps but those of events that cannot be
// read.
func (x *Exporter) cut(events []eventstore.Event) []eventstore.Event {
	if to := slices.IndexFunc(events, func(e eventstore.Event) bool { return !x.Until.IsZero() && !e.OccurredAt.Before(x.Until) }); to >= 0 {
		events = events[:to]
	}
	from := slices.IndexFunc(events, func(e eventstore.Event) bool { return !e.OccurredAt.Before(x.Since) })
	if from < 0 {
		return nil
	}
	return events[from:]
}

// Objects is a Sink that makes objects for each day.
type Objects struct {
	// Put puts one where it belongs.
	Put func(context.Context, Object) error

	days Days
	n    int
}

// mostHeld is how many bytes of lines are held before objects are made of them.
const mostHeld = 64 << 20

// Write gathers events.
func (s *Objects) Write(ctx context.Context, events []eventstore.Event) error {
	for _, e := range events {
		if err := s.days.Add(e, strconv.Itoa(s.n)); err != nil {
			return err
		}
	}
	if s.days.Size < mostHeld {
		return nil
	}
	return s.Close(ctx)
}

// Close writes what is collected.
func (s *Objects) Close(ctx context.Context) error {
	s.n++ // so that later events are read later
	for _, o := range s.days.Take() {
		if err := s.Put(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

// Stream is a Sink that makes one object of all days.
type Stream struct {
	z    *zstd.Encoder
	line []byte
}

// NewStream makes one that writes to w.
func NewStream(w io.Writer) *Stream { return &Stream{z: newEncoder(w)} }

// Write writes events.
func (s *Stream) Write(_ context.Context, events []eventstore.Event) error {
	for _, e := range events {
		var err error
		if s.line, err = AppendLine(s.line[:0], e); err != nil {
			return err
		}
		if _, err := s.z.Write(s.line); err != nil {
			return err
		}
	}
	return nil
}

// Close ends the object.
func (s *Stream) Close(context.Context) error { return s.z.Close() }
