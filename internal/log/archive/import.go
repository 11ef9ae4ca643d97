package archive

import (
	"context"
	"errors"
	"hash/fnv"
	"slices"
	"sync"
	"sync/atomic"

	"milepost/internal/bounds"
	"milepost/internal/log/eventstore"
	"milepost/internal/platform/stored"
)

// Importer puts the events of an archive into a log. Nothing is overwritten: an equal event in the log counts as done,
// so that an interrupted import can be run again. After an event that cannot be imported, because it differs or does
// not follow the one before it, no more of its stream is imported, but all others are.
type Importer struct {
	Log *eventstore.Store
	// Name marks what is written, so that it is announced as a playback and not as new.
	Name string
	// Workers is how many write at the same time. Each has its own streams and writes them in order.
	Workers int
	// Check reads and checks all, and writes nothing.
	Check bool
	// Note is called with all events that are in the log now, or would be, those of a stream in order. Several workers
	// call it at the same time. It may be nil.
	Note func([]eventstore.Event)
}

// Figures are the result of an import.
type Figures struct {
	Streams int `json:"streams"`
	// Events counts the different events that were read, Written those that were written, and There those that were in
	// the log already.
	Events  int `json:"events"`
	Written int `json:"written"`
	There   int `json:"alreadyThere"`
	// Repeats counts the events that the archive had more than once.
	Repeats int `json:"repeats"`
	// Faults are the events that could not be imported, the first of each stream, and what could not be read.
	stored.Faults
}

// Run imports all that r reads. From time to time it calls report with the number of events that are done. If it fails,
// what was written stays, each stream up to some version.
func (im *Importer) Run(ctx context.Context, r *Reader, report func(events int)) (Figures, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var done atomic.Int64
	var mu sync.Mutex
	var f Figures
	f.Faults = stored.NewFaults()
	r.Skip = func(err error) {
		mu.Lock()
		defer mu.Unlock()
		f.Add(err)
	}
	workers := make([]*importWorker, im.Workers)
	var running sync.WaitGroup
	for i := range workers {
		w := &importWorker{Importer: im, events: make(chan []eventstore.Event, 4), done: &done, skip: r.Skip, left: map[string]bool{}}
		workers[i] = w
		running.Go(func() {
			if err := w.run(ctx); err != nil {
				cancel(err) // the first error is the one that counts
			}
		})
	}
	for events, err := range r.Events(ctx) {
		if err != nil {
			cancel(err)
			break
		}
		if !share(ctx, events, workers) {
			break
		}
		report(int(done.Load()))
	}
	for _, w := range workers {
		close(w.events)
	}
	running.Wait()
	slices.Sort(f.Named)
	for _, w := range workers {
		f.Streams += w.streams.size()
		f.Events += w.figures.Events
		f.Written += w.figures.Written
		f.There += w.figures.There
		f.Repeats += w.streams.Repeats
	}
	return f, context.Cause(ctx)
}

// share passes each worker the events of its streams. It returns false if no worker is left.
func share(ctx context.Context, events []eventstore.Event, workers []*importWorker) bool {
	shares := make([][]eventstore.Event, len(workers))
	for _, e := range events {
		h := fnv.New32a()
		_, _ = h.Write([]byte(e.StreamID))
		of := h.Sum32() % uint32(len(workers))
		shares[of] = append(shares[of], e)
	}
	for i, w := range workers {
		if len(shares[i]) == 0 {
			continue
		}
		select {
		case w.events <- shares[i]:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// importWorker writes some streams.
type importWorker struct {
	*Importer
	events  chan []eventstore.Event
	streams Streams
	batch   []eventstore.Event
	size    int // of the batch
	figures Figures
	done    *atomic.Int64
	// skip is called with what cannot be imported, and left are the streams that are no longer imported.
	skip func(error)
	left map[string]bool
}

// leave reports whether err is the fault of one stream, which is then no longer imported.
func (w *importWorker) leave(err error) bool {
	stream := ""
	if broken, ok := errors.AsType[*Broken](err); ok {
		stream = broken.StreamID
	}
	if different, ok := errors.AsType[*eventstore.Different](err); ok {
		stream = different.StreamID
	}
	if bad, ok := errors.AsType[*eventstore.Unreadable](err); ok {
		stream = bad.StreamID
	}
	if stream == "" {
		return false
	}
	if !w.left[stream] {
		w.left[stream] = true
		w.skip(err)
	}
	return true
}

func (w *importWorker) run(ctx context.Context) error {
	for events := range w.events {
		for _, e := range events {
			if w.left[e.StreamID] {
				continue
			}
			next, err := w.streams.Add(e)
			if err == nil {
				err = w.write(ctx, next)
			}
			if err != nil && !w.leave(err) {
				return err
			}
		}
	}
	if ctx.Err() != nil { // the archive was not read to its end
		return nil
	}
	for _, fault := range w.streams.Waiting() {
		if w.left[fault.StreamID] {
			continue
		}
		if err := w.bridge(ctx, fault); err != nil && !w.leave(err) {
			return err
		}
	}
	return w.flush(ctx)
}

// bridge continues after a version that the archive does not have, if the log has it.
func (w *importWorker) bridge(ctx context.Context, fault eventstore.Fault) error {
	if err := w.flush(ctx); err != nil {
		return err
	}
	stands, err := w.Log.Load(ctx, fault.StreamID, fault.Version-1)
	if err != nil {
		return err
	}
	if len(stands) == 0 || stands[0].Version != fault.Version {
		return &Broken{fault.StreamID, fault.Version, "is missing, and the log does not have it either"}
	}
	next, err := w.streams.behind(stands[0])
	if err == nil {
		err = w.write(ctx, next)
	}
	return err
}

// write writes events after those that it got before, some at a time.
func (w *importWorker) write(ctx context.Context, events []eventstore.Event) error {
	for _, e := range events {
		size := e.Size()
		if len(w.batch) == eventstore.MaxImported || len(w.batch) > 0 && w.size+size > bounds.Transaction {
			if err := w.flush(ctx); err != nil {
				return err
			}
		}
		w.batch, w.size = append(w.batch, e), w.size+size
	}
	return nil
}

func (w *importWorker) flush(ctx context.Context) error {
	for len(w.batch) > 0 {
		err := w.try(ctx)
		if err == nil {
			break
		}
		if !w.leave(err) {
			return err
		}
		// Nothing of the batch was written. The others have another try.
		w.batch = slices.DeleteFunc(w.batch, func(e eventstore.Event) bool { return w.left[e.StreamID] })
	}
	w.batch, w.size = w.batch[:0], 0
	return nil
}

// try writes the batch.
func (w *importWorker) try(ctx context.Context) error {
	n, written := len(w.batch), 0
	if !w.Check {
		var err error
		if written, err = w.Log.Import(ctx, w.batch, w.Name); err != nil {
			return err
		}
		w.figures.Written += written
		w.figures.There += n - written
	}
	if w.Note != nil {
		w.Note(w.batch)
	}
	w.figures.Events += n
	w.done.Add(int64(n))
	return nil
}
