package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"milepost/domain/quote"
	"milepost/internal/log/eventstore"
	"milepost/internal/log/seal"
	"milepost/internal/platform/stored"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/quotes/readmodel"
)

// eraseCmd erases a customer's key, and so what all copies of the log say about persons.
type eraseCmd struct {
	Customer string   `arg:"" help:"The customer's id: the subject of the customer's tokens."`
	Reason   string   `required:"" placeholder:"CODE" help:"Why, as a code such as CUSTOMER_REQUEST. It is kept, so it names nobody."`
	By       string   `required:"" env:"USER" placeholder:"NAME" help:"Who erases. It is kept. Default: the user of this machine."`
	Yes      bool     `xor:"way" help:"Do it. It cannot be undone."`
	DryRun   bool     `xor:"way" help:"Only show what there is to erase."`
	JSON     bool     `name:"json" help:"Print JSON."`
	Endpoint endpoint `embed:""`
}

// Help says what remains.
func (*eraseCmd) Help() string {
	return `What the log says about persons, and what was written to them, is sealed under a key of the customer's. This command erases the key for good, and then notes in each of the customer's quotes that it did: open quotes end with that. Premiums, reasons and rating facts stay, and the log verifies as before. Functions may remember the keys for five minutes, and the customer may submit meanwhile: the command waits until that is over, and takes in what came. When it has ended, nothing of the person is there or can come. An erasure that was interrupted goes on when the command is given again.

Example:

  milepost erase ada --reason CUSTOMER_REQUEST --yes`
}

// Validate is called by the parser.
func (c *eraseCmd) Validate() error {
	switch {
	case c.Customer == "" || c.Reason == "":
		return nil // it is missing, which the parser says next
	case !reasonCode.MatchString(c.Reason):
		return fmt.Errorf("--reason must be a code of up to 40 capitals, digits and underscores, such as CUSTOMER_REQUEST, and is %q", c.Reason)
	case c.By == "" || len(c.By) > 200:
		return fmt.Errorf("--by must have 1 to 200 bytes, and has %d", len(c.By))
	case !c.Yes && !c.DryRun:
		return errors.New("what is erased nobody can bring back: add --yes if that is meant, or --dry-run to see what it is")
	}
	return nil
}

// erasure is what the command did, or would do.
type erasure struct {
	CustomerID string `json:"customerId"`
	// Erased is the record of the erasure, nil where there is none yet.
	Erased *seal.Erasure `json:"erased,omitempty"`
	// Quotes counts the customer's quotes by their statuses before, Noted those in which the erasure was noted now.
	Quotes map[quote.Status]int `json:"quotes"`
	Noted  int                  `json:"noted"`
	// Letters counts what was sent to the customer before letters were sealed: their words are, or would be, taken out.
	Letters int `json:"letters"`
	// Late counts the quotes that were submitted while functions still remembered the keys. They are erased, too.
	Late int `json:"late"`
	// Unsealed are quotes with events from before what they say about persons was sealed. It is still there.
	Unsealed []string `json:"unsealed"`
	// Faults are what cannot be read. In such a quote the erasure is not noted; its key is gone all the same.
	stored.Faults
}

// Run erases.
func (c *eraseCmd) Run(ctx context.Context, s streams) error {
	l, err := c.Endpoint.logs(ctx, s)
	if err != nil {
		return err
	}
	held, err := l.quotes.Keys.Holder(ctx, c.Customer)
	_, damaged := errors.AsType[*seal.BadKey](err)
	if err != nil && !damaged { // what is no key is erased as well
		return plainly(err)
	}
	ids, err := l.quotesOf(ctx, c.Customer)
	if err != nil {
		return plainly(err)
	}
	if !held.Exists() && !damaged && len(ids) == 0 {
		return fmt.Errorf("there is no customer %s", c.Customer)
	}
	did := erasure{CustomerID: c.Customer, Erased: held.Erasure, Quotes: map[quote.Status]int{}, Unsealed: []string{}, Faults: stored.NewFaults()}
	if c.Yes {
		// The key goes first: whatever comes next, nobody can read any more what it sealed.
		first, err := l.quotes.Keys.Erase(ctx, seal.Erasure{CustomerID: c.Customer, At: time.Now().UTC(), By: c.By, ReasonCode: c.Reason})
		if err != nil {
			return plainly(err)
		}
		did.Erased = &first
	}
	if err := c.notes(ctx, l, ids, &did); err != nil {
		return err
	}
	if c.Yes {
		if err := c.outlast(ctx, l, s, ids, &did); err != nil {
			return err
		}
	}
	return c.print(s, did)
}

// notes notes in quotes that their personal data were erased.
func (c *eraseCmd) notes(ctx context.Context, l *logs, ids []string, did *erasure) error {
	for _, id := range ids {
		err := c.note(ctx, l, id, did)
		if ctx.Err() != nil {
			return fmt.Errorf("interrupted behind %d quotes; the same command goes on there", did.Noted)
		}
		if _, unreadable := errors.AsType[*eventstore.Unreadable](err); unreadable {
			did.Add(err)
			continue
		}
		if err != nil {
			return plainly(err)
		}
	}
	return nil
}

// settling is how long what was appended last may take to be found.
const settling = 30 * time.Second

