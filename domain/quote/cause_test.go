package quote_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/govalues/decimal"

	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/domain/rating"
)

// TestEveryReasonShowsWhatCausedIt goes through the worked examples: each rule that refers or declines has facts, of the
// drivers and vehicles that it fired for.
func TestEveryReasonShowsWhatCausedIt(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, e := range quotetest.Examples(t) {
		if e.Expected.Outcome == rating.Invalid {
			continue
		}
		q := quote.Fold(quotetest.MustEvents(t, e.Commands()...)...)
		causes := q.Causes()
		if len(causes) != len(q.Reasons()) {
			t.Errorf("%s: %d reasons, %d of them caused", e.ID, len(q.Reasons()), len(causes))
		}
		for _, c := range causes {
			seen[c.Code] = true
			if len(c.Causes) == 0 && c.Code[0] != 'C' { // the text of a contradiction names both facts
				t.Errorf("%s: nothing is shown beside %s", e.ID, c.Code)
			}
			if c.Code[0] == 'R' && c.Evidence == "" {
				t.Errorf("%s: no evidence is asked for %s", e.ID, c.Code)
			}
			for _, cause := range c.Causes {
				if cause.Label == "" || strings.TrimSpace(cause.Value) == "" || cause.Source == "" {
					t.Errorf("%s: %s: %+v", e.ID, c.Code, cause)
				}
			}
		}
	}
	for _, code := range []string{"D01", "R01", "R03", "R06", "R08"} {
		if !seen[code] {
			t.Errorf("no example has %s: %v", code, seen)
		}
	}
}

// TestAReasonShowsOnlyWhatItIsAbout has two cars of which one is worth too much.
func TestAReasonShowsOnlyWhatItIsAbout(t *testing.T) {
	t.Parallel()
	for _, e := range quotetest.Examples(t) {
		if !slices.Contains(e.Expected.Reasons, rating.Code("R06")) || len(e.Request.Vehicles) != 1 {
			continue
		}
		cheap := e.Request.Vehicles[0]
		cheap.VehicleID, cheap.VIN, cheap.Value = "another", "1HGCM82633A004352", decimal.MustParse("9000")
		e.Request.Vehicles = append(e.Request.Vehicles, cheap)
		fact := e.Facts.VIN[e.Request.Vehicles[0].VehicleID]
		e.Facts.VIN["another"] = fact
		q := quote.Fold(quotetest.MustEvents(t, e.Commands()...)...)
		for _, c := range q.Causes() {
			if c.Code != "R06" {
				continue
			}
			for _, cause := range c.Causes {
				if cause.About == "another" {
					t.Errorf("a car of $9,000 is shown beside R06: %+v", cause)
				}
			}
			return
		}
	}
	t.Fatal("no example has R06")
}
