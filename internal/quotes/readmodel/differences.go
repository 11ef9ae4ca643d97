package readmodel

import (
	"context"
	"slices"

	"milepost/domain/quote"
)

// WithDifferences adds what other quotes state differently about the same drivers, if that referred the quote: those
// that were requested within a day before it was rated, as their revisions in force state it. It costs a query for each
// driver and a read of each of these quotes with its personal data. What cannot be read or was erased is left out.
func (c *Current) WithDifferences(ctx context.Context, p Projection) (Projection, error) {
	if p.ErasedAt != nil || !p.isFor(quote.Speed) {
		return p, nil
	}
	h, err := c.Log.Load(ctx, p.QuoteID)
	if err == nil {
		h, err = h.AtVersion(p.Version)
	}
	if err != nil || h.Erased {
		return p, c.ofOneQuote(ctx, err)
	}
	rated := h.RequestedAt()
	for _, e := range h.Events {
		if e.Type == quote.TypeQuoteReferred {
			rated = e.OccurredAt
		}
	}
	var others []quote.Other
	for _, term := range h.Quote.Request.Terms() {
		if term.Field != quote.TermLicense {
			continue
		}
		lines, err := c.Projections.WithTerm(ctx, term, rated.Add(-quote.SpeedWithin), rated, "")
		if err != nil {
			return p, err
		}
		for _, l := range lines {
			if l.QuoteID == p.QuoteID || l.RequestedAt.After(rated) {
				continue
			}
			other, err := c.Log.Load(ctx, l.QuoteID)
			if err := c.ofOneQuote(ctx, err); err != nil {
				return p, err
			}
			others = append(others, quote.Other{Term: term, QuoteID: l.QuoteID, Drivers: other.Quote.Request.Drivers})
		}
	}
	p.Differences = quote.Differences(h.Quote, others)
	return p, nil
}

// isFor reports whether a code is among the reasons of a quote's outcome.
func (p Projection) isFor(code string) bool {
	has := func(reasons []quote.Reason) bool {
		return slices.ContainsFunc(reasons, func(r quote.Reason) bool { return r.Code == code })
	}
	return p.Outcome != nil && has(p.Reasons) || p.Reported != nil && has(p.Reported.Reasons)
}
