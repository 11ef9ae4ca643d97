package rating

import (
	"testing"
	"time"

	"milepost/domain/civil"
)

// TestALaterReleaseDoesNotChangeOldQuotes revises a plan for the same policies in the middle of its year.
func TestALaterReleaseDoesNotChangeOldQuotes(t *testing.T) {
	t.Parallel()
	first := loadPlans()[0]
	revised := *first
	revised.tables.Version = "2026.2"
	revised.tables.Effective.ReleasedAt = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	plans := []*Plan{first, &revised, loadPlans()[1]}
	effective := civil.MustParseDate("2026-06-20")
	for quoted, want := range map[string]string{"2026-05-31": "2026.1", "2026-06-01": "2026.2", "2026-06-20": "2026.2"} {
		p, err := selectOf(plans, "OH", effective, civil.MustParseDate(quoted))
		if err != nil || p.Version() != want {
			t.Errorf("a quote of %s: %v, %v; want %s", quoted, p, err, want)
		}
	}
}

func TestSameAnswer(t *testing.T) {
	t.Parallel()
	result := func(change func(*Result)) Result {
		r := Result{Outcome: Quoted, Reasons: []Code{"R01"}, Conditions: []Condition{VINUnverified}, RatePlanVersion: "2026.1", ExpiresOn: civil.MustParseDate("2026-06-01"),
			Drivers: []DriverResult{{DriverID: "D1", Points: 2, Charged: []Charged{{Points: 2}}}},
			Price:   &Price{TotalPremium: one.exact(), Fees: []Fee{{Code: PolicyFee}}, Vehicles: []VehicleResult{{VehicleID: "V1", Coverages: []CoverageResult{{Code: BI, Trace: "BASE 1.0000"}}}}}}
		change(&r)
		return r
	}
	same := map[string]func(*Result){
		"nothing":              func(*Result) {},
		"a factor":             func(r *Result) { r.Drivers[0].Factors.LIAB = one.exact() },
		"a trace":              func(r *Result) { r.Vehicles[0].Coverages[0].Trace = "" },
		"zeros after a number": func(r *Result) { r.TotalPremium = r.TotalPremium.Trim(0) },
	}
	for name, change := range same {
		if !result(func(*Result) {}).SameAnswer(result(change)) {
			t.Errorf("%s makes another answer", name)
		}
	}
	for name, change := range map[string]func(*Result){
		"the outcome":        func(r *Result) { r.Outcome = Referred },
		"a reason":           func(r *Result) { r.Reasons = nil },
		"a condition":        func(r *Result) { r.Conditions = nil },
		"the last day":       func(r *Result) { r.ExpiresOn = r.ExpiresOn.AddDays(1) },
		"the plan":           func(r *Result) { r.RatePlanVersion = "2027.1" },
		"a notice":           func(r *Result) { r.AdverseActionNotice = true },
		"a charge":           func(r *Result) { r.Drivers[0].Charged[0].Points = 3 },
		"the price":          func(r *Result) { r.Price = nil },
		"the total":          func(r *Result) { r.TotalPremium = cent.exact() },
		"a fee":              func(r *Result) { r.Fees[0].Amount = cent.exact() },
		"a vehicle's total":  func(r *Result) { r.Vehicles[0].Total = cent.exact() },
		"a coverage":         func(r *Result) { r.Vehicles[0].Coverages[0].Premium = cent.exact() },
		"the coverage's sum": func(r *Result) { r.CoverageTotal = cent.exact() },
	} {
		if result(func(*Result) {}).SameAnswer(result(change)) {
			t.Errorf("%s makes no difference", name)
		}
	}
}
