// Package restore restores events that somebody changed or deleted.
package restore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"milepost/internal/log/archive"
	"milepost/internal/log/eventstore"
	"milepost/internal/log/tamper"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/quotes/readmodel"
)

// Restorer puts events back that were changed or deleted.
type Restorer struct {
	Quotes *quotestore.Store
	// Snapshots and Projections are made from the log, and maybe while it was another one.
	Snapshots   *quotestore.Snapshots
	Projections *readmodel.Store
	Bucket      archive.Bucket
	// Only picks the streams; nil picks all.
	Only func(stream string) bool
	// Check reports what would be restored, and writes nothing.
	Check bool
}

// Restored is the result of a Restorer.
type Restored struct {
	// Events are those that were put back.
	Events []Place `json:"events"`
	// Faults name events that could not be restored, and why.
	Faults []string `json:"faults"`
}

// Place is that of an event.
type Place struct {
	StreamID string `json:"streamId"`
	Version  int    `json:"version"`
}

// Run restores every event that the log lacks or has changed. The original is the archive's line or, if there is none
// yet, the first change that was kept. If there are both, they must agree. Then it rebuilds the projections of these
// quotes.
func (r *Restorer) Run(ctx context.Context) (Restored, error) {
	done := Restored{Events: []Place{}, Faults: []string{}}
	witness, err := archive.Look(ctx, r.Bucket)
	if errors.Is(err, archive.ErrEmpty) {
		witness, err = &archive.Witness{}, nil
	}
	if err != nil {
		return done, err
	}
	done.Faults = append(done.Faults, witness.Broken...)
	originals, err := r.changed(ctx, witness, &done)
	if err != nil {
		return done, err
	}
	if err := r.archived(ctx, witness, originals, &done); err != nil {
		return done, err
	}
	byStream := map[string][]eventstore.Event{}
	for _, e := range originals {
		byStream[e.StreamID] = append(byStream[e.StreamID], e)
	}
	for _, stream := range slices.Sorted(maps.Keys(byStream)) {
		events := byStream[stream]
		slices.SortFunc(events, func(a, b eventstore.Event) int { return cmp.Compare(a.Version, b.Version) })
		versions, err := r.Quotes.Log.Restore(ctx, events, r.Check)
		for _, v := range versions {
			done.Events = append(done.Events, Place{stream, v})
		}
		if err == nil && !r.Check {
			err = r.renew(ctx, stream)
		}
		if ctx.Err() != nil {
			return done, ctx.Err()
		}
		if err != nil {
			done.Faults = append(done.Faults, err.Error())
		}
	}
	return done, nil
}

// renew makes what is derived from a stream again, which may have been made while it was another one.
func (r *Restorer) renew(ctx context.Context, stream string) error {
	id, ok := quotestore.QuoteID(stream)
	if !ok {
		return nil
	}
	if err := r.Snapshots.Remove(ctx, stream); err != nil {
		return err
	}
	h, err := r.Quotes.Load(ctx, id, quotestore.Impersonal)
	if err != nil || len(h.Events) == 0 {
		return err
	}
	for _, kind := range readmodel.Kinds {
		if _, err := r.Projections.Renew(ctx, kind, []readmodel.Projection{readmodel.Project(h)}); err != nil {
			return err
		}
	}
	return nil
}

// changed are the events as the changes that were kept say they were, before the first of each.
func (r *Restorer) changed(ctx context.Context, witness *archive.Witness, done *Restored) (map[Place]eventstore.Event, error) {
	objects, err := r.Bucket.List(ctx, tamper.Prefix, tamper.Suffix)
	if err != nil {
		return nil, err
	}
	first := map[Place]tamper.Change{}
	for _, o := range objects {
		body, err := r.Bucket.File(ctx, o.Name)
		if err != nil {
			return nil, err
		}
		c, err := tamper.Parse(o.Name, body)
		if err != nil {
			done.Faults = append(done.Faults, err.Error())
			continue
		}
		p := Place{c.StreamID, c.Version}
		if other, ok := first[p]; r.wants(c.StreamID) && (!ok || c.Before(other)) {
			first[p] = c
		}
	}
	originals := map[Place]eventstore.Event{}
	for p, c := range first {
		e, err := c.Original()
		hash, known := witness.Hash(p.StreamID, p.Version)
		switch {
		case err != nil && known, err == nil && known && hash != e.Hash():
			// What was kept is not what was appended. The archive's line is, and is taken where they differ.
		case err != nil:
			done.Faults = append(done.Faults, fmt.Sprintf("stream %s: version %d could not be read before it was changed either: %v", p.StreamID, p.Version, err))
		default:
			originals[p] = e
		}
	}
	return originals, nil
}

func (r *Restorer) wants(stream string) bool { return r.Only == nil || r.Only(stream) }

// archived adds the events that the archive has and the log has not, or has otherwise.
func (r *Restorer) archived(ctx context.Context, witness *archive.Witness, originals map[Place]eventstore.Event, done *Restored) error {
	never := func(eventstore.Event) bool { return true } // what only the log has is not to be restored
	compared, err := (&archive.Comparison{Log: r.Quotes.Log, Witness: witness, Fresh: never, Only: r.Only}).Run(ctx)
	if err != nil {
		return err
	}
	missing := map[Place]bool{}
	for _, f := range compared.Faults {
		p := Place{f.StreamID, f.Version}
		if _, ok := originals[p]; ok {
			continue
		}
		if f.What == archive.Contested {
			done.Faults = append(done.Faults, f.String())
			continue
		}
		missing[p] = true
	}
	if len(missing) == 0 {
		return nil
	}
	events, err := witness.Events(ctx, r.Bucket, func(stream string, version int) bool { return missing[Place{stream, version}] })
	if err != nil {
		return err
	}
	for _, e := range events {
		p := Place{e.StreamID, e.Version}
		if other, ok := originals[p]; !ok || other.Imported < e.Imported { // the last import added the event in the log
			originals[p] = e
		}
	}
	return nil
}
