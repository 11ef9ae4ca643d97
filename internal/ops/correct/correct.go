// Package correct rates quotes again after a fault in the program was fixed, and appends a correction if another answer
// had been sent.
//
// It reads the log by time, in batches. A quote is handled once, at the last of its ratings in the window. The domain
// decides the result, from the log alone: no provider is called.
package correct

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"milepost/domain/quote"
	"milepost/internal/log/eventstore"
	"milepost/internal/log/seal"
	"milepost/internal/quotes/quotestore"
)

// Corrector corrects quotes.
type Corrector struct {
	Quotes *quotestore.Store
	// Plan is the version of the rate plan to rate with, "" for the one that is right for each quote.
	Plan    string
	Mandate quote.Mandate
	// DryRun finds out what would be corrected, and appends nothing.
	DryRun bool
	// Workers is how many quotes are handled at the same time.
	Workers int
}

// Window is the time in which the checked quotes were rated: from Since on, before Until.
type Window struct {
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
}

func (w Window) has(t time.Time) bool { return !t.Before(w.Since) && t.Before(w.Until) }

// Progress is how far a correction is.
type Progress struct {
	// Cursor is after the last event that was handled.
	Cursor eventstore.Cursor `json:"cursor"`
	// Events counts those that were gone through.
	Events int `json:"events"`
	Figures
}

// New is the progress at the beginning of a window.
func New(w Window) Progress {
	return Progress{Cursor: eventstore.CursorAt(w.Since), Figures: newFigures()}
}

// batchSize is how many events are looked at between two reports.
const batchSize = 100

// ratings are the events with an answer for the customer.
var ratings = quote.TypesWhere(func(k quote.Kind) bool { return k.Answers })

