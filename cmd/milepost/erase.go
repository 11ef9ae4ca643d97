package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"milepost/domain/quote"
	"milepost/internal/ops/erase"
)

// eraseCmd erases a customer's key, and so the personal data in all copies of the log.
type eraseCmd struct {
	Customer string   `arg:"" help:"The customer's id: the subject of the customer's tokens."`
	Reason   string   `required:"" placeholder:"CODE" help:"Why, as a code such as CUSTOMER_REQUEST. It is kept, so it must not name anybody."`
	By       string   `required:"" env:"USER" placeholder:"NAME" help:"Who erases. It is kept. Default: the user of this machine."`
	Yes      bool     `xor:"way" help:"Do it. It cannot be undone."`
	DryRun   bool     `xor:"way" help:"Only show what would be erased."`
	JSON     bool     `name:"json" help:"Print JSON."`
	Endpoint endpoint `embed:""`
}

// Help says what remains.
func (*eraseCmd) Help() string {
	return `The customer's personal data in the log, and the messages that they were sent, are sealed under the customer's key. This command erases the key forever, and then records the erasure in each of the customer's quotes, which closes open ones. Premiums, reasons and rating facts stay, and the log verifies as before. Functions may hold the keys in memory for five minutes, and the customer may submit meanwhile: the command waits until that is over, and erases what was submitted. When it has ended, no personal data of the customer exists or can appear. Run the command again to continue an interrupted erasure.

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
		return errors.New("an erasure cannot be undone: add --yes to erase, or --dry-run to see what would be erased")
	}
	return nil
}

// Run erases.
func (c *eraseCmd) Run(ctx context.Context, s streams) error {
	l, err := c.Endpoint.logs(ctx, s)
	if err != nil {
		return err
	}
	e := &erase.Eraser{
		Quotes: l.quotes, Projections: l.projections, Outbox: l.outbox, Drafts: l.drafts, DryRun: c.DryRun,
		Waiting: func(until time.Time) {
			fmt.Fprintf(s.err, "the keys are erased; waiting until %s, when no function holds them any more\n", clock(until))
		},
	}
	did, err := e.Run(ctx, erase.Order{CustomerID: c.Customer, By: c.By, ReasonCode: c.Reason})
	if _, ok := errors.AsType[*erase.Interrupted](err); ok {
		return fmt.Errorf("%w; the same command continues from there", err)
	}
	if err != nil {
		return plainly(err)
	}
	return c.print(s, did)
}

// print prints what was done. It fails if quotes are not sealed, or cannot be read.
func (c *eraseCmd) print(s streams, did erase.Erasure) error {
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
		if did.Drafts > 0 {
			fmt.Fprintf(s.out, "%6d drafts\n", did.Drafts)
		}
		for _, id := range did.Unsealed {
			fmt.Fprintf(s.out, "quote %s has events that were never sealed: the personal data in them is still there\n", id)
		}
		printFaults(s.out, did.Faults)
	}
	if len(did.Unsealed) > 0 {
		return exitStatus(1)
	}
	return failedFor(did.Faults, nil)
}
