package archive

import (
	"context"
	"hash/fnv"
	"sync"
	"sync/atomic"

	"milepost/internal/eventstore"
)

// Importer puts the events of an archive into a log. Nothing that stands there is overwritten: an event that stands
// there and is equal counts as done, so that an import that was interrupted can be run again; one that differs
// ends it.
type Importer struct {
	Log *eventstore.Store
	// Name marks what is written, so that it is announced as a playback and not as new.
	Name string
	// Workers is how many write at the same time. Each has streams of its own and writes them in their order.
	Workers int
	// Check reads and checks all, and writes nothing.
	Check bool
}

// Figures are what an import came to.
type Figures struct {
	Streams int `json:"streams"`
	// Events counts the different events that were read, Written those that were written, and There those that stood
	// in the log already.
	Events  int `json:"events"`
	Written int `json:"written"`
	There   int `json:"alreadyThere"`
	// Repeats counts the events that the archive had more than once.
	Repeats int `json:"repeats"`
}

// Run imports all that r reads. From time to time it tells report how many events are done. A *Broken or an
// *eventstore.Different names the event that is wrong. When it fails, what was written stays, each stream up to some version.
func (im *Importer) Run(ctx context.Context, r *Reader, report func(events int)) (Figures, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var done atomic.Int64
	workers := make([]*importWorker, im.Workers)
	var running sync.WaitGroup
	for i := range workers {
		w := &importWorker{Importer: im, events: make(chan []eventstore.Event, 4), done: &done}
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
	var f Figures
	for _, w := range workers {
		f.Streams += w.streams.Len()
		f.Events += w.figures.Events
		f.Written += w.figures.Written
		f.There += w.figures.There
		f.Repeats += w.streams.Repeats
	}
	return f, context.Cause(ctx)
}

// share gives each worker the events of its streams. It is false when nobody works any more.
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
	size    int // of the batch's data
	figures Figures
	done    *atomic.Int64
}

func (w *importWorker) run(ctx context.Context) error {
	for events := range w.events {
		for _, e := range events {
			next, err := w.streams.Add(e)
			if err == nil {
				err = w.write(ctx, next)
			}
			if err != nil {
				return err
			}
		}
	}
	if ctx.Err() != nil { // the archive was not read to its end
		return nil
	}
	for _, fault := range w.streams.Waiting() {
		if err := w.bridge(ctx, fault); err != nil {
			return err
		}
	}
	return w.flush(ctx)
}

// bridge goes on behind a version that the archive does not have, if the log has it.
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
	next, err := w.streams.Behind(stands[0])
	if err == nil {
		err = w.write(ctx, next)
	}
	return err
}

// mostData is how many bytes of data are written at once. A transaction takes 4 MB with all that is around them.
const mostData = 2 << 20

// write writes events behind those that it was given before, some at a time.
func (w *importWorker) write(ctx context.Context, events []eventstore.Event) error {
	for _, e := range events {
		if len(w.batch) == eventstore.MaxImported || len(w.batch) > 0 && w.size+len(e.Data) > mostData {
			if err := w.flush(ctx); err != nil {
				return err
			}
		}
		w.batch, w.size = append(w.batch, e), w.size+len(e.Data)
	}
	return nil
}

func (w *importWorker) flush(ctx context.Context) error {
	if len(w.batch) == 0 {
		return nil
	}
	n := len(w.batch)
	w.figures.Events += n
	if !w.Check {
		written, err := w.Log.Import(ctx, w.batch, w.Name)
		w.figures.Written += written
		if err != nil {
			return err
		}
		w.figures.There += n - written
	}
	w.done.Add(int64(n))
	w.batch, w.size = w.batch[:0], 0
	return nil
}
