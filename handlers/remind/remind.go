// Package remind is the function that reminds customers of offers that are about to expire: it adds reminders to the
// outbox. It runs once a day, and makes up for missed days.
package remind

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"milepost/domain/civil"
	"milepost/domain/notification"
	"milepost/domain/quote"
	"milepost/internal/notify/outbox"
	"milepost/internal/platform"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/quotes/readmodel"
	"milepost/internal/wiring"
)

// workers is how many quotes are worked on at a time.
const workers = 16

type handler struct {
	quotes      *quotestore.Store
	projections *readmodel.Store
	outbox      *outbox.Store
}

// New makes the handler. It needs what wiring.System.Quotes, Documents and Outbox need.
func New(env platform.Environment) (lambda.Handler, error) {
	s := wiring.Of(env)
	h := &handler{quotes: s.Quotes(), projections: s.Documents(), outbox: s.Outbox()}
	return platform.Handler(env, h.remind), s.Err()
}

// Swept is the result of a run.
type Swept struct {
	// Quotes is how many quotes were found that are about to expire.
	Quotes int `json:"quotes"`
}

// remind handles the quotes that end within a number of days. A quote that fails does not delay the others; the run
// fails in the end, and the next one finds that quote again.
func (h *handler) remind(ctx context.Context, _ json.RawMessage) (Swept, error) {
	// Where UTC's day has begun, it may be the day before where the risk is.
	today := civil.DateOf(time.Now().UTC())
	var swept Swept
	var errs []error
	for days := -1; days <= notification.RemindDays; days++ {
		ids, err := h.projections.ExpiringOn(ctx, today.AddDays(days))
		swept.Quotes += len(ids)
		errs = append(errs, err, platform.Each(ids, workers, func(id string) error { return h.remindOf(ctx, id) }))
	}
	return swept, errors.Join(errs...)
}

// remindOf adds the reminder of one quote to the outbox, if it is about to expire and the customer was not reminded.
func (h *handler) remindOf(ctx context.Context, quoteID string) error {
	platform.Note(ctx, platform.Subject{QuoteID: quoteID})
	now := time.Now()
	item, there, err := h.outbox.Get(ctx, quoteID, notification.Reminder(quote.Quote{}).Key())
	if err != nil || there && !slices.Contains([]outbox.Status{outbox.Obsolete, outbox.NoContact, outbox.NoConsent, outbox.Unconfirmed}, item.Status) {
		return err
	}
	history, err := h.quotes.Load(ctx, quoteID, quotestore.Impersonal)
	if err != nil {
		return err
	}
	n := notification.Reminder(history.Quote)
	if !notification.Stands(history.Quote, n, history.Quote.Request.Today(now)) {
		return nil
	}
	return h.outbox.Put(ctx, now, n)
}
