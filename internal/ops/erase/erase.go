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
type Order struct {
	CustomerID string `json:"customerId"`
	By         string `json:"by"`
	// RequestedBy is who asked for it, if somebody else confirmed it: then By is who confirmed.
	RequestedBy string `json:"requestedBy,omitempty"`
	ReasonCode  string `json:"reasonCode"`
}

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

// Run erases a customer: it does all steps, one after the other. A dry run only counts.
func (e *Eraser) Run(ctx context.Context, o Order) (Erasure, error) {
	if e.DryRun {
		return e.would(ctx, o.CustomerID)
	}
	t := Begin(o)
	for t.Step != Done {
		if t.Step == Late {
			if err := e.outlast(ctx, t); err != nil {
				return t.Did, err
			}
		}
		var err error
		if t, err = e.Do(ctx, t, func() bool { return false }); err != nil {
			return t.Did, err
		}
	}
	return t.Did, nil
}

// outlast waits until no function holds the keys any more.
func (e *Eraser) outlast(ctx context.Context, t Task) error {
	wait := time.Until(t.Until)
	if wait <= 0 {
		return nil
	}
	e.Waiting(t.Until)
	select {
	case <-time.After(wait):
		return nil
	case <-ctx.Done():
		return &Interrupted{Noted: t.Did.Noted, Remembered: true}
	}
}

// would counts what would be erased.
func (e *Eraser) would(ctx context.Context, customerID string) (Erasure, error) {
	did := begun(customerID)
	var err error
	if did.Erased, err = e.known(ctx, customerID); err != nil {
		return did, err
	}
	drafts, err := e.Drafts.IDs(ctx, customerID)
	if err != nil {
		return did, err
	}
	did.Drafts = len(drafts)
	_, err = e.visit(ctx, "", &did, e.note, func() bool { return false })
	return did, err
}

// known returns the record of an earlier erasure, nil if there was none. It fails with *NoCustomer if the customer has
// neither keys nor quotes.
func (e *Eraser) known(ctx context.Context, customerID string) (*seal.Erasure, error) {
	held, err := e.Quotes.Keys.Holder(ctx, customerID)
	_, damaged := errors.AsType[*seal.BadKey](err)
	if err != nil && !damaged { // what is no key is erased as well
		return nil, err
	}
	if held.Exists() || damaged {
		return held.Erasure, nil
	}
	page, err := e.Projections.List(ctx, customerID, "", 1)
	if err == nil && len(page.Quotes) == 0 {
		err = &NoCustomer{customerID}
	}
	return nil, err
}

// pageOfQuotes is how many quotes are visited before it is checked whether there is time for more.
const pageOfQuotes = 50

// visit does something with each of a customer's quotes in the list, from a cursor on. It returns the next cursor, ""
// after the last quote.
func (e *Eraser) visit(ctx context.Context, cursor string, did *Erasure, do visitor, enough func() bool) (string, error) {
	for {
		page, err := e.Projections.List(ctx, did.CustomerID, cursor, pageOfQuotes)
		if err != nil {
			return cursor, err
		}
		for _, line := range page.Quotes {
			if err := e.each(ctx, line.QuoteID, did, do); err != nil {
				return cursor, err
			}
		}
		if cursor = page.Next; cursor == "" || enough() {
			return cursor, nil
		}
	}
}

// visitor does something with one quote, and reports it in did.
type visitor func(ctx context.Context, quoteID string, did *Erasure) error

// each calls a visitor. A quote that cannot be read is a fault, which is reported once.
func (e *Eraser) each(ctx context.Context, quoteID string, did *Erasure, do visitor) error {
	err := do(ctx, quoteID, did)
	if ctx.Err() != nil {
		return &Interrupted{Noted: did.Noted}
	}
	if _, unreadable := errors.AsType[*eventstore.Unreadable](err); unreadable {
		if !slices.Contains(did.Named, err.Error()) {
			did.Add(err)
		}
		return nil
	}
	return err
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

// noteLate is note for quotes of which most have it already.
func (e *Eraser) noteLate(ctx context.Context, quoteID string, did *Erasure) error {
	h, err := e.Quotes.Load(ctx, quoteID, quotestore.Impersonal)
	if err != nil || h.Quote.Erasure != nil {
		return err
	}
	noted := did.Noted
	err = e.note(ctx, quoteID, did)
	did.Late += did.Noted - noted
	return err
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
		Command: quote.RecordErasure{Erasure: quote.Erasure{
			At: did.Erased.At, By: did.Erased.By, RequestedBy: did.Erased.RequestedBy, ReasonCode: did.Erased.ReasonCode,
		}},
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
