package quote

import (
	"context"
	"errors"
	"slices"
	"time"

	"milepost/domain/plausible"
	"milepost/domain/quote"
	"milepost/internal/log/eventstore"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/quotes/readmodel"
)

// elsewhere looks for what in a quote contradicts other quotes with the same vehicles and drivers.
func (r *rater) elsewhere(ctx context.Context, h quotestore.History, now time.Time) ([]plausible.Finding, error) {
	var others []quote.Other
	for _, term := range h.Quote.Request.Terms() {
		within := map[quote.TermField]time.Duration{quote.TermVIN: quote.VINElsewhereWithin, quote.TermLicense: quote.SpeedWithin}[term.Field]
		if within == 0 {
			continue
		}
		lines, err := r.search.WithTerm(ctx, term, now.Add(-within), now, h.Quote.CustomerID)
		if err != nil {
			return nil, err
		}
		found, err := r.others(ctx, h.Quote.ID, term, lines)
		if err != nil {
			return nil, err
		}
		others = append(others, found...)
	}
	return quote.Elsewhere(h.Quote, others, now), nil
}

// maxCompared is how many other quotes, the newest, are read for what they state. Each of them was compared with those
// before it when it was rated.
const maxCompared = quote.SpeedQuotes - 1

// others are the quotes of lines, except for one. What they state about drivers is read if there are enough of them to
// matter.
func (r *rater) others(ctx context.Context, quoteID string, term quote.Term, lines []readmodel.Line) ([]quote.Other, error) {
	// The search may have the quote itself already, or not yet.
	lines = slices.DeleteFunc(slices.Clone(lines), func(l readmodel.Line) bool { return l.QuoteID == quoteID })
	var others []quote.Other
	for _, l := range lines {
		o := quote.Other{
			Term: term, QuoteID: l.QuoteID, CustomerID: l.CustomerID, Status: l.Status, RequestedAt: l.RequestedAt,
		}
		if term.Field == quote.TermLicense && len(lines) >= maxCompared && len(others) < maxCompared {
			h, err := r.quotes.Latest(ctx, l.QuoteID)
			if _, broken := errors.AsType[*eventstore.Unreadable](err); broken {
				continue // what it states cannot be read
			}
			if err != nil {
				return nil, err
			}
			o.Drivers = h.Quote.Request.Drivers
		}
		others = append(others, o)
	}
	return others, nil
}
