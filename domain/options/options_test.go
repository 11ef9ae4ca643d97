package options_test

import (
	"slices"
	"strings"
	"testing"

	"milepost/domain/civil"
	"milepost/domain/options"
	"milepost/domain/quote/quotetest"
	"milepost/domain/rating"
)

var today = civil.MustParseDate("2026-05-01")

func TestEveryAnswerHasWords(t *testing.T) {
	t.Parallel()
	all := options.All()
	values := rating.Values()
	for _, enum := range all.Enums {
		var codes []string
		for _, v := range enum.Values {
			codes = append(codes, v.Code)
			if v.Words == "" {
				t.Errorf("%s %s has no words", enum.Name, v.Code)
			}
		}
		if !slices.Equal(codes, values[enum.Name]) || len(codes) == 0 {
			t.Errorf("%s: %v, want %v", enum.Name, codes, values[enum.Name])
		}
		delete(values, enum.Name)
	}
	for name := range values {
		t.Errorf("there are no words for %s", name)
	}
}

func TestEveryChoiceHasWordsAndIsValid(t *testing.T) {
	t.Parallel()
	for _, state := range options.All().States {
		if state.Name == "" || state.TimeZone == "UTC" {
			t.Errorf("state %+v", state)
		}
		o, err := options.For(state.Code, today.AddDays(14), today)
		if err != nil {
			t.Fatal(err)
		}
		required := 0
		for _, c := range o.Offering.Coverages {
			if c.Name == "" || c.Does == "" || c.Without == "" || len(c.Choices) == 0 {
				t.Errorf("%s %+v", state.Code, c)
			}
			if c.Required {
				required++
			}
			for _, choice := range c.Choices {
				if choice.Words == "" || strings.Contains(choice.Words, "/") || choice.Words == choice.Selection.String() {
					t.Errorf("%s %s %s: %q", state.Code, c.Code, choice.Selection, choice.Words)
				}
			}
		}
		if required == 0 {
			t.Errorf("%s requires nothing", state.Code)
		}
	}
}

// TestEveryPackageCanBeQuoted rates each package with the car and the driver of an example of its state.
func TestEveryPackageCanBeQuoted(t *testing.T) {
	t.Parallel()
	examples := map[string]string{"AZ": "E07", "CA": "E03", "FL": "E05", "OH": "E01", "PA": "E04", "TX": "E02", "VA": "E18"}
	for _, state := range options.All().States {
		e := quotetest.MustExample(t, examples[state.Code])
		o, err := options.For(state.Code, e.Request.EffectiveDate, e.QuoteDate)
		if err != nil || len(o.Offering.Packages) != 3 {
			t.Fatalf("%s: %d packages, error %v", state.Code, len(o.Offering.Packages), err)
		}
		for _, p := range o.Offering.Packages {
			r := e.Request.Rating(e.QuoteDate)
			r.Coverages, r.Vehicles = p.Coverages, slices.Clone(r.Vehicles)
			for i := range r.Vehicles {
				r.Vehicles[i].Coverages = p.VehicleCoverages
			}
			if codes := rating.Validate(r); len(codes) > 0 || p.Words == "" {
				t.Errorf("%s %s: %v, %q", state.Code, p.Name, codes, p.Words)
			}
		}
	}
}

// TestGenderIsAskedForWhereItEntersThePrice rates a young driver of each gender.
func TestGenderIsAskedForWhereItEntersThePrice(t *testing.T) {
	t.Parallel()
	for state, id := range map[string]string{"AZ": "E07", "CA": "E03", "FL": "E05", "OH": "E01", "PA": "E04", "TX": "E02", "VA": "E18"} {
		e := quotetest.MustExample(t, id)
		o, err := options.For(state, e.Request.EffectiveDate, e.QuoteDate)
		if err != nil {
			t.Fatal(err)
		}
		totals := map[string]bool{}
		for _, gender := range []rating.Gender{"F", "M", "X"} {
			r := e.Request.Rating(e.QuoteDate)
			r.Drivers = slices.Clone(r.Drivers)
			r.Drivers[0].Gender, r.Drivers[0].MaritalStatus, r.Drivers[0].DateOfBirth = gender, "SINGLE", e.QuoteDate.AddDays(-18*366)
			if !r.Drivers[0].LicensedDate.IsZero() {
				r.Drivers[0].LicensedDate = e.QuoteDate.AddDays(-366)
			}
			result := rating.Rate(r, e.Facts)
			if result.Price == nil {
				t.Fatalf("%s: %v", state, result.Reasons)
			}
			totals[result.TotalPremium.String()] = true
		}
		if rated := len(totals) > 1; rated != o.Offering.GenderRated {
			t.Errorf("%s: totals %v, and GenderRated=%v", state, totals, o.Offering.GenderRated)
		}
	}
}

func TestOnlyAStateWithRatesHasOptions(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ state, effective string }{{"ZZ", "2026-05-01"}, {"", "2026-05-01"}, {"OH", "1999-01-01"}} {
		if o, err := options.For(row.state, civil.MustParseDate(row.effective), today); err == nil {
			t.Errorf("%+v: %+v", row, o)
		}
	}
}
