// Package erase erases a customer's personal data from the log and all its copies.
//
// That data is sealed under the customer's keys. The keys are erased first: whatever happens next, nobody can read what
// they sealed. Then the erasure is recorded in each of the customer's quotes, and personal data that was never sealed
// is removed. An interrupted erasure continues when it is run again.
package erase

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"milepost/domain/quote"
	"milepost/internal/log/eventstore"
	"milepost/internal/log/seal"
	"milepost/internal/notify/outbox"
	"milepost/internal/platform/stored"
	"milepost/internal/quotes/draft"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/quotes/readmodel"
)

// Eraser erases customers.
type Eraser struct {
	Quotes      *quotestore.Store
	Projections *readmodel.Store
	Outbox      *outbox.Store
	Drafts      *draft.Store
	// DryRun reports what would be erased, and erases nothing.
	DryRun bool
	// Waiting is called before Run waits, with the time until which functions may remember the keys.
	Waiting func(until time.Time)
}

// Order says whom to erase, who orders it, and why, as a code.
type Order struct{ CustomerID, By, ReasonCode string }

// Erasure is what an Eraser did, or would do.
type Erasure struct {
	CustomerID string `json:"customerId"`
	// Erased is the record of the erasure, nil if there is none yet.
	Erased *seal.Erasure `json:"erased,omitempty"`
	// Quotes counts the customer's quotes by their statuses before, Noted those in which the erasure was noted now.
	Quotes map[quote.Status]int `json:"quotes"`
	Noted  int                  `json:"noted"`
	// Letters counts what was sent to the customer before letters were sealed: their words are, or would be, taken out.
	Letters int `json:"letters"`
	// Late counts the quotes that were submitted while functions still remembered the keys. They are erased, too.
	Late int `json:"late"`
	// Drafts counts the quotes in the making that were, or would be, deleted.
	Drafts int `json:"drafts"`
	// Unsealed are quotes with events from before their personal data was sealed. It is still there.
	Unsealed []string `json:"unsealed"`
	// Faults are what cannot be read. In such a quote the erasure is not noted; its key is gone nevertheless.
	stored.Faults
}

// NoCustomer is the error of a customer who has neither keys nor quotes.
type NoCustomer struct{ CustomerID string }

func (e *NoCustomer) Error() string { return "there is no customer " + e.CustomerID }

// Interrupted is the error of an erasure that continues when it is run again. The keys are erased, except in a dry run.
type Interrupted struct {
	// Noted counts the quotes in which the erasure was noted.
	Noted int
	// Remembered is true if all was noted, and functions may remember the keys.
	Remembered bool
}

func (e *Interrupted) Error() string {
	if e.Remembered {
		return "interrupted while functions may still hold the keys"
	}
	return fmt.Sprintf("interrupted after %d quotes", e.Noted)
}

// Run erases a customer.
func (e *Eraser) Run(ctx context.Context, o Order) (Erasure, error) {
	did := Erasure{CustomerID: o.CustomerID, Quotes: map[quote.Status]int{}, Unsealed: []string{}, Faults: stored.NewFaults()}
	held, err := e.Quotes.Keys.Holder(ctx, o.CustomerID)
	_, damaged := errors.AsType[*seal.BadKey](err)
	if err != nil && !damaged { // what is no key is erased as well
		return did, err
	}
	ids, err := e.quotesOf(ctx, o.CustomerID)
	if err != nil {
		return did, err
	}
	if !held.Exists() && !damaged && len(ids) == 0 {
		return did, &NoCustomer{o.CustomerID}
	}
	did.Erased = held.Erasure
	if e.DryRun {
		drafts, err := e.Drafts.IDs(ctx, o.CustomerID)
		did.Drafts = len(drafts)
		return did, errors.Join(err, e.notes(ctx, ids, &did))
	}
	first, err := e.Quotes.Keys.Erase(ctx, seal.Erasure{CustomerID: o.CustomerID, At: time.Now().UTC(), By: o.By, ReasonCode: o.ReasonCode})
	if err != nil {
		return did, err
	}
	did.Erased = &first
	if err := e.deleteDrafts(ctx, &did); err != nil {
		return did, err
	}
	if err := e.notes(ctx, ids, &did); err != nil {
		return did, err
	}
	return did, e.outlast(ctx, ids, &did)
}

