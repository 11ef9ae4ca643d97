// Package rebuild makes projections again from the log.
//
// It reads the log by streams, in parts that have none in common, and folds each stream once. A stored projection that
// is right stays, any other is replaced in one write; so a reader finds every quote at any time. The projector handles
// what is appended meanwhile, as usual: neither replaces what was made from more events.
//
// A projection is also a witness: it says which event it was made from. If the log no longer has that event, somebody
// changed the log. Then the projection stays as it is, as evidence, and the fault is named.
package rebuild

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"milepost/internal/log/eventstore"
	"milepost/internal/platform/stored"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/quotes/readmodel"
)

// Way says what happens to stored projections.
type Way string

// The ways to rebuild.
const (
	// Over replaces what is wrong and adds what is missing.
	Over Way = "over"
	// Prune is Over, and then removes projections of quotes that the log does not have. Each such quote is still a
	// fault.
	Prune Way = "prune"
	// Wipe removes all first but the evidence. Lists miss what is not made again yet.
	Wipe Way = "wipe"
)

// Rebuilder makes projections again.
type Rebuilder struct {
	Quotes      *quotestore.Store
	Projections *readmodel.Store
	// Workers is how many parts of the log are processed at the same time.
	Workers int
}

// Progress is what a rebuild does and its position, from which an interrupted one can continue. New makes the first.
type Progress struct {
	Projections []readmodel.Kind `json:"projections"`
	Way         Way              `json:"way"`
	// Emptied says that what a wipe removes is gone.
	Emptied bool `json:"emptied"`
	// Parts are how far each part of the log is.
	Parts []Part `json:"parts"`
	Figures
}

// Part is how far a part of the log is.
type Part struct {
	// After is the last stream that was handled, "" before the first.
	After string `json:"after"`
	Done  bool   `json:"done"`
}

// Figures are the result of a rebuild.
type Figures struct {
	// Streams and Events are those that were folded.
	Streams int `json:"streams"`
	Events  int `json:"events"`
	// Written counts the projections that were missing or wrong.
	Written int `json:"written"`
	Removed int `json:"removed"`
	// Faults are the quotes that this program cannot fold, and those that are not what was appended to them. Their
	// projections are left alone.
	stored.Faults
}

func (f *Figures) add(o Figures) {
	f.Streams += o.Streams
	f.Events += o.Events
	f.Written += o.Written
	f.Removed += o.Removed
	f.Join(o.Faults)
}

// Parts is the number of parts in which the log is read: more than there are workers, so that none has all the work at
// the end.
const Parts = 32

func newFigures() Figures { return Figures{Faults: stored.NewFaults()} }

// New is the beginning of a rebuild.
func New(way Way, kinds ...readmodel.Kind) Progress {
	return Progress{Projections: kinds, Way: way, Parts: make([]Part, Parts), Figures: newFigures()}
}

// Run continues a rebuild to its end. After each batch it calls report with its progress. A Run that begins there
// leaves nothing out, and repeats only the batches during which this one was interrupted.
func (r *Rebuilder) Run(ctx context.Context, p Progress, report func(Progress) error) (Progress, error) {
	p.Parts, p.Named = slices.Clone(p.Parts), slices.Clone(p.Named)
	removed := func(_ string, n int) error {
		p.Removed += n
		return nil
	}
	if p.Way == Wipe && !p.Emptied {
		for _, kind := range p.Projections {
			if err := r.Projections.Remove(ctx, kind, "", r.sound(ctx), removed); err != nil {
				return p, err
			}
		}
		p.Emptied = true
		if err := report(p); err != nil {
			return p, err
		}
	}
	if err := r.foldAll(ctx, &p, report); err != nil {
		return p, err
	}
	for _, kind := range p.Projections {
		if err := r.Projections.Remove(ctx, kind, "", r.gone(ctx, p.Way, &p.Figures), removed); err != nil {
			return p, err
		}
	}
	return p, nil
}

// sound picks those quotes whose projection was made only from events that the log has. If a projection does not say
// what it was made from, the log must have an event of the quote.
func (r *Rebuilder) sound(ctx context.Context) func(quoteIDs []string) ([]string, error) {
	return func(quoteIDs []string) ([]string, error) {
		faults, err := r.faults(ctx, quoteIDs)
		if err != nil {
			return nil, err
		}
		absent, err := r.absent(ctx, quoteIDs)
		return slices.DeleteFunc(slices.Clone(quoteIDs), func(id string) bool {
			return faults[id] != "" || slices.Contains(absent, id)
		}), err
	}
}

// absent are those quotes of which the log has no event.
func (r *Rebuilder) absent(ctx context.Context, quoteIDs []string) ([]string, error) {
	streams := make([]string, len(quoteIDs))
	for i, id := range quoteIDs {
		streams[i] = quotestore.StreamID(id)
	}
	absent, err := r.Quotes.Log.Absent(ctx, streams)
	for i, stream := range absent {
		absent[i], _ = quotestore.QuoteID(stream)
	}
	return absent, err
}

// faults compares the projections of quotes with the log, and returns by quote where the log does not have what they
// were made from.
func (r *Rebuilder) faults(ctx context.Context, quoteIDs []string) (map[string]string, error) {
	witnesses, err := r.Projections.Witnesses(ctx, quoteIDs)
	if err != nil {
		return nil, err
	}
	streams := make(map[string]eventstore.Witness, len(witnesses))
	for id, w := range witnesses {
		streams[quotestore.StreamID(id)] = eventstore.Witness(w)
	}
	disagree, err := r.Quotes.Log.Disagree(ctx, streams)
	faults := make(map[string]string, len(disagree))
	for stream, f := range disagree {
		id, _ := quotestore.QuoteID(stream)
		faults[id] = f.String() + ", according to its projection"
	}
	return faults, err
}