// outlast waits until no function remembers the keys any more, and takes in the quotes that were submitted until then.
func (c *eraseCmd) outlast(ctx context.Context, l *logs, s streams, ids []string, did *erasure) error {
	over := did.Erased.At.Add(seal.Lifetime + settling)
	if wait := time.Until(over); wait > 0 {
		fmt.Fprintf(s.err, "the keys are erased; waiting until %s, when no function remembers them\n", clock(over))
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return errors.New("interrupted while functions may remember the keys; the same command goes on there")
		}
	}
	late, err := l.quotesOf(ctx, c.Customer)
	if err != nil {
		return plainly(err)
	}
	submitted, err := l.submitted(ctx, c.Customer, did.Erased.At.Add(-settling), over)
	if err != nil {
		return plainly(err)
	}
	late = slices.DeleteFunc(append(late, submitted...), func(id string) bool { return slices.Contains(ids, id) })
	slices.Sort(late)
	late = slices.Compact(late)
	did.Late = len(late)
	return c.notes(ctx, l, late, did)
}

// submitted returns the quotes of a customer that begin in a span of the log, whether or not a list has them.
func (l *logs) submitted(ctx context.Context, customerID string, since, until time.Time) (ids []string, err error) {
	var streams []string
	look := func() error {
		owners, err := l.quotes.Log.SealedFor(ctx, streams)
		for stream, owner := range owners {
			if id, ok := quotestore.QuoteID(stream); ok && owner == customerID {
				ids = append(ids, id)
			}
		}
		streams = streams[:0]
		return err
	}
	for place, err := range l.quotes.Log.Places(ctx, eventstore.CursorAt(since), until) {
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
func (c *eraseCmd) note(ctx context.Context, l *logs, quoteID string, did *erasure) error {
	h, err := l.quotes.Load(ctx, quoteID, quotestore.Impersonal)
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
	if err := c.letters(ctx, l, quoteID, did); err != nil || !c.Yes {
		return err
	}
	if h.Quote.Erasure != nil {
		return l.forget(ctx, h)
	}
	order := quotestore.Order{
		ID: "erase/" + quoteID, Actor: did.Erased.By, CorrelationID: "erase/" + did.Erased.At.Format(time.RFC3339Nano), At: time.Now().UTC(),
		Command: quote.RecordErasure{Erasure: quote.Erasure{At: did.Erased.At, By: did.Erased.By, ReasonCode: did.Erased.ReasonCode}},
	}
	if h, err = l.quotes.ExecuteOn(ctx, h, order); err != nil {
		return err
	}
	did.Noted++
	return l.forget(ctx, h)
}

// forget lets an erased quote be found by nothing of the person. The projector does it too, when it hears of the erasure.
func (l *logs) forget(ctx context.Context, h quotestore.History) error {
	return l.projections.PutSearch(ctx, readmodel.Project(h), readmodel.TermsOf(h))
}

// letters takes out what was written to the customer of a quote before letters were sealed, and the notes on letters.
func (c *eraseCmd) letters(ctx context.Context, l *logs, quoteID string, did *erasure) error {
	items, faults, err := l.outbox.OfQuote(ctx, quoteID)
	if err != nil {
		return err
	}
	for _, fault := range faults {
		did.Add(fault)
	}
	for _, item := range items {
		if c.Yes {
			if _, err := l.outbox.EraseNotes(ctx, item); err != nil {
				return err
			}
		}
		if !item.InClear() {
			continue
		}
		if c.Yes {
			if err := l.outbox.EraseLetter(ctx, item, c.Customer); err != nil {
				return err
			}
		}
		did.Letters++
	}
	return nil
}

// quotesOf lists a customer's quotes.
func (l *logs) quotesOf(ctx context.Context, customerID string) (ids []string, err error) {
	for cursor := ""; ; {
		page, err := l.projections.List(ctx, customerID, cursor, 100)
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

// print tells what was done. Quotes that are not sealed, or cannot be read, make it fail.
func (c *eraseCmd) print(s streams, did erasure) error {
	if c.JSON {
		if err := printJSON(s.out, did); err != nil {
			return err
		}
	} else {
		if did.Erased == nil {
			fmt.Fprintf(s.out, "customer %s is not erased\n", c.Customer)
		} else {
			fmt.Fprintf(s.out, "the key of customer %s was erased at %s by %s, %s\n", c.Customer, did.Erased.At.Format(time.RFC3339), did.Erased.By, did.Erased.ReasonCode)
		}
		for _, status := range []quote.Status{
			quote.StatusRequested, quote.StatusQuoted, quote.StatusReferred, quote.StatusAccepted,
			quote.StatusDeclined, quote.StatusWithdrawn, quote.StatusExpired,
		} {
			if n := did.Quotes[status]; n > 0 {
				fmt.Fprintf(s.out, "%6d %s\n", n, status)
			}
		}
		if c.Yes {
			fmt.Fprintf(s.out, "noted in %d quotes\n", did.Noted)
		}
		if did.Late > 0 {
			fmt.Fprintf(s.out, "%6d quotes were submitted after the erasure, and are erased\n", did.Late)
		}
		if did.Letters > 0 {
			fmt.Fprintf(s.out, "%6d letters that were not sealed\n", did.Letters)
		}
		for _, id := range did.Unsealed {
			fmt.Fprintf(s.out, "quote %s has events that were never sealed: what they say about persons is still there\n", id)
		}
		printFaults(s.out, did.Faults)
	}
	if len(did.Unsealed) > 0 {
		return exitStatus(1)
	}
	return failedFor(did.Faults, nil)
}
