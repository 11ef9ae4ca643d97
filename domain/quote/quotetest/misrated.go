package quotetest

import (
	"testing"

	"github.com/govalues/decimal"

	"milepost/domain/quote"
	"milepost/domain/rating"
)

// Misrated is an outcome as a faulty program would have rated it: its price is too high by the dollars, or too low if
// they are negative. An event without a price stays as it is.
func Misrated(tb testing.TB, e quote.Event, dollars int64) quote.Event {
	tb.Helper()
	switch e := e.(type) {
	case quote.QuoteOffered:
		e.Rating = MisratedResult(tb, e.Rating, dollars)
		return e
	case quote.QuoteReferred:
		e.Rating = MisratedResult(tb, e.Rating, dollars)
		return e
	default:
		return e
	}
}

// MisratedResult is Misrated for a result.
func MisratedResult(tb testing.TB, r rating.Result, dollars int64) rating.Result {
	tb.Helper()
	if r.Price == nil {
		return r
	}
	price := *r.Price
	for _, amount := range []*decimal.Decimal{&price.TotalPremium, &price.CoverageTotal} {
		wrong, err := amount.Add(decimal.MustNew(100*dollars, 2))
		if err != nil {
			tb.Fatal(err)
		}
		*amount = wrong
	}
	r.Price = &price
	return r
}
