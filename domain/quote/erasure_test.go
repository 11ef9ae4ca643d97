package quote_test

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
)

var erased = quote.PersonalDataErased{QuoteID: quotetest.ID, Erasure: quote.Erasure{
	At: time.Date(2026, 6, 1, 8, 0, 0, 0, time.UTC), By: "eve", ReasonCode: "CUSTOMER_REQUEST",
}}

func TestAnErasureEndsAnOpenQuoteAndLeavesAClosedOneAsItIs(t *testing.T) {
	t.Parallel()
	l := mustLife(t)
	for name, row := range map[string]struct {
		given []quote.Event
		want  quote.Status
	}{
		"an offer":       {with(l.offered), quote.StatusWithdrawn},
		"a referral":     {with(l.referred), quote.StatusWithdrawn},
		"an accepted":    {with(l.offered, accepted), quote.StatusAccepted},
		"an expired":     {with(l.offered, l.expired()), quote.StatusExpired},
		"a withdrawn":    {with(l.offered, withdrawn), quote.StatusWithdrawn},
		"a mere request": {l.offered[:1], quote.StatusWithdrawn},
	} {
		before := quote.Fold(row.given...)
		events, err := quote.Decide(before, quote.RecordErasure{Erasure: erased.Erasure})
		if err != nil || !reflect.DeepEqual(events, []quote.Event{erased}) {
			t.Fatalf("%s: events %+v, error %v", name, events, err)
		}
		q := quote.Fold(with(row.given, erased)...)
		if q.Status != row.want || q.Erasure == nil || *q.Erasure != erased.Erasure || !reflect.DeepEqual(q.Rating, before.Rating) {
			t.Errorf("%s: Status=%s Erasure=%v, want %s", name, q.Status, q.Erasure, row.want)
		}
	}
}

func TestAnErasedQuoteTakesNoCommandThatNeedsItsPersons(t *testing.T) {
	t.Parallel()
	l := mustLife(t)
	q := quote.Fold(with(l.offered, erased)...)
	for _, c := range []quote.Command{
		quote.AmendQuote{}, quote.AcceptQuote{Revision: 1}, quote.WithdrawQuote{}, quote.RateQuote{Revision: 1}, quote.RecordVehicles{Revision: 1},
		quote.RecordAccidentHistory{Revision: 1}, quote.DecideReferral{Revision: 1}, quote.SubmitQuote{}, undo(q.Version), undo(2),
	} {
		events, err := quote.Decide(q, c)
		if _, ok := errors.AsType[*quote.Erased](err); !ok || events != nil {
			t.Errorf("%T: events %v, error %v, want *Erased", c, events, err)
		}
	}
	for _, c := range []quote.Command{quote.RecordErasure{}, quote.ExpireQuote{On: q.Rating.ExpiresOn.AddDays(1)}} {
		if events, err := quote.Decide(q, c); err != nil || events != nil {
			t.Errorf("%T: events %v, error %v, want none", c, events, err)
		}
	}
}
