package quote_test

import (
	"errors"
	"testing"

	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/domain/rating"
)

// TestNoCoverBeginsBeforeItIsAccepted goes through the ways in which an offer or a waiting referral arises, and tries
// to accept or approve it around the day on which its policy begins.
func TestNoCoverBeginsBeforeItIsAccepted(t *testing.T) {
	t.Parallel()
	l := mustLife(t)
	begins := l.example.Request.EffectiveDate
	corrected := func(outcome rating.Outcome) quote.Event {
		e := l.corrected(outcome, "500.00", "-14.00")
		e.Outcome, e.Rating.Outcome = outcome, outcome
		return e
	}
	later := l.longer(t)
	ways := map[string][]quote.Event{
		"offered":                         l.offered,
		"referred":                        l.referred,
		"approved in time":                with(l.referred, approved),
		"its acceptance was undone":       with(l.offered, accepted, undone(5, quote.TypeQuoteAccepted)),
		"its withdrawal was undone":       with(l.offered, withdrawn, undone(5, quote.TypeQuoteWithdrawn)),
		"its expiry was undone":           with(l.offered, l.expired(), undone(5, quote.TypeQuoteExpired)),
		"its refusal was undone":          with(l.referred, refused, undone(5, quote.TypeReferralDeclined)),
		"its approval was undone":         with(l.referred, approved, undone(5, quote.TypeReferralApproved)),
		"an amendment of it was undone":   with(l.offered, l.amended(t), undone(5, quote.TypeQuoteAmended)),
		"a decline corrected to offer":    with(l.declined, corrected(rating.Quoted)),
		"a decline corrected to referral": with(l.declined, corrected(rating.Referred)),
		"a correction of it was undone":   with(l.offered, corrected(rating.Declined), undone(5, quote.TypeQuoteCorrected)),
		"amended to begin the same day": with(l.offered, quote.QuoteAmended{QuoteID: quotetest.ID, Revision: 2, QuoteDate: l.day, Request: later},
			quote.QuoteOffered{QuoteID: quotetest.ID, Revision: 2, Rating: l.example.Expected}),
	}
	for name, events := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := quote.Fold(events...)
			for _, days := range []int{-1, 0, 1, 16} {
				on := begins.AddDays(days)
				var command quote.Command = quote.AcceptQuote{Revision: q.Number, On: on}
				if q.Status == quote.StatusReferred {
					command = quote.DecideReferral{Revision: q.Number, Approve: true, Decision: reasoned, On: on}
				}
				got, err := quote.Decide(q, command)
				if days <= 0 {
					if err != nil || len(got) != 1 {
						t.Errorf("%d days from the beginning: events=%v error=%v", days, got, err)
					}
					continue
				}
				passed, ok := errors.AsType[*quote.EffectiveDatePassed](err)
				if !ok || passed.EffectiveDate != begins || passed.On != on || got != nil {
					t.Errorf("%d days from the beginning: events=%v error=%v", days, got, err)
				}
				// What is refused can be fixed as the error says, and an underwriter can still decline.
				r := edited(t, q.Request, func(r *quote.Request) { r.EffectiveDate = on })
				if got, err := quote.Decide(q, quote.AmendQuote{QuoteDate: on, Request: r}); err != nil || len(got) != 1 {
					t.Errorf("amended to begin on %s: events=%v error=%v", on, got, err)
				}
				if q.Status == quote.StatusReferred {
					decline := quote.DecideReferral{Revision: q.Number, Decision: reasoned, On: on}
					if _, err := quote.Decide(q, decline); err != nil {
						t.Errorf("declined on %s: %v", on, err)
					}
				}
			}
		})
	}
}
