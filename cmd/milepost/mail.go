package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"milepost/internal/log/seal"
	"milepost/internal/notify/outbox"
	"milepost/internal/ops/mail"
	"milepost/internal/platform/stored"
)

// mailCmd shows the notifications to customers and staff, and settles what the system cannot.
type mailCmd struct {
	List   mailListCmd   `cmd:"" help:"List notifications to customers and staff, sent or due."`
	Show   mailShowCmd   `cmd:"" help:"Show the exact text that was sent about a quote, to whom, how and when."`
	Settle mailSettleCmd `cmd:"" help:"Record what happened to a notification that is UNKNOWN, FAILED or PAPER."`
	Resend mailResendCmd `cmd:"" help:"Send a notification again that is UNKNOWN or FAILED."`
}

// mailListCmd lists notifications.
type mailListCmd struct {
	Quote    string   `placeholder:"ID" help:"Only those about this quote. Without it the whole table is read."`
	Status   []string `placeholder:"STATUS" enum:"DUE,CLAIMED,SENDING,SENT,UNKNOWN,FAILED,OBSOLETE,PAPER,NO_CONTACT,NO_CONSENT,UNCONFIRMED,ERASED,NOT_SENT" help:"Only those with one of these statuses, such as UNKNOWN,FAILED,PAPER: those that need a decision."`
	Format   format   `embed:""`
	Endpoint endpoint `embed:""`
}

// Help says what the statuses mean.
func (*mailListCmd) Help() string {
	return `DUE waits for its time; CLAIMED and SENDING are being sent. SENT went out. UNKNOWN may or may not have gone out: the sender was interrupted. FAILED was refused by the provider. OBSOLETE was no longer true when it was due. PAPER must go out on paper. NO_CONTACT and NO_CONSENT had no address that may be used, UNCONFIRMED only a phone that nobody had confirmed; ERASED belongs to a customer who was erased before. NOT_SENT was not sent, according to a member of staff.

Example, those that need a decision:

  milepost mail list --status UNKNOWN,FAILED,PAPER`
}

// mailLine is a notification as a program reads it.
type mailLine struct {
	QuoteID   string    `json:"quoteId"`
	Key       string    `json:"key"`
	Kind      string    `json:"kind"`
	Revision  int       `json:"revision"`
	Status    string    `json:"status"`
	Channel   string    `json:"channel,omitempty"`
	CreatedAt time.Time `json:"createdAt"`
	DueAt     time.Time `json:"dueAt"`
	SentAt    time.Time `json:"sentAt,omitzero"`
	Attempts  int       `json:"attempts"`
	MessageID string    `json:"messageId,omitempty"`
	Problem   string    `json:"problem,omitempty"`
	// Decisions are those of staff about it.
	Decisions []outbox.Decision `json:"decisions,omitempty"`
}

func newMailLine(i outbox.Item) mailLine {
	return mailLine{
		QuoteID: i.QuoteID, Key: i.Key(), Kind: string(i.Kind), Revision: i.Revision, Status: string(i.Status), Channel: string(i.Channel),
		CreatedAt: i.CreatedAt, DueAt: i.DueAt, SentAt: i.SentAt, Attempts: i.Attempts, MessageID: i.MessageID, Problem: i.Problem,
		Decisions: i.Decisions,
	}
}

// Run prints a line for each notification, the oldest first. It prints no personal data.
func (c *mailListCmd) Run(ctx context.Context, s streams) error {
	_, items, faults, err := c.Endpoint.mailOf(ctx, s, c.Quote)
	if err != nil {
		return err
	}
	lines := []mailLine{}
	for _, i := range items {
		if len(c.Status) == 0 || slices.Contains(c.Status, string(i.Status)) {
			lines = append(lines, newMailLine(i))
		}
	}
	printFaults(s.err, faults)
	if c.Format.JSON {
		return failedFor(faults, printJSON(s.out, lines))
	}
	table := newList("created", "quote", "key", "status", "sent or due", "channel", "problem")
	for _, l := range lines {
		when := l.SentAt
		if l.Status == string(outbox.Due) {
			when = l.DueAt
		}
		table.add(clock(l.CreatedAt), l.QuoteID, l.Key, l.Status, clock(when), cmp.Or(l.Channel, "-"), cmp.Or(l.Problem, "-"))
		if slices.Contains([]outbox.Status{outbox.Unknown, outbox.Failed, outbox.Paper}, outbox.Status(l.Status)) {
			table.mark()
		}
	}
	return failedFor(faults, table.print(s.out, c.Format))
}