// notes puts into quotes that their personal data were erased.
func (e *Eraser) notes(ctx context.Context, ids []string, did *Erasure) error {
	for _, id := range ids {
		err := e.note(ctx, id, did)
		if ctx.Err() != nil {
			return &Interrupted{Noted: did.Noted}
		}
		if _, unreadable := errors.AsType[*eventstore.Unreadable](err); unreadable {
			did.Add(err)
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// settling is how long what was appended last may take to be found.
const settling = 30 * time.Second

// deleteDrafts deletes the customer's quotes in the making, which nobody can open any more.
func (e *Eraser) deleteDrafts(ctx context.Context, did *Erasure) error {
	ids, err := e.Drafts.IDs(ctx, did.CustomerID)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := e.Drafts.Delete(ctx, did.CustomerID, id); err != nil {
			return err
		}
		did.Drafts++
	}
	return nil
}

// outlast waits until no function holds the keys any more, and finds what was submitted or saved until then.
func (e *Eraser) outlast(ctx context.Context, ids []string, did *Erasure) error {
	over := did.Erased.At.Add(seal.Lifetime + settling)
	if wait := time.Until(over); wait > 0 {
		e.Waiting(over)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return &Interrupted{Noted: did.Noted, Remembered: true}
		}
	}
	if err := e.deleteDrafts(ctx, did); err != nil {
		return err
	}
	late, err := e.quotesOf(ctx, did.CustomerID)
	if err != nil {
		return err
	}
	submitted, err := e.submitted(ctx, did.CustomerID, did.Erased.At.Add(-settling), over)
	if err != nil {
		return err
	}
	late = slices.DeleteFunc(append(late, submitted...), func(id string) bool { return slices.Contains(ids, id) })
	slices.Sort(late)
	late = slices.Compact(late)
	did.Late = len(late)
	return e.notes(ctx, late, did)
}

// submitted returns the quotes of a customer that begin in a span of the log, whether or not a list has them.
func (e *Eraser) submitted(ctx context.Context, customerID string, since, until time.Time) (ids []string, err error) {
	var streams []string
	look := func() error {
		owners, err := e.Quotes.Log.SealedFor(ctx, streams)
		for stream, owner := range owners {
			if id, ok := quotestore.QuoteID(stream); ok && owner == customerID {
				ids = append(ids, id)
			}
		}
		streams = streams[:0]
		return err
	}
	for place, err := range e.Quotes.Log.Places(ctx, eventstore.CursorAt(since), until) {
		if err != nil {
			return nil, err
		}
		if place.Version == 1 {
			streams = append(streams, place.StreamID)
		}
		if len(streams) == eventstore.MaxImported {
			if err := look(); err != nil {
				return nil, err
			}
		}
	}
	return ids, look()
}

// note notes in a quote that its personal data were erased, unless it has that already.
func (e *Eraser) note(ctx context.Context, quoteID string, did *Erasure) error {
	h, err := e.Quotes.Load(ctx, quoteID, quotestore.Impersonal)
	if err != nil {
		return err
	}
	if len(h.Events) == 0 {
		return nil // the projection knows more than the log, which is for milepost log verify to say
	}
	did.Quotes[h.Quote.Status]++
	if unsealed, err := quotestore.InClear(h.Events); err != nil {
		return err
	} else if unsealed {
		did.Unsealed = append(did.Unsealed, quoteID)
	}
	if err := e.letters(ctx, quoteID, did); err != nil || e.DryRun {
		return err
	}
	if h.Quote.Erasure != nil {
		return e.forget(ctx, h)
	}
	order := quotestore.Order{
		ID: "erase/" + quoteID, Actor: did.Erased.By, CorrelationID: "erase/" + did.Erased.At.Format(time.RFC3339Nano), At: time.Now().UTC(),
		Command: quote.RecordErasure{Erasure: quote.Erasure{At: did.Erased.At, By: did.Erased.By, ReasonCode: did.Erased.ReasonCode}},
	}
	if h, err = e.Quotes.ExecuteOn(ctx, h, order); err != nil {
		return err
	}
	did.Noted++
	return e.forget(ctx, h)
}

// forget removes an erased quote from the search. The projector does so too, when it receives the erasure.
func (e *Eraser) forget(ctx context.Context, h quotestore.History) error {
	return e.Projections.PutSearch(ctx, readmodel.Project(h), readmodel.TermsOf(h))
}

// letters takes out what was written to the customer of a quote before letters were sealed, and the notes on letters.
func (e *Eraser) letters(ctx context.Context, quoteID string, did *Erasure) error {
	items, faults, err := e.Outbox.OfQuote(ctx, quoteID)
	if err != nil {
		return err
	}
	for _, fault := range faults {
		did.Add(fault)
	}
	for _, item := range items {
		if !e.DryRun {
			if _, err := e.Outbox.EraseNotes(ctx, item); err != nil {
				return err
			}
		}
		if !item.InClear() {
			continue
		}
		if !e.DryRun {
			if err := e.Outbox.EraseLetter(ctx, item, did.CustomerID); err != nil {
				return err
			}
		}
		did.Letters++
	}
	return nil
}

// quotesOf lists a customer's quotes.
func (e *Eraser) quotesOf(ctx context.Context, customerID string) (ids []string, err error) {
	for cursor := ""; ; {
		page, err := e.Projections.List(ctx, customerID, cursor, 100)
		if err != nil {
			return nil, err
		}
		for _, line := range page.Quotes {
			ids = append(ids, line.QuoteID)
		}
		if cursor = page.Next; cursor == "" {
			return ids, nil
		}
	}
}
