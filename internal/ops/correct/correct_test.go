package correct_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/domain/rating"
	"milepost/internal/log/eventstore"
	"milepost/internal/log/seal"
	"milepost/internal/ops/correct"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/stacktest"
)

var (
	at     = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	window = correct.Window{Since: at, Until: at.Add(24 * time.Hour)}
)

// quoteID makes ids in the form that the schemas want.
func quoteID(n int) string { return fmt.Sprintf("01KXAMPE000000000000000%03d", n) }

// desk is a log with a corrector.
type desk struct {
	*correct.Corrector
	t *testing.T
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	return &desk{t: t, Corrector: &correct.Corrector{
		Quotes: stacktest.Open(t, nil).Quotes(), Workers: 4,
		Mandate: quote.Mandate{CorrectionID: "c1", ReasonCode: "TERRITORY", Text: "Twice", By: "eve", Engine: "v2"},
	}}
}

// record puts a quote into the log that is too high by a number of dollars, some minutes after the beginning.
func (d *desk) record(n int, e quotetest.Example, dollars int64, more ...quote.Event) {
	d.t.Helper()
	stacktest.MustRecord(d.t, d.Quotes.Log, quoteID(n), at.Add(time.Duration(n)*time.Minute), append(stacktest.Misrated(d.t, e, quoteID(n), dollars), more...)...)
}

