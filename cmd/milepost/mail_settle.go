package main

import (
	"context"
	"errors"
	"fmt"

	"milepost/internal/notify/outbox"
	"milepost/internal/ops/mail"
)

// mailSettleCmd records what a member of staff found out about a notification.
type mailSettleCmd struct {
	Quote    string         `arg:"" help:"The quote's id."`
	Key      string         `arg:"" help:"The notification's key, as mail list prints it: 1#QUOTE_READY."`
	As       outbox.Verdict `required:"" enum:"SENT,PAPER_SENT,NOT_SENT" placeholder:"STATUS" help:"What happened to it: SENT, it went out; PAPER_SENT, it went out on paper; NOT_SENT, it did not and will not."`
	By       string         `required:"" env:"USER" placeholder:"NAME" help:"Who decides. It is kept. Default: the user of this machine."`
	Note     string         `required:"" placeholder:"TEXT" help:"How you know. It is kept until the customer is erased."`
	JSON     bool           `name:"json" help:"Print JSON."`
	Endpoint endpoint       `embed:""`
}

// Help says what follows from it.
func (*mailSettleCmd) Help() string {
	return `For notifications that the system cannot settle itself: UNKNOWN, where only the provider's records or the customer show whether it went out; PAPER, which somebody has to print; and FAILED, which was refused. Who decided, when, and the note are kept with the notification. If a NOT_SENT notification was about a mistake that is reversed later, the customer is not told about the reversal.

Example, after the letter about a declined quote was posted:

  milepost mail settle 01KXAMPE0000000000000000QT 1#DECLINED --as PAPER_SENT --by eve --note "First class, 4 May"`
}

// Validate is called by the parser.
func (c *mailSettleCmd) Validate() error {
	if c.Note == "" {
		return errors.New("--note is empty: say how you know")
	}
	return checkDecision(c.By, c.Note)
}

// checkDecision bounds what is kept of a decision.
func checkDecision(by, note string) error {
	switch {
	case by == "" || len(by) > 200:
		return errors.New("--by is missing or longer than 200 bytes")
	case len(note) > 2000:
		return errors.New("--note is longer than 2000 bytes")
	}
	return nil
}

// Run settles.
func (c *mailSettleCmd) Run(ctx context.Context, s streams) error {
	return c.Endpoint.decide(ctx, s, c.Quote, c.Key, outbox.Decision{Verdict: c.As, By: c.By, Note: c.Note}, c.JSON)
}

// mailResendCmd has a notification sent again.
type mailResendCmd struct {
	Quote    string   `arg:"" help:"The quote's id."`
	Key      string   `arg:"" help:"The notification's key, as mail list prints it: 1#QUOTE_READY."`
	By       string   `required:"" env:"USER" placeholder:"NAME" help:"Who requests it. It is kept. Default: the user of this machine."`
	Note     string   `placeholder:"TEXT" help:"Why. It is kept until the customer is erased."`
	JSON     bool     `name:"json" help:"Print JSON."`
	Endpoint endpoint `embed:""`
}

// Help says when it goes out.
func (*mailResendCmd) Help() string {
	return `The notification is due at once and goes out with the next run of senddue, every 15 minutes: if it is still true, to the current contact, during the hours for notifications. An UNKNOWN one may have gone out already; the customer then gets it twice. Each call sends once; if that fails too, it can be resent again.

Example, after the mail domain left the sandbox:

  milepost mail resend 01KXAMPE0000000000000000QT 1#QUOTE_READY --by eve --note "SES had refused it"`
}

// Validate is called by the parser.
func (c *mailResendCmd) Validate() error { return checkDecision(c.By, c.Note) }

// Run makes it due.
func (c *mailResendCmd) Run(ctx context.Context, s streams) error {
	return c.Endpoint.decide(ctx, s, c.Quote, c.Key, outbox.Decision{Verdict: outbox.Resend, By: c.By, Note: c.Note}, c.JSON)
}

// decide carries out a decision on a notification, and prints its new state.
func (e *endpoint) decide(ctx context.Context, s streams, quoteID, key string, d outbox.Decision, asJSON bool) error {
	store, err := e.outbox(ctx, s)
	if err != nil {
		return err
	}
	item, err := mail.Decide(ctx, store, quoteID, key, d)
	if missing, ok := errors.AsType[*mail.NotFound](err); ok {
		return noMail(missing)
	}
	if err != nil {
		return plainly(err)
	}
	line := newMailLine(item)
	if asJSON {
		return printJSON(s.out, line)
	}
	fmt.Fprintf(s.out, "%s  %s: %s\n", line.Key, line.Status, item.Decisions[len(item.Decisions)-1])
	return nil
}
