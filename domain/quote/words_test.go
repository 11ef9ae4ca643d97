package quote_test

import (
	"strings"
	"testing"

	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/domain/rating"
)

func TestEveryStatusAndConditionHasWords(t *testing.T) {
	t.Parallel()
	for _, status := range quote.Statuses {
		for _, state := range []string{"OH", "PA"} {
			s := quote.Standing{Status: status, State: state, Effective: civil.NewDate(2026, 5, 15), Expires: civil.NewDate(2026, 5, 31), Priced: true}
			words := s.Words()
			if tort := strings.Contains(strings.Join(words, " "), "full tort"); len(words) == 0 || words[0] == "" || tort != (state == "PA") {
				t.Errorf("%s in %s: %q", status, state, words)
			}
		}
	}
	for _, c := range []rating.Condition{rating.VINUnverified, rating.HistoryPending} {
		if means, todo := quote.ConditionWords(c); means == "" || todo == "" {
			t.Errorf("%s: %q, %q", c, means, todo)
		}
	}
}

func TestUntilWhenAnOfferCanBeAccepted(t *testing.T) {
	t.Parallel()
	expires := civil.NewDate(2026, 5, 31)
	for _, row := range []struct {
		s    quote.Standing
		want string
	}{
		{quote.Standing{State: "OH", Effective: civil.NewDate(2026, 6, 15), Expires: expires}, "You can accept it through 31 May 2026, 11:59 p.m. Eastern time."},
		{quote.Standing{State: "TX", Effective: civil.NewDate(2026, 5, 15), Expires: expires},
			"You can accept it through 15 May 2026, 11:59 p.m. Mountain time. That is the day on which the policy begins; to accept it later, change that day first."},
		{quote.Standing{State: "AZ", Effective: expires, Expires: expires, Conditional: true},
			"Once we have the rest of the information that we asked for, you can accept it through 31 May 2026, 11:59 p.m. Arizona time."},
	} {
		if got := row.s.Acceptance(); got != row.want {
			t.Errorf("%q, want %q", got, row.want)
		}
	}
}

func TestWhatWasRequestedDifferentlyIsNamed(t *testing.T) {
	t.Parallel()
	l := mustLife(t)
	a := l.example.Request
	if got := quote.Changed(a, a); len(got) > 0 {
		t.Errorf("nothing changed, and %v is named", got)
	}
	for want, change := range map[string]func(*quote.Request){
		"the term":                           func(r *quote.Request) { r.TermMonths = 12 },
		"the day on which the policy begins": func(r *quote.Request) { r.EffectiveDate = r.EffectiveDate.AddDays(1) },
		"the state":                          func(r *quote.Request) { r.State = "PA" },
		"what you told us about yourself and your insurance": func(r *quote.Request) { r.Policy.Homeowner = !r.Policy.Homeowner },
		"the coverages": func(r *quote.Request) { delete(r.Vehicles[0].Coverages, rating.TOW) },
		"the drivers":   func(r *quote.Request) { r.Drivers[0].SR22 = true },
		"the vehicles":  func(r *quote.Request) { r.Vehicles[0].AnnualMileage++ },
	} {
		if got := quote.Changed(a, edited(t, a, change)); len(got) != 1 || got[0] != want {
			t.Errorf("%v, want %q", got, want)
		}
	}
}