// Count is how many events of a window are after a cursor.
func (c *Corrector) Count(ctx context.Context, w Window, after eventstore.Cursor) (n int, err error) {
	for _, err := range c.Quotes.Log.Places(ctx, after, w.Until) {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// Run continues a correction to the end of the window. After each batch it reports what it found, in the order of the
// log, and its progress. A Run that begins there leaves nothing out and counts nothing twice; it finds in the log what
// the interrupted one had appended of a batch.
func (c *Corrector) Run(ctx context.Context, w Window, p Progress, report func([]Finding, Progress) error) (Progress, error) {
	var batch []eventstore.Place
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		notices, bad, err := c.Quotes.Log.Notices(ctx, batch)
		if err != nil {
			return err
		}
		var rated []subject
		for _, b := range bad {
			if id, ok := quotestore.QuoteID(b.StreamID); ok {
				rated = append(rated, subject{id, b.Version, b})
			}
		}
		for _, n := range notices {
			if id, ok := quotestore.QuoteID(n.StreamID); ok && slices.Contains(ratings, n.EventType) {
				rated = append(rated, subject{id, n.Version, nil})
			}
		}
		findings, looked, err := c.all(ctx, w, rated)
		if err != nil {
			return err
		}
		p.Cursor, p.Events = batch[len(batch)-1].Cursor, p.Events+len(batch)
		p.Figures = p.with(looked, findings)
		batch = batch[:0]
		return report(findings, p)
	}
	for place, err := range c.Quotes.Log.Places(ctx, p.Cursor, w.Until) {
		if err != nil {
			return p, err
		}
		if batch = append(batch, place); len(batch) == batchSize {
			if err := flush(); err != nil {
				return p, err
			}
		}
	}
	return p, flush()
}

// These corrects some quotes and no others. One that was not rated in the window is among the findings.
func (c *Corrector) These(ctx context.Context, w Window, quoteIDs []string) ([]Finding, Figures, error) {
	ids := slices.Compact(slices.Sorted(slices.Values(quoteIDs)))
	subjects := make([]subject, len(ids))
	for i, id := range ids {
		subjects[i] = subject{quoteID: id}
	}
	findings, looked, err := c.all(ctx, w, subjects)
	return findings, newFigures().with(looked, findings), err
}

// subject is a quote with the version of the rating that led to it, 0 if it was named.
type subject struct {
	quoteID string
	version int
	// bad is the event of that version if it cannot be read: it may be a rating.
	bad *eventstore.Unreadable
}

// all handles subjects at the same time, and returns what it found in their order.
func (c *Corrector) all(ctx context.Context, w Window, subjects []subject) (findings []Finding, looked int, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	todo := make(chan int, len(subjects))
	for i := range subjects {
		todo <- i
	}
	close(todo)
	found, seen := make([][]Finding, len(subjects)), make([]bool, len(subjects))
	var workers sync.WaitGroup
	for range c.Workers {
		workers.Go(func() {
			for i := range todo {
				var err error
				if found[i], seen[i], err = c.one(ctx, w, subjects[i]); err != nil {
					cancel(err) // the first error is the one that counts
					return
				}
			}
		})
	}
	workers.Wait()
	for _, s := range seen {
		if s {
			looked++
		}
	}
	return slices.Concat(found...), looked, context.Cause(ctx)
}

// one handles a quote. looked is false if there is none, or if another of its ratings is the one to handle it at.
func (c *Corrector) one(ctx context.Context, w Window, s subject) (findings []Finding, looked bool, err error) {
	refuse := func(why string) []Finding {
		return []Finding{{QuoteID: s.quoteID, Result: Refused, Reason: why}}
	}
	stream, err := c.Quotes.Log.Stream(ctx, quotestore.StreamID(s.quoteID), 0)
	if err != nil {
		return nil, false, err
	}
	last := lastRating(w, stream.Events)
	n := len(stream.Unreadable)
	if s.bad != nil && n == 0 { // it is in the index only
		return refuse(s.bad.Error()), true, nil
	}
	if last == 0 && s.bad != nil {
		last = stream.Unreadable[n-1].Version // so the quote is named once
	}
	events, err := stream.Intact()
	switch {
	case s.version != 0 && last != s.version:
		return nil, false, nil
	case err != nil:
		return refuse(err.Error()), true, nil
	case len(events) == 0:
		return refuse("the log has no such quote"), false, nil
	case last == 0:
		return refuse("it was not rated in this time"), true, nil
	}
	h, err := c.Quotes.HistoryOf(ctx, events)
	if broken, ok := errors.AsType[*eventstore.Unreadable](err); ok {
		return refuse(broken.Error()), true, nil
	}
	if err != nil {
		return nil, false, err
	}
	if err := c.known(h.Events); err != nil {
		return refuse(err.Error()), true, nil
	}
	if h.Erased {
		return refuse((&quote.Erased{QuoteID: s.quoteID}).Error()), true, nil
	}
	decoded, err := h.Decoded()
	if err != nil {
		return nil, false, err
	}
	for _, e := range h.Quote.Log {
		if e.Type != quote.TypeQuoteAmended || e.ReversedBy > 0 {
			continue
		}
		if f := c.amended(h.Quote, decoded, e.Version); f != nil {
			findings = append(findings, *f)
		}
	}
	f, err := c.inForce(ctx, h)
	if f != nil {
		findings = append(findings, *f)
	}
	return findings, true, err
}

// known refuses events of a newer program. A schema may later allow more, which this program would ignore when reading
// and rating.
func (c *Corrector) known(events []eventstore.Event) error {
	for _, e := range events {
		if e.IsSealed() { // of a customer who was erased
			continue
		}
		if err := c.Quotes.Log.Validate(e.Type, e.SchemaVersion, e.Data); err != nil {
			return fmt.Errorf("version %d, %s, says what this program does not know: %w", e.Version, e.Type, err)
		}
	}
	return nil
}

// lastRating is the version of the last rating in a window, 0 if there is none.
func lastRating(w Window, events []eventstore.Event) int {
	for _, e := range slices.Backward(events) {
		if slices.Contains(ratings, e.Type) && w.has(e.OccurredAt) {
			return e.Version
		}
	}
	return 0
}

func (c *Corrector) command(q quote.Quote) quote.CorrectQuote {
	return quote.CorrectQuote{Revision: q.Number, Plan: c.Plan, Mandate: c.Mandate, On: q.Request.Today(time.Now())}
}

// decide returns the correction of the revision in force, nil where that is right.
func (c *Corrector) decide(q quote.Quote) (*quote.QuoteCorrected, error) {
	events, err := quote.Decide(q, c.command(q))
	if err != nil || len(events) == 0 {
		return nil, err
	}
	e := events[0].(quote.QuoteCorrected)
	return &e, nil
}

// amended finds that the revision which ended with an amendment had been rated wrongly. It is left as it was.
func (c *Corrector) amended(q quote.Quote, events []quote.Event, amendment int) *Finding {
	before := slices.Clone(events[:amendment-1])
	for _, e := range events[amendment:] {
		if _, ok := e.(quote.EventReversed); ok { // what was undone since does not count
			before = append(before, e)
		}
	}
	then := quote.Fold(before...)
	if then.Rating == nil {
		return nil
	}
	e, err := c.decide(then)
	switch {
	case err != nil:
		return refusal(q, then.Number, err)
	case e == nil:
		return nil
	}
	f := findingOf(q, *e)
	f.Result, f.Reason = Refused, (&quote.Superseded{Revision: e.Revision, Current: q.Number}).Error()
	return f
}

// inForce corrects the revision in force, where that is wrong.
func (c *Corrector) inForce(ctx context.Context, h quotestore.History) (*Finding, error) {
	q := h.Quote
	if q.Rating == nil {
		return nil, nil // what will be rated will be rated right
	}
	order := quotestore.Order{
		ID: fmt.Sprintf("correct/%s/%s/%d", c.Mandate.CorrectionID, q.ID, q.Number), Actor: c.Mandate.By,
		CorrelationID: "correct/" + c.Mandate.CorrectionID, At: time.Now().UTC(), Command: c.command(q),
	}
	if f, err := made(h, order.ID); f != nil || err != nil {
		return f, err
	}
	if c.DryRun {
		e, err := c.decide(q)
		if err != nil {
			return refusal(q, q.Number, err), nil
		}
		if e == nil {
			return nil, nil
		}
		return findingOf(quote.Evolve(q, *e), *e), nil
	}
	// Without snapshots the history is always whole.
	after, err := c.Quotes.ExecuteOn(ctx, h, order)
	if refused(err) {
		return refusal(after.Quote, q.Number, err), nil
	}
	if err != nil {
		return nil, err
	}
	return made(after, order.ID)
}

// made finds what a command has appended, in this run or an earlier one.
func made(h quotestore.History, commandID string) (*Finding, error) {
	i := slices.IndexFunc(h.Events, func(e eventstore.Event) bool { return e.Metadata.CommandID == commandID })
	if i < 0 {
		return nil, nil
	}
	if by := h.Quote.Log[i].ReversedBy; by > 0 {
		return refusal(h.Quote, h.Quote.Number, &quote.AlreadyReversed{Version: i + 1, By: by}), nil
	}
	then, err := h.AtVersion(i + 1)
	if err != nil {
		return nil, err
	}
	return findingOf(then.Quote, then.Quote.Correction.Event), nil
}

// refused reports whether the domain refused a correction, so that it is not a failure of this program.
func refused(err error) bool {
	_, superseded := errors.AsType[*quote.Superseded](err)
	_, undone := errors.AsType[*quote.NotRated](err)
	_, invalid := errors.AsType[*quote.InvalidRequest](err)
	_, plan := errors.AsType[*quote.PlanNotApplicable](err)
	_, erased := errors.AsType[*quote.Erased](err)
	_, unreadable := errors.AsType[*eventstore.Unreadable](err)
	_, badKey := errors.AsType[*seal.BadKey](err)
	_, unknown := errors.AsType[*quote.UnknownPlan](err)
	return superseded || undone || invalid || plan || unknown || erased || unreadable || badKey
}