// gone names those quotes of which the log has no event. It picks them if they are to be removed.
func (r *Rebuilder) gone(ctx context.Context, way Way, f *Figures) func(quoteIDs []string) ([]string, error) {
	return func(quoteIDs []string) ([]string, error) {
		absent, err := r.absent(ctx, quoteIDs)
		for _, id := range absent {
			fault := fmt.Sprintf("stream %s is gone from the log, according to its projection", quotestore.StreamID(id))
			if !slices.Contains(f.Named, fault) {
				f.Named = append(f.Named, fault)
			}
		}
		if way != Prune {
			return nil, err
		}
		return absent, err
	}
}

// foldAll folds the parts of the log that are not done.
func (r *Rebuilder) foldAll(ctx context.Context, p *Progress, report func(Progress) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	todo := make(chan int, len(p.Parts))
	for i, part := range p.Parts {
		if !part.Done {
			todo <- i
		}
	}
	close(todo)
	var mu sync.Mutex // guards p
	var workers sync.WaitGroup
	for range r.Workers {
		workers.Go(func() {
			for i := range todo {
				err := r.foldPart(ctx, eventstore.Part{Number: i, Of: len(p.Parts)}, p.Parts[i], p.Projections, func(part Part, done Figures) error {
					mu.Lock()
					defer mu.Unlock()
					p.Parts[i] = part
					p.add(done)
					return report(*p)
				})
				if err != nil {
					cancel(err) // the first error is the one that counts
					return
				}
			}
		})
	}
	workers.Wait()
	return context.Cause(ctx)
}

// foldPart folds a part of the log, and calls keep after each batch.
func (r *Rebuilder) foldPart(ctx context.Context, of eventstore.Part, part Part, kinds []readmodel.Kind, keep func(Part, Figures) error) error {
	b := batch{of: r, kinds: kinds, terms: map[string]readmodel.Terms{}}
	for stream, err := range r.Quotes.Log.Whole(ctx, of, part.After) {
		if err != nil {
			return err
		}
		if err := b.fold(ctx, stream); err != nil {
			return err
		}
		part.After = stream.ID
		if len(b.projections) == readmodel.MaxRenewed {
			if err := b.flush(ctx); err != nil {
				return err
			}
			if err := keep(part, b.take()); err != nil {
				return err
			}
		}
	}
	if err := b.flush(ctx); err != nil {
		return err
	}
	part.Done = true
	return keep(part, b.take())
}

// batch is what is written together.
type batch struct {
	of          *Rebuilder
	kinds       []readmodel.Kind
	projections []readmodel.Projection
	// terms returns the search terms of these quotes, if the search is rebuilt and their personal data can be unsealed.
	terms map[string]readmodel.Terms
	Figures
}

// fold adds the projection of a stream, or the reason why there is none.
func (b *batch) fold(ctx context.Context, stream eventstore.Stream) error {
	if _, ok := quotestore.QuoteID(stream.ID); !ok {
		return nil
	}
	b.Streams++
	b.Events += len(stream.Events) + len(stream.Unreadable)
	events, err := stream.Intact()
	if faults := eventstore.Verify(stream.ID, events, eventstore.Witness{}); err == nil && len(faults) > 0 {
		for _, f := range faults {
			b.Named = append(b.Named, f.String())
		}
		return nil
	}
	var h quotestore.History
	if err == nil {
		h, err = b.of.Quotes.HistoryOf(ctx, events, quotestore.Impersonal)
	}
	if broken, ok := errors.AsType[*eventstore.Unreadable](err); ok {
		b.Add(broken)
		return nil
	}
	if err != nil {
		return err
	}
	p := readmodel.Project(h)
	b.projections = append(b.projections, p)
	if !slices.Contains(b.kinds, readmodel.Search) {
		return nil
	}
	h, err = b.of.Quotes.HistoryOf(ctx, events)
	if broken, ok := errors.AsType[*eventstore.Unreadable](err); ok { // it is found by its id, as usual
		b.Named = append(b.Named, broken.Error()+"; it cannot be searched for")
		return nil
	}
	b.terms[p.QuoteID] = readmodel.TermsOf(h)
	return err
}

// flush writes the projections, except those that would hide the evidence of a changed log in the stored one.
func (b *batch) flush(ctx context.Context) error {
	ids := make([]string, len(b.projections))
	for i, p := range b.projections {
		ids[i] = p.QuoteID
	}
	faults, err := b.of.faults(ctx, ids)
	if err != nil {
		return err
	}
	b.projections = slices.DeleteFunc(b.projections, func(p readmodel.Projection) bool {
		fault, wrong := faults[p.QuoteID]
		if wrong {
			b.Named = append(b.Named, fault)
		}
		return wrong
	})
	for _, kind := range b.kinds {
		var n int
		if kind == readmodel.Search {
			n, err = b.of.Projections.RenewSearch(ctx, b.projections, b.terms)
		} else {
			n, err = b.of.Projections.Renew(ctx, kind, b.projections)
		}
		if err != nil {
			return fmt.Errorf("rebuild %s: %w", kind, err)
		}
		b.Written += n
	}
	b.projections, b.terms = b.projections[:0], map[string]readmodel.Terms{}
	return nil
}

// take returns the figures of the batch and begins the next.
func (b *batch) take() Figures {
	f := b.Figures
	b.Figures = Figures{}
	return f
}
