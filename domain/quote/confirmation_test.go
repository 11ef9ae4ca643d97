package quote_test

import (
	"errors"
	"testing"

	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
)

// TestTextsGoToAConfirmedPhoneOnly goes through what may happen to a phone: it is confirmed for as long as it is the
// contact's, and no other number is.
func TestTextsGoToAConfirmedPhoneOnly(t *testing.T) {
	t.Parallel()
	const first, second = "+16145550100", "+16145550199"
	e := quotetest.MustExample(t, "E01")
	with := func(number string, consent bool) quote.Request {
		r := e.Request
		r.Contact = &quote.Contact{Email: "ada@example.com", Phone: number, Consents: quote.Consents{Text: consent}}
		return r
	}
	requested := func(number string) quote.Event {
		return quote.QuoteRequested{QuoteID: quotetest.ID, Revision: 1, CustomerID: "ada", QuoteDate: e.QuoteDate, Request: with(number, true)}
	}
	amended := func(revision int, number string, consent bool) quote.Event {
		return quote.QuoteAmended{QuoteID: quotetest.ID, Revision: revision, QuoteDate: e.QuoteDate, Request: with(number, consent)}
	}
	confirmed := func(revision int) quote.Event { return quote.PhoneConfirmed{QuoteID: quotetest.ID, Revision: revision} }
	for name, row := range map[string]struct {
		given []quote.Event
		want  quote.Texting
	}{
		"stated only":               {[]quote.Event{requested(first)}, quote.TextsUnconfirmed},
		"confirmed":                 {[]quote.Event{requested(first), confirmed(1)}, quote.TextsAllowed},
		"amended in something else": {[]quote.Event{requested(first), confirmed(1), amended(2, first, true)}, quote.TextsAllowed},
		"consent withdrawn":         {[]quote.Event{requested(first), confirmed(1), amended(2, first, false)}, quote.NoTexts},
		"another number":            {[]quote.Event{requested(first), confirmed(1), amended(2, second, true)}, quote.TextsUnconfirmed},
		"another number, confirmed": {[]quote.Event{requested(first), confirmed(1), amended(2, second, true), confirmed(2)}, quote.TextsAllowed},
		"back to the first":         {[]quote.Event{requested(first), confirmed(1), amended(2, second, true), amended(3, first, true)}, quote.TextsAllowed},
		"confirmation undone":       {[]quote.Event{requested(first), confirmed(1), undone(2, quote.TypePhoneConfirmed)}, quote.TextsUnconfirmed},
		"the amendment and what rests on it": {
			[]quote.Event{requested(first), amended(2, second, true), confirmed(2), undone(3, quote.TypePhoneConfirmed), undone(2, quote.TypeQuoteAmended)},
			quote.TextsUnconfirmed},
		"premium, stored before it was refused": {[]quote.Event{requested("+19005550100"), confirmed(1)}, quote.NoTexts},
		"foreign, stored before it was refused": {[]quote.Event{requested("+447700900123"), confirmed(1)}, quote.NoTexts},
	} {
		if got := quote.Fold(row.given...).Texting(); got != row.want {
			t.Errorf("%s: %s, want %s", name, got, row.want)
		}
	}

	q := quote.Fold(requested(first))
	events, err := quote.Decide(q, quote.ConfirmPhone{Phone: first})
	if err != nil || len(events) != 1 || events[0] != confirmed(1) {
		t.Fatalf("events=%v error=%v", events, err)
	}
	if again, err := quote.Decide(quote.Evolve(q, events[0]), quote.ConfirmPhone{Phone: first}); err != nil || len(again) != 0 {
		t.Errorf("again: events=%v error=%v", again, err)
	}
	for _, number := range []string{second, ""} {
		if _, err := quote.Decide(q, quote.ConfirmPhone{Phone: number}); !isPhoneChanged(err) {
			t.Errorf("%q: error=%v", number, err)
		}
	}
}

func isPhoneChanged(err error) bool {
	_, changed := errors.AsType[*quote.PhoneChanged](err)
	return changed
}
