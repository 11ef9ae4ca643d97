// Package verify checks that no event of the log was changed, removed or inserted.
package verify

import (
	"context"
	"errors"
	"maps"
	"slices"

	"milepost/internal/log/eventstore"
	"milepost/internal/ops/keys"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/quotes/readmodel"
)

// Verifier checks the log.
type Verifier struct {
	Quotes      *quotestore.Store
	Projections *readmodel.Store
	// Archive is compared with the log, unless it is nil.
	Archive *Archive
	// SkipKeys leaves the customers' keys untried.
	SkipKeys bool
	// Progress is called after each quote with how many of all are checked, unless it is nil.
	Progress func(done, all int)
}

// Verification is the result of a check.
type Verification struct {
	Streams int                `json:"streams"`
	Events  int                `json:"events"`
	Faults  []eventstore.Fault `json:"faults"`
	// Archive is nil where the archive was not asked.
	Archive *Archived `json:"archive,omitempty"`
	// Keys are those that do not open what is sealed under them.
	Keys []keys.Fault `json:"-"`
}

// Count is how many faults there are.
func (v *Verification) Count() int { return len(v.Faults) + len(v.Keys) + v.Archive.Count() }

// Run checks the quotes with the ids, or all if there are no ids.
func (r *Verifier) Run(ctx context.Context, quoteIDs []string) (Verification, error) {
	v := Verification{Faults: []eventstore.Fault{}, Keys: []keys.Fault{}}
	ids := quoteIDs
	var err error
	if len(ids) == 0 {
		if ids, err = r.all(ctx); err != nil {
			return v, err
		}
	}
	check := keys.NewCheck(r.Quotes)
	for i, id := range ids {
		if err := r.one(ctx, id, check, &v); err != nil {
			return v, err
		}
		if r.Progress != nil {
			r.Progress(i+1, len(ids))
		}
	}
	if r.Archive != nil {
		if v.Archive, err = r.Archive.compare(ctx, r.Quotes.Log, only(quoteIDs)); err != nil {
			return v, err
		}
	}
	if !r.SkipKeys {
		v.Keys, err = check.Faults(ctx)
	}
	return v, err
}

// all lists every quote that has an event or a projection: if all events of a quote are gone, its projection still
// names it.
func (r *Verifier) all(ctx context.Context) ([]string, error) {
	ids := map[string]bool{}
	err := r.Quotes.Log.Streams(ctx, func(stream string) error {
		if id, ok := quotestore.QuoteID(stream); ok {
			ids[id] = true
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := r.Projections.Each(ctx, func(id string) { ids[id] = true }); err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(ids)), nil
}

// one checks a quote.
func (r *Verifier) one(ctx context.Context, quoteID string, check *keys.Check, v *Verification) error {
	// The projection is read first, so that an event appended between the two reads is not a fault.
	p, _, err := r.Projections.Get(ctx, quoteID)
	if _, damaged := errors.AsType[*readmodel.Damaged](err); err != nil && !damaged { // then it is not a witness
		return err
	}
	stream := quotestore.StreamID(quoteID)
	events, faults, err := r.Quotes.Log.Verify(ctx, stream, eventstore.Witness{Version: p.Version, Hash: p.LogHash})
	if err != nil {
		return err
	}
	if len(events)+len(faults) == 0 && p.Version == 0 {
		return &quotestore.NotFound{QuoteID: quoteID}
	}
	v.Streams++
	v.Events += len(events)
	check.Note(events)
	v.Faults = append(v.Faults, faults...)
	return nil
}
