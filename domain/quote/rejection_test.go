package quote_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"milepost/domain/quote"
	"milepost/domain/rating"
	"milepost/domain/rejection"
)

// offeredIn is an offer in a state with these coverages. What it costs does not matter.
func offeredIn(t *testing.T, state string, chosen rating.Selections) []quote.Event {
	t.Helper()
	l := mustLife(t)
	requested := l.requested.(quote.QuoteRequested)
	requested.Request.State, requested.Request.Coverages = state, chosen
	return append([]quote.Event{requested}, l.offered[1:]...)
}

// signed signs all that an offer needs.
func signed(q quote.Quote) []quote.SignedRejection {
	var all []quote.SignedRejection
	needed, _ := q.RejectionsNeeded()
	for _, f := range needed {
		all = append(all, quote.SignedRejection{
			Code: f.Code, Version: f.Version, Text: f.Text, Signature: "Ada Lovelace", SourceIP: "192.0.2.7",
			SignedAt: time.Date(2026, 5, 1, 9, 0, 0, 0, time.UTC),
		})
	}
	return all
}

func TestAnOfferIsAcceptedWithTheRejectionsItNeedsAndNoOthers(t *testing.T) {
	t.Parallel()
	day := mustLife(t).day
	bare := rating.Selections{rating.BI: rating.Option("50/100"), rating.PD: rating.Option("50")}
	for _, state := range []string{"AZ", "CA", "FL", "OH", "PA", "TX", "VA", "OH and excludes", "TX and excludes"} {
		state, excludes := strings.CutSuffix(state, " and excludes")
		given := offeredIn(t, state, bare)
		if excludes {
			requested := given[0].(quote.QuoteRequested)
			out := requested.Request.Drivers[0]
			out.DriverID, out.Excluded = "OUT", true
			requested.Request.Drivers = append(slices.Clone(requested.Request.Drivers), out)
			given[0] = requested
		}
		q := quote.Fold(given...)
		all := signed(q)
		accept := func(rejections ...quote.SignedRejection) quote.AcceptQuote {
			return quote.AcceptQuote{Revision: 1, On: day, Rejections: rejections, BySigner: true}
		}
		events, err := quote.Decide(q, accept(all...))
		if err != nil || len(events) != 1 {
			t.Fatalf("%s: %v, error %v", state, events, err)
		}
		got := events[0].(quote.QuoteAccepted).Rejections
		if excludes && all[len(all)-1].Code != rejection.Code(state+"_EXCLUSION") {
			t.Errorf("%s: %v, want the exclusion to be signed", state, all)
		}
		if len(got) != len(all) {
			t.Fatalf("%s: %d rejections are recorded, want %d", state, len(got), len(all))
		}
		for i, r := range got {
			want := all[i]
			want.Coverage = r.Coverage
			if r != want || (r.Coverage == "") != strings.HasSuffix(string(r.Code), "_EXCLUSION") {
				t.Errorf("%s: %+v is recorded, want %+v", state, r, want)
			}
		}
		if after := quote.Evolve(q, events[0]); after.Status != quote.StatusAccepted || !slices.Equal(after.Rejections, got) {
			t.Errorf("%s: Rejections=%+v", state, after.Rejections)
		}
		reversed := slices.Clone(all)
		slices.Reverse(reversed)
		if again, err := quote.Decide(q, accept(reversed...)); err != nil || !slices.Equal(again[0].(quote.QuoteAccepted).Rejections, got) {
			t.Errorf("%s: in another order %v, error %v", state, again, err)
		}

		other := quote.SignedRejection{Code: "NY_SUM", Version: "1", Text: "no", Signature: "Ada"}
		assertFaults(t, q, accept(append(slices.Clone(all), other)...), fmt.Sprintf("NY_SUM /rejections/%d", len(all)))
		if len(all) == 0 {
			continue
		}
		if _, err := quote.Decide(q, quote.AcceptQuote{Revision: 1, On: day, Rejections: all}); fmt.Sprintf("%T", err) != "*quote.NotTheSigner" {
			t.Errorf("%s: somebody else signs: %v", state, err)
		}
		assertFaults(t, q, accept(all[1:]...), string(all[0].Code)+" /rejections")
		assertFaults(t, q, accept(append(slices.Clone(all), all[0])...), fmt.Sprintf("%s /rejections/%d/code", all[0].Code, len(all)))
		for member, change := range map[string]func(*quote.SignedRejection){
			"version":   func(s *quote.SignedRejection) { s.Version = "2025.9" },
			"text":      func(s *quote.SignedRejection) { s.Text = strings.Replace(s.Text, "reject", "accept", 1) + " " },
			"signature": func(s *quote.SignedRejection) { s.Signature = " . " },
		} {
			for i := range all {
				changed := slices.Clone(all)
				change(&changed[i])
				assertFaults(t, q, accept(changed...), fmt.Sprintf("%s /rejections/%d/%s", all[i].Code, i, member))
			}
		}
	}
}

// assertFaults checks that an acceptance is refused for one reason.
func assertFaults(t *testing.T, q quote.Quote, c quote.AcceptQuote, want string) {
	t.Helper()
	events, err := quote.Decide(q, c)
	bad, ok := err.(*quote.BadRejections)
	if !ok || events != nil || len(bad.Faults) != 1 || bad.Faults[0].Text == "" {
		t.Errorf("%v, error %v, want %s", events, err, want)
		return
	}
	if got := string(bad.Faults[0].Code) + " " + bad.Faults[0].Pointer; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestSignaturesComeAndGoWithTheAcceptance: they are part of it.
func TestSignaturesComeAndGoWithTheAcceptance(t *testing.T) {
	t.Parallel()
	given := offeredIn(t, "PA", rating.Selections{rating.BI: rating.Option("15/30"), rating.PD: rating.Option("5"), rating.PIP: rating.Option("5000")})
	q := quote.Fold(given...)
	events, err := quote.Decide(q, quote.AcceptQuote{Revision: 1, On: mustLife(t).day, Rejections: signed(q), BySigner: true})
	if err != nil {
		t.Fatal(err)
	}
	given = append(given, events...)
	if q := quote.Fold(given...); len(q.Rejections) != 2 || q.Rejections[0].Code != rejection.Code("PA_UM") {
		t.Errorf("Rejections=%+v, want those of the acceptance", q.Rejections)
	}
	if q := quote.Fold(append(given, undone(5, quote.TypeQuoteAccepted))...); q.Rejections != nil || q.Status != quote.StatusQuoted {
		t.Errorf("Status=%s Rejections=%+v without the acceptance", q.Status, q.Rejections)
	}
	if got := signed(q)[0].LogValue().String(); strings.Contains(got, "Ada") {
		t.Errorf("a log would have %s", got)
	}
}
