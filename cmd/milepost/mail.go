package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"milepost/internal/outbox"
)

// mailCmd shows what customers and staff were told.
type mailCmd struct {
	List mailListCmd `cmd:"" help:"List what customers and staff were told, or are to be told."`
	Show mailShowCmd `cmd:"" help:"Show the exact words that were sent about a quote, to whom, how and when."`
}

// mailListCmd lists notifications.
type mailListCmd struct {
	Quote    string   `placeholder:"ID" help:"Only those about this quote. Without it the whole table is read."`
	Status   []string `placeholder:"STATUS" enum:"DUE,CLAIMED,SENDING,SENT,UNKNOWN,FAILED,OBSOLETE,PAPER,NO_CONTACT,NO_CONSENT" help:"Only those with one of these statuses, such as UNKNOWN,FAILED,PAPER: what a person has to look at."`
	JSON     bool     `name:"json" help:"Print JSON."`
	Endpoint endpoint `embed:""`
}

// Help says what the statuses mean.
func (*mailListCmd) Help() string {
	return `DUE waits for its time; CLAIMED and SENDING are being sent. SENT went out. UNKNOWN may or may not have gone out: whoever sent it was cut off. FAILED was refused by the provider. OBSOLETE was no longer true when it was to be sent. PAPER has to go out on paper. With NO_CONTACT and NO_CONSENT there was nobody to send it to.

Example, what a person has to look at:

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
}

func newMailLine(i outbox.Item) mailLine {
	return mailLine{
		QuoteID: i.QuoteID, Key: i.Key(), Kind: string(i.Kind), Revision: i.Revision, Status: string(i.Status), Channel: string(i.Channel),
		CreatedAt: i.CreatedAt, DueAt: i.DueAt, SentAt: i.SentAt, Attempts: i.Attempts, MessageID: i.MessageID, Problem: i.Problem,
	}
}

// Run prints a line for each notification, the oldest first. It prints no personal data.
func (c *mailListCmd) Run(ctx context.Context, s streams) error {
	_, items, err := c.Endpoint.mail(ctx, s, c.Quote)
	if err != nil {
		return err
	}
	lines := []mailLine{}
	for _, i := range items {
		if len(c.Status) == 0 || slices.Contains(c.Status, string(i.Status)) {
			lines = append(lines, newMailLine(i))
		}
	}
	if c.JSON {
		return printJSON(s.out, lines)
	}
	table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "CREATED\tQUOTE\tKEY\tSTATUS\tSENT OR DUE\tCHANNEL\tPROBLEM")
	for _, l := range lines {
		when := l.SentAt
		if l.Status == string(outbox.Due) {
			when = l.DueAt
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", clock(l.CreatedAt), l.QuoteID, l.Key, l.Status, clock(when), cmp.Or(l.Channel, "-"), cmp.Or(l.Problem, "-"))
	}
	return table.Flush()
}

// mail reads the notifications of a quote, or all, the oldest first. Their letters are not opened.
func (e *endpoint) mail(ctx context.Context, s streams, quoteID string) (store *outbox.Store, items []outbox.Item, err error) {
	cfg, err := e.config(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	store = &outbox.Store{DB: dynamodb.NewFromConfig(cfg), Table: e.Stack + "-notifications", Keys: e.keys(cfg)}
	if quoteID != "" {
		items, err = store.OfQuote(ctx, quoteID)
	} else {
		err = store.All(ctx, func(i outbox.Item) { items = append(items, i) })
	}
	slices.SortFunc(items, func(a, b outbox.Item) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.QuoteID, b.QuoteID), cmp.Compare(a.Key(), b.Key()))
	})
	return store, items, plainly(err)
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
	return `What is shown is personal: whom it was sent to, and the exact words. Of a customer who was erased it is gone.

Example:

  milepost mail show 01KXAMPE0000000000000000QT --key 1#QUOTE_READY`
}

// Run prints each notification with its letter.
func (c *mailShowCmd) Run(ctx context.Context, s streams) error {
	store, items, err := c.Endpoint.mail(ctx, s, c.Quote)
	if err != nil {
		return err
	}
	if c.Key != "" {
		items = slices.DeleteFunc(items, func(i outbox.Item) bool { return i.Key() != c.Key })
	}
	if len(items) == 0 {
		if c.Key != "" {
			return fmt.Errorf("quote %s has no notification %s; milepost mail list --quote shows those it has", c.Quote, c.Key)
		}
		return fmt.Errorf("quote %s has no notifications", c.Quote)
	}
	for n := range items {
		if err := store.OpenLetter(ctx, &items[n]); err != nil {
			return plainly(err)
		}
	}
	if c.JSON {
		type shown struct {
			mailLine
			Letter *outbox.Letter `json:"letter,omitempty"`
			Erased bool           `json:"erased,omitempty"`
		}
		all := []shown{}
		for _, i := range items {
			one := shown{mailLine: newMailLine(i), Erased: i.Erased}
			if i.Letter.Body != "" {
				one.Letter = &i.Letter
			}
			all = append(all, one)
		}
		return printJSON(s.out, all)
	}
	for n, i := range items {
		if n > 0 {
			fmt.Fprintln(s.out)
		}
		showMail(s.out, i)
	}
	return nil
}

func showMail(out io.Writer, i outbox.Item) {
	fmt.Fprintf(out, "%s  %s\n", i.Key(), i.Status)
	for _, row := range [][2]string{
		{"Channel", string(i.Channel)}, {"To", i.Letter.To}, {"Sent", clock(i.SentAt)}, {"Message id", i.MessageID},
		{"Problem", i.Problem}, {"Subject", i.Letter.Subject},
	} {
		if row[1] != "" && row[1] != "-" {
			fmt.Fprintf(out, "  %-11s %s\n", row[0], row[1])
		}
	}
	if i.Status == outbox.Due {
		fmt.Fprintf(out, "  %-11s %s\n", "Due", clock(i.DueAt))
	}
	if i.Erased {
		fmt.Fprintln(out, "\nThe letter was erased with its customer.")
	}
	if i.Letter.Body != "" {
		fmt.Fprintf(out, "\n%s\n", i.Letter.Body)
	}
}