// outbox is the table of notifications, with the keys that their letters are sealed under.
func (e *endpoint) outbox(ctx context.Context, s streams) (*outbox.Store, error) {
	l, err := e.logs(ctx, s)
	if err != nil {
		return nil, err
	}
	return l.outbox, nil
}

// mailOf reads the notifications of a quote, or all, and returns the table in which they are, too.
func (e *endpoint) mailOf(ctx context.Context, s streams, quoteID string) (*outbox.Store, []outbox.Item, stored.Faults, error) {
	store, err := e.outbox(ctx, s)
	if err != nil {
		return nil, nil, stored.Faults{}, err
	}
	items, faults, err := mail.List(ctx, store, quoteID)
	return store, items, faults, plainly(err)
}

// mailShowCmd shows notifications about one quote.
type mailShowCmd struct {
	Quote    string   `arg:"" help:"The quote's id."`
	Key      string   `placeholder:"KEY" help:"Only the one with this key, as mail list prints it: 1#QUOTE_READY."`
	JSON     bool     `name:"json" help:"Print JSON."`
	Endpoint endpoint `embed:""`
}

// Help says what is shown.
func (*mailShowCmd) Help() string {
	return `The output is personal data: the recipient and the exact text. For an erased customer, only the rest is left.

Example:

  milepost mail show 01KXAMPE0000000000000000QT --key 1#QUOTE_READY`
}

// mailShown is a notification with its letter.
type mailShown struct {
	mailLine
	// Letter is nil if none was written, or if it was erased.
	Letter *outbox.Letter `json:"letter,omitempty"`
	// Erased is the record of the erasure of the customer, nil where the letter can be read.
	Erased *seal.Erasure `json:"erased,omitempty"`
}

// Run prints each notification with its letter.
func (c *mailShowCmd) Run(ctx context.Context, s streams) error {
	store, items, faults, err := c.Endpoint.mailOf(ctx, s, c.Quote)
	if err != nil {
		return err
	}
	if c.Key != "" {
		items = slices.DeleteFunc(items, func(i outbox.Item) bool { return i.Key() != c.Key })
	}
	printFaults(s.err, faults)
	if len(items) == 0 && faults.Count() == 0 {
		if c.Key != "" {
			return noMail(&mail.NotFound{QuoteID: c.Quote, Key: c.Key})
		}
		return fmt.Errorf("quote %s has no notifications", c.Quote)
	}
	all := []mailShown{}
	for _, i := range items {
		one := mailShown{mailLine: newMailLine(i)}
		letter, err := store.Letter(ctx, i)
		if erased, ok := errors.AsType[*seal.Erased](err); ok {
			one.Erased = &erased.Erasure
		} else if err != nil {
			return plainly(err)
		}
		if letter.Body != "" {
			one.Letter = &letter
		}
		all = append(all, one)
	}
	if c.JSON {
		return failedFor(faults, printJSON(s.out, all))
	}
	for n, one := range all {
		if n > 0 {
			fmt.Fprintln(s.out)
		}
		one.print(s.out)
	}
	return failedFor(faults, nil)
}

// noMail says that a quote has no notification with a key.
func noMail(missing *mail.NotFound) error {
	return fmt.Errorf("%w; milepost mail list --quote shows those it has", missing)
}

func (m mailShown) print(out io.Writer) {
	letter := cmp.Or(m.Letter, &outbox.Letter{})
	rows := [][2]string{
		{"Channel", m.Channel}, {"To", letter.To}, {"Sent", clock(m.SentAt)}, {"Message id", m.MessageID},
		{"Problem", m.Problem}, {"Subject", letter.Subject},
	}
	if m.Status == string(outbox.Due) {
		rows = append(rows, [2]string{"Due", clock(m.DueAt)})
	}
	for _, d := range m.Decisions {
		rows = append(rows, [2]string{"Decided", d.String()})
	}
	if m.Erased != nil {
		rows = append(rows, [2]string{"Letter", fmt.Sprintf("erased at %s by %s, %s", clock(m.Erased.At), m.Erased.By, m.Erased.ReasonCode)})
	}
	fmt.Fprintf(out, "%s  %s\n", m.Key, m.Status)
	for _, row := range rows {
		if row[1] != "" && row[1] != "-" {
			fmt.Fprintf(out, "  %-11s %s\n", row[0], row[1])
		}
	}
	if m.Letter != nil {
		fmt.Fprintf(out, "\n%s\n", letter.Body)
	}
}
