package rating_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/govalues/decimal"

	"milepost/domain/civil"
	"milepost/domain/rating"
)

func TestThePlanIsSelectedByTheEffectiveDate(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		state     string
		effective civil.Date
		quoted    civil.Date
		want      string
		wantErr   error
	}{
		"the first day of the first plan":     {"OH", date("2026-01-01"), date("2025-12-01"), "2026.1", nil},
		"its last day":                        {"OH", date("2026-12-31"), date("2026-12-01"), "2026.1", nil},
		"the first day of the next plan":      {"OH", date("2027-01-01"), date("2026-12-01"), "2027.1", nil},
		"a day in a later year":               {"CA", date("2040-07-01"), date("2040-06-01"), "2027.1", nil},
		"a quote of the day of the release":   {"OH", date("2027-01-01"), date("2026-11-15"), "2027.1", nil},
		"a quote of the day before":           {"OH", date("2027-01-01"), date("2026-11-14"), "", rating.ErrNoPlanInForce},
		"an old quote after the next release": {"OH", date("2026-12-20"), date("2026-12-01"), "2026.1", nil},
		"a day before the first plan":         {"OH", date("2025-12-31"), date("2025-12-01"), "", rating.ErrNoPlanInForce},
		"a state that no plan has":            {"NY", date("2026-06-01"), date("2026-05-01"), "", rating.ErrStateNotSupported},
		"a state is written in upper case":    {"oh", date("2026-06-01"), date("2026-05-01"), "", rating.ErrStateNotSupported},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan, err := rating.Select(row.state, row.effective, row.quoted)
			if !errors.Is(err, row.wantErr) {
				t.Fatalf("Select error=%v, want %v", err, row.wantErr)
			}
			if err == nil && plan.Version() != row.want {
				t.Errorf("Select=%s, want %s", plan.Version(), row.want)
			}
		})
	}
}

func TestARequestBeforeTheReleaseIsRefused(t *testing.T) {
	t.Parallel()
	r := mustExample(t, "E01").Request
	r.QuoteDate, r.EffectiveDate = date("2026-11-14"), date("2027-01-05")
	if codes := rating.Validate(r); !slices.Equal(codes, []rating.Code{rating.PlanNotEffective}) {
		t.Errorf("Validate=%v, want %s", codes, rating.PlanNotEffective)
	}
	if got := rating.Rate(r, rating.Facts{}); got.Outcome != rating.Invalid || !slices.Equal(got.Reasons, []rating.Code{rating.PlanNotEffective}) {
		t.Errorf("Rate=%+v, want it refused", got)
	}
	r.QuoteDate = date("2026-11-15")
	if got := rating.Rate(r, rating.Facts{}); got.RatePlanVersion != "2027.1" {
		t.Errorf("on the day of the release: %+v, want a rating under 2027.1", got)
	}
}

func TestAPlanRefusesOtherDates(t *testing.T) {
	t.Parallel()
	e := mustExample(t, "E01")
	later := rating.Plans()[1]
	if codes := later.Validate(e.Request); !slices.Equal(codes, []rating.Code{rating.PlanNotEffective}) {
		t.Errorf("Validate=%v, want %s", codes, rating.PlanNotEffective)
	}
	if codes := later.OnAnyDate().Validate(e.Request); len(codes) > 0 {
		t.Errorf("Validate on any date=%v, want none", codes)
	}
}

func TestReasonsHaveATextInWords(t *testing.T) {
	t.Parallel()
	plan := rating.Plans()[0]
	for _, code := range []rating.Code{"D01", "R13", rating.StateNotSupported, rating.UnknownValue} {
		if plan.Text(code) == "" {
			t.Errorf("%s has no text", code)
		}
	}
	if text := plan.Text("D99"); text != "" {
		t.Errorf("D99 has the text %q", text)
	}
}