// run corrects from the beginning.
func (d *desk) run() ([]correct.Finding, correct.Figures) {
	d.t.Helper()
	var all []correct.Finding
	p, err := d.Run(d.t.Context(), window, correct.New(window), func(found []correct.Finding, _ correct.Progress) error {
		all = append(all, found...)
		return nil
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return all, p.Figures
}

// corrections counts the corrections of each quote, by its number. Those that have none are left out.
func (d *desk) corrections(quotes int) map[int]int {
	d.t.Helper()
	made := map[int]int{}
	for n := range quotes {
		for _, e := range d.load(n).Events {
			if e.Type == quote.TypeQuoteCorrected {
				made[n]++
			}
		}
	}
	return made
}

func (d *desk) load(n int) quotestore.History {
	d.t.Helper()
	h, err := d.Quotes.Load(d.t.Context(), quoteID(n))
	if err != nil {
		d.t.Fatal(err)
	}
	return h
}

// ratable are the examples that are rated, 23 of the 24.
func ratable(t *testing.T) []quotetest.Example {
	return slices.DeleteFunc(quotetest.Examples(t), func(e quotetest.Example) bool { return e.Expected.Outcome == rating.Invalid })
}

func TestRightQuotesStayUntouched(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	examples := ratable(t)
	for n, e := range examples {
		d.record(n, e, 0)
	}
	found, figures := d.run()
	if made := d.corrections(len(examples)); len(found) > 0 || figures.Quotes != len(examples) || figures.Corrected != 0 || len(made) > 0 {
		t.Errorf("found %+v, figures %+v, corrections %v; want nothing in %d quotes", found, figures, made, len(examples))
	}
}

func TestExactlyTheWrongQuotesAreCorrected(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	examples := ratable(t)
	want := map[int]int{}
	for n, e := range examples {
		by := int64(0)
		if n%3 == 0 {
			by = int64(n - 10)
		}
		if d.record(n, e, by); by != 0 && e.Expected.Price != nil {
			want[n] = 1
		}
	}
	d.DryRun = true
	foreseen, before := d.run()
	if made := d.corrections(len(examples)); len(made) > 0 {
		t.Fatalf("a dry run made %v", made)
	}
	d.DryRun = false
	found, figures := d.run()
	if !reflect.DeepEqual(found, foreseen) || !reflect.DeepEqual(figures, before) {
		t.Errorf("foreseen %+v %+v\ndone %+v %+v", foreseen, before, found, figures)
	}
	if made := d.corrections(len(examples)); !reflect.DeepEqual(made, want) {
		t.Errorf("corrections %v, want %v", made, want)
	}
	for n := range want {
		q := d.load(n).Quote
		if !reflect.DeepEqual(q.Rating.TotalPremium.String(), examples[n].Expected.TotalPremium.String()) {
			t.Errorf("%s costs %s, want %s", examples[n].ID, q.Rating.TotalPremium, examples[n].Expected.TotalPremium)
		}
	}
	if figures.Corrected != len(want) || figures.Quotes != len(examples) || figures.Refused != 0 || len(figures.Largest) != 5 {
		t.Errorf("figures=%+v, want %d corrected of %d", figures, len(want), len(examples))
	}
	sum, err := figures.PreviousTotal.Add(figures.Difference)
	if err != nil || sum.Cmp(figures.Total) != 0 {
		t.Errorf("%s and %s make %s, not %s", figures.PreviousTotal, figures.Difference, sum, figures.Total)
	}
	again, same := d.run()
	if !reflect.DeepEqual(again, found) || !reflect.DeepEqual(same, figures) {
		t.Errorf("again it says %+v %+v\nwant what it said: %+v %+v", again, same, found, figures)
	}
	d.Mandate.CorrectionID = "c2"
	if found, figures := d.run(); len(found) > 0 || figures.Corrected != 0 {
		t.Errorf("under another id it finds %+v", found)
	}
	if made := d.corrections(len(examples)); !reflect.DeepEqual(made, want) {
		t.Errorf("after all corrections %v, want %v", made, want)
	}
}

// Dates are those of the window, not those of the quotes: the examples are of other days.
func TestOnlyQuotesRatedInTheWindowAreLookedAt(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	e := quotetest.MustExample(t, "E01")
	for n, at := range []time.Time{window.Since.Add(-time.Second), window.Since.Add(-3 * time.Millisecond), window.Since, window.Until.Add(-time.Second), window.Until} {
		stacktest.MustRecord(t, d.Quotes.Log, quoteID(n), at, stacktest.Misrated(t, e, quoteID(n), 14)...)
	}
	d.run() // the second is rated at the first moment of the window
	if made, want := d.corrections(5), map[int]int{1: 1, 2: 1, 3: 1}; !reflect.DeepEqual(made, want) {
		t.Errorf("corrections %v, want %v", made, want)
	}
	found, figures, err := d.These(t.Context(), window, []string{quoteID(0), quoteID(1), quoteID(9), quoteID(1)})
	if err != nil || figures.Quotes != 2 || figures.Refused != 2 || figures.Corrected != 1 || found[0].Reason != "it was not rated in this time" || found[2].Reason != "the log has no such quote" {
		t.Errorf("found %+v, %v", found, err)
	}
}

func TestWhatCannotBeCorrectedIsListed(t *testing.T) {
	t.Parallel()
	e := quotetest.MustExample(t, "E01")
	longer := e.Request
	longer.TermMonths = 12
	amended := func(n int) quote.Event {
		return quote.QuoteAmended{QuoteID: quoteID(n), Revision: 2, QuoteDate: e.QuoteDate, Request: longer}
	}
	for name, row := range map[string]struct {
		given  func(d *desk)
		plan   string
		reason string
		status quote.Status
	}{
		"a revision that was amended": {given: func(d *desk) { d.record(0, e, 14, amended(0)) }, status: quote.StatusRequested,
			reason: "revision 1 is no longer in force; the quote is at revision 2"},
		"a plan that is not for it": {given: func(d *desk) { d.record(0, e, 14) }, plan: "2027.1", status: quote.StatusQuoted,
			reason: "rate plan 2027.1 is not for policies of OH that begin on 2026-05-15"},
		"a request that cannot be rated": {given: func(d *desk) {
			events := stacktest.Misrated(t, e, quoteID(0), 14)
			first := events[0].(quote.QuoteRequested)
			first.Request.TermMonths = 7
			events[0] = first
			stacktest.MustRecord(t, d.Quotes.Log, quoteID(0), at, events...)
		}, status: quote.StatusQuoted, reason: "the request cannot be quoted: V04_TERM"},
		"a correction that was undone": {given: func(d *desk) {
			d.record(0, e, 14)
			d.run()
			h := d.load(0)
			stacktest.MustRecord(t, d.Quotes.Log, quoteID(0), at.Add(time.Hour), quote.EventReversed{
				QuoteID: quoteID(0), Version: 5, EventID: h.Events[4].ID, Type: quote.TypeQuoteCorrected, ReasonCode: "R", Text: "Not so", By: "eve"})
		}, status: quote.StatusQuoted, reason: "event 5 was undone by event 6"},
		"an event of a later program": {given: func(d *desk) {
			d.record(0, e, 14)
			log := *d.Quotes.Log
			log.Validate = func(string, int, []byte) error { return nil }
			if err := log.Append(t.Context(), quotestore.StreamID(quoteID(0)), 4, []eventstore.Event{{ID: "x", Type: "QuoteLost", SchemaVersion: 1, OccurredAt: at, Data: []byte(`{}`)}}); err != nil {
				t.Fatal(err)
			}
		}, reason: "event QuoteLost has no version 1 in this program"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			row.given(d)
			events := d.Quotes.Log
			before, err := events.Load(t.Context(), quotestore.StreamID(quoteID(0)), 0)
			if err != nil {
				t.Fatal(err)
			}
			d.Plan = row.plan
			for _, d.DryRun = range []bool{true, false} {
				found, figures := d.run()
				if len(found) != 1 || figures.Refused != 1 || figures.Corrected != 0 || found[0].Result != correct.Refused || !strings.Contains(found[0].Reason, row.reason) || found[0].Status != row.status {
					t.Errorf("found %+v, want it refused: %s", found, row.reason)
				}
			}
			after, err := events.Load(t.Context(), quotestore.StreamID(quoteID(0)), 0)
			if err != nil || len(after) != len(before) {
				t.Errorf("%d events, want %d; %v", len(after), len(before), err)
			}
		})
	}
}

// TestWhatWasUndoneIsNoAnswer: the wrong offer was undone, and the quote rated right, before and after an amendment.
func TestWhatWasUndoneIsNoAnswer(t *testing.T) {
	t.Parallel()
	e := quotetest.MustExample(t, "E01")
	longer := e.Request
	longer.TermMonths = 12
	right := quote.QuoteOffered{QuoteID: quoteID(0), Revision: 1, Rating: e.Expected}
	undone := quote.EventReversed{QuoteID: quoteID(0), Version: 4, EventID: "x", Type: quote.TypeQuoteOffered, ReasonCode: "R", Text: "Too dear", By: "eve"}
	amended := quote.QuoteAmended{QuoteID: quoteID(0), Revision: 2, QuoteDate: e.QuoteDate, Request: longer}
	for name, more := range map[string][]quote.Event{
		"in force":              {undone, right},
		"amended since":         {undone, right, amended},
		"undone when amended":   {amended, undone},
		"the amendment is void": {undone, right, amended, quote.EventReversed{QuoteID: quoteID(0), Version: 7, EventID: "y", Type: quote.TypeQuoteAmended, ReasonCode: "R", Text: "Not so", By: "eve"}},
	} {
		d := newDesk(t)
		d.record(0, e, 14, more...)
		if found, figures := d.run(); len(found) > 0 || figures.Quotes != 1 {
			t.Errorf("%s: found %+v", name, found)
		}
	}
}

func TestANamedPlanIsUsedWhereItIsFor(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.record(0, quotetest.MustExample(t, "E01"), 14)
	d.record(1, quotetest.MustExample(t, "E01").On(civil.MustParseDate("2027-05-01")), 14)
	d.Plan = "2027.1"
	found, _ := d.run()
	if made := d.corrections(2); !reflect.DeepEqual(made, map[int]int{1: 1}) || len(found) != 2 || found[0].Result != correct.Refused {
		t.Errorf("corrections %v, found %+v", made, found)
	}
}

// TestAnAcceptedQuoteIsForAnUnderwriter: what was accepted stays, and the figures say how many there are.
func TestAnAcceptedQuoteIsForAnUnderwriter(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.record(0, quotetest.MustExample(t, "E01"), 14, quote.QuoteAccepted{QuoteID: quoteID(0), Revision: 1})
	found, figures := d.run()
	q := d.load(0).Quote
	if figures.Review != 1 || !found[0].Review || q.Status != quote.StatusAccepted || q.Rating.TotalPremium.String() != "500.00" || q.Correction.Event.Rating.TotalPremium.String() != "486.00" {
		t.Errorf("found %+v, quote %s for %s", found, q.Status, q.Rating.TotalPremium)
	}
}

// TestARaceWithACustomerStartsOver: the customer amends while the quote is being corrected.
func TestARaceWithACustomerStartsOver(t *testing.T) {
	t.Parallel()
	e := quotetest.MustExample(t, "E01")
	longer := e.Request
	longer.TermMonths = 12
	for name, row := range map[string]struct {
		rival   quote.Event
		result  correct.Result
		version int
	}{
		"an acceptance": {quote.QuoteAccepted{QuoteID: quoteID(0), Revision: 1}, correct.Corrected, 6},
		"an amendment":  {quote.QuoteAmended{QuoteID: quoteID(0), Revision: 2, QuoteDate: e.QuoteDate, Request: longer}, correct.Refused, 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			d.record(0, e, 14)
			plain := *d.Quotes.Log
			raced := false
			d.Quotes.Log.Validate = func(eventType string, version int, data []byte) error {
				if !raced { // just before the correction is appended
					raced = true
					stacktest.MustRecord(t, &plain, quoteID(0), at.Add(time.Hour), row.rival)
				}
				return plain.Validate(eventType, version, data)
			}
			found, _ := d.run()
			if h := d.load(0); len(found) != 1 || found[0].Result != row.result || h.Quote.Version != row.version {
				t.Errorf("found %+v at version %d, want %+v", found, h.Quote.Version, row)
			}
		})
	}
}

