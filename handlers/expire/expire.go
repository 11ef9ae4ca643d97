// Package expire is the function that notes in the log which open quotes have expired. It runs once a day.
//
// Nothing depends on when it runs: a quote has expired when its last day has passed in the risk's time zone, whether or
// not the log says so yet. It makes up for missed days, up to lookback.
package expire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/internal/platform"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/quotes/readmodel"
	"milepost/internal/wiring"
)

// lookback is how many days back quotes are looked for.
const lookback = 40

// workers is how many quotes are worked on at a time.
const workers = 16

type handler struct {
	quotes      *quotestore.Store
	projections *readmodel.Store
}

// New makes the handler. It needs what wiring.System.QuotesWithSnapshots and Documents need.
func New(env platform.Environment) (lambda.Handler, error) {
	s := wiring.Of(env)
	h := &handler{quotes: s.QuotesWithSnapshots(), projections: s.Documents()}
	return platform.Handler(env, h.expire), s.Err()
}

// Swept is the result of a run.
type Swept struct {
	// Quotes is how many quotes were found whose last day has passed, at least where the day begins first.
	Quotes int `json:"quotes"`
}

// expire handles the quotes whose last day was yesterday or before. A quote that fails does not delay the others; the
// run fails in the end, and the next one finds that quote again.
func (h *handler) expire(ctx context.Context, _ json.RawMessage) (Swept, error) {
	now := time.Now().UTC()
	// No state is ahead of UTC: what has expired anywhere was open at most through yesterday of UTC.
	today := civil.DateOf(now)
	var swept Swept
	var errs []error
	for days := 1; days <= lookback; days++ {
		ids, err := h.projections.ExpiringOn(ctx, today.AddDays(-days))
		swept.Quotes += len(ids)
		errs = append(errs, err, platform.Each(ids, workers, func(id string) error { return h.expireOne(ctx, id, now) }))
	}
	return swept, errors.Join(errs...)
}

func (h *handler) expireOne(ctx context.Context, quoteID string, now time.Time) error {
	platform.Note(ctx, platform.Subject{QuoteID: quoteID})
	history, err := h.quotes.Latest(ctx, quoteID, quotestore.Impersonal)
	if err == nil && history.Quote.Version == 0 {
		err = &quotestore.NotFound{QuoteID: quoteID}
	}
	if err != nil {
		return fmt.Errorf("expire quote %s: %w", quoteID, err)
	}
	// A run that is repeated on a day is the same command; the correlation joins what the run did.
	run := fmt.Sprintf("expire/%s", civil.DateOf(now))
	_, err = h.quotes.ExecuteOn(ctx, history, quotestore.Order{
		ID: run + "/" + quoteID, Actor: "expire", CorrelationID: run, At: now,
		Command: quote.ExpireQuote{On: history.Quote.Request.Today(now)},
	})
	if err != nil {
		return fmt.Errorf("expire quote %s: %w", quoteID, err)
	}
	return nil
}