// TestDislocation re-rates the priced examples under both plans with their dates held still.
func TestDislocation(t *testing.T) {
	t.Parallel()
	type band struct {
		quotes        int
		before, after string
	}
	type sums struct {
		quotes        int
		before, after decimal.Decimal
	}
	add := func(s *sums, before, after decimal.Decimal) {
		s.quotes++
		s.before, _ = s.before.Add(before)
		s.after, _ = s.after.Add(after)
	}
	percent := func(before, after decimal.Decimal) decimal.Decimal {
		growth, _ := after.Sub(before)
		growth, _ = growth.Mul(decimal.Hundred)
		growth, _ = growth.Quo(before)
		return growth.Rescale(2)
	}
	bandOf := func(change decimal.Decimal) string {
		switch {
		case change.IsZero():
			return "unchanged"
		case change.Cmp(decimal.MustNew(2, 0)) <= 0:
			return "over 0 to 2"
		case change.Cmp(decimal.MustNew(4, 0)) <= 0:
			return "over 2 to 4"
		case change.Cmp(decimal.MustNew(6, 0)) <= 0:
			return "over 4 to 6"
		default:
			return "over 6"
		}
	}

	plans := rating.Plans()
	var all sums
	bands, states := map[string]*sums{}, map[string]*sums{}
	changes := map[string]string{}
	for _, e := range mustReadExamples(t) {
		before := plans[0].OnAnyDate().Rate(e.Request, e.Facts)
		after := plans[1].OnAnyDate().Rate(e.Request, e.Facts)
		if before.Price == nil {
			continue
		}
		change := percent(before.TotalPremium, after.TotalPremium)
		changes[e.ID] = change.String()
		for key, group := range map[string]map[string]*sums{bandOf(change): bands, e.Request.State: states} {
			if group[key] == nil {
				group[key] = &sums{}
			}
			add(group[key], before.TotalPremium, after.TotalPremium)
		}
		add(&all, before.TotalPremium, after.TotalPremium)
	}

	if got, want := (band{all.quotes, all.before.String(), all.after.String()}), (band{20, "18592.78", "19197.78"}); got != want {
		t.Errorf("overall %v, want %v", got, want)
	}
	for name, want := range map[string]band{
		"unchanged":   {7, "4179.78", "4179.78"},
		"over 0 to 2": {1, "3504.00", "3534.00"},
		"over 2 to 4": {2, "947.00", "983.00"},
		"over 4 to 6": {8, "5836.00", "6116.00"},
		"over 6":      {2, "4126.00", "4385.00"},
	} {
		if s := bands[name]; s == nil || (band{s.quotes, s.before.String(), s.after.String()}) != want {
			t.Errorf("band %s=%v, want %v", name, s, want)
		}
	}
	for state, want := range map[string]string{"AZ": "2.81", "CA": "0.00", "FL": "0.00", "OH": "4.77", "PA": "0.00", "TX": "5.57", "VA": "0.00"} {
		if got := percent(states[state].before, states[state].after).String(); got != want {
			t.Errorf("%s changes by %s%%, want %s%%", state, got, want)
		}
	}
	if changes["E24"] != "6.36" || changes["E16"] != "0.86" {
		t.Errorf("E24 changes by %s%%, E16 by %s%%, want 6.36%% and 0.86%%", changes["E24"], changes["E16"])
	}
}

func TestMinimumLimits(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, state, on, bi, pd string
	}{
		{"California before 2025", "CA", "2024-12-31", "15/30", "5"},
		{"California from 2025", "CA", "2025-01-01", "30/60", "15"},
		{"Virginia before 2022", "VA", "2021-12-31", "25/50", "20"},
		{"Virginia until 2024", "VA", "2024-12-31", "30/60", "20"},
		{"Virginia now", "VA", "2026-11-01", "50/100", "25"},
		{"New Jersey from 2026", "NJ", "2026-01-01", "35/70", "25"},
		{"the District of Columbia", "DC", "2026-01-01", "25/50", "10"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			m, ok := rating.MinimumLimits(row.state, date(row.on))
			if !ok || m.BI != row.bi || m.PD != row.pd {
				t.Errorf("MinimumLimits=%+v, %t, want %s/%s", m, ok, row.bi, row.pd)
			}
		})
	}
	if m, ok := rating.MinimumLimits("PR", date("2026-01-01")); ok {
		t.Errorf("MinimumLimits of Puerto Rico=%+v, want none", m)
	}
	found := 0
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			if m, ok := rating.MinimumLimits(string([]rune{a, b}), date("2026-11-01")); ok && m.BI != "" && m.PD != "" {
				found++
			}
		}
	}
	if found != 51 {
		t.Errorf("%d states have minimums, want 50 and DC", found)
	}
}