// TestAnInterruptedCorrectionGoesOn stops at every batch, before its report is kept, and continues from the last one
// that was.
func TestAnInterruptedCorrectionGoesOn(t *testing.T) {
	t.Parallel()
	const quotes = 90 // in four batches
	e := quotetest.MustExample(t, "E01")
	fill := func(d *desk) {
		for n := range quotes {
			d.record(n, e, int64(n%2)*int64(n))
		}
	}
	whole := newDesk(t)
	fill(whole)
	_, want := whole.run()
	d := newDesk(t)
	fill(d)
	stop := errors.New("stop")
	kept, runs := correct.New(window), 0
	for {
		runs++
		reports := 0
		done, err := d.Run(t.Context(), window, kept, func(_ []correct.Finding, p correct.Progress) error {
			if reports++; reports == 2 {
				return stop
			}
			kept = p
			return nil
		})
		if err == nil {
			kept = done
			break
		}
		if !errors.Is(err, stop) {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(kept.Figures, want) || runs < 4 || kept.Corrected != quotes/2 {
		t.Errorf("after %d runs %+v\nwant %+v", runs, kept.Figures, want)
	}
	for n, made := range d.corrections(quotes) {
		if made != 1 {
			t.Errorf("quote %d was corrected %d times", n, made)
		}
	}
}

func TestAnErrorEndsTheCorrection(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.record(0, quotetest.MustExample(t, "E01"), 14)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Run(ctx, window, correct.New(window), func([]correct.Finding, correct.Progress) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("error=%v, want that it was canceled", err)
	}
	broken := errors.New("broken")
	d.Quotes.Log.Validate = func(eventType string, _ int, _ []byte) error {
		if eventType == quote.TypeQuoteCorrected {
			return broken
		}
		return nil
	}
	if _, err := d.Run(t.Context(), window, correct.New(window), func([]correct.Finding, correct.Progress) error { return nil }); !errors.Is(err, broken) {
		t.Errorf("error=%v, want %v", err, broken)
	}
}

// TestAQuoteWhoseKeyCannotBeReachedIsNotPassedOver: it may be wrong, and is looked at when the keys are back.
func TestAQuoteWhoseKeyCannotBeReachedIsNotPassedOver(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for i, c := range quotetest.MustExample(t, "E01").Commands() {
		order := quotestore.Order{ID: fmt.Sprint(i), At: at, Command: c}
		var err error
		if i == 0 {
			_, err = d.Quotes.Create(t.Context(), quotetest.ID, order)
		} else {
			_, err = d.Quotes.Execute(t.Context(), quotetest.ID, order)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	d.Quotes.Keys = &seal.Keys{DB: d.Quotes.Log.DB, Table: "away"}
	reports := 0
	_, err := d.Run(t.Context(), window, correct.New(window), func([]correct.Finding, correct.Progress) error { reports++; return nil })
	if err == nil || !strings.Contains(err.Error(), "read the key") || reports > 0 {
		t.Errorf("error=%v after %d reports, want that the key cannot be read after none", err, reports)
	}
}
