package readmodel

import (
	"fmt"
	"slices"

	"github.com/govalues/decimal"

	"milepost/domain/accident"
	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/domain/rating"
)

// Explanation is how the premium of the revision in force was made.
type Explanation struct {
	QuoteID  string `json:"quoteId"`
	Revision int    `json:"revision"`
	Rating   Rating `json:"rating"`
}

// Rating is a rating.Result as the API shows it: with named members instead of the log's lists, and with the steps of
// each premium instead of its line of text.
type Rating struct {
	Outcome         rating.Outcome     `json:"outcome"`
	Reasons         []rating.Code      `json:"reasons"`
	Conditions      []rating.Condition `json:"conditions"`
	ExpiresOn       civil.Date         `json:"expiresOn"`
	RatePlanVersion string             `json:"ratePlanVersion"`
	Drivers         []RatedDriver      `json:"drivers"`
	// Price is nil for a declined revision; for a referred one it is indicative.
	*Price
	// DeclaredOnly is nil if it is not disclosed: see ExplainToCustomer.
	DeclaredOnly        *DeclaredOnly `json:"declaredOnly,omitempty"`
	AdverseActionNotice bool          `json:"adverseActionNotice"`
}

// RatedDriver is the record and the factors of one rated driver. Points, Charged and Factors are nil if they are not
// disclosed: see ExplainToCustomer.
type RatedDriver struct {
	DriverID      string               `json:"driverId"`
	Age           int                  `json:"age"`
	YearsLicensed int                  `json:"yearsLicensed"`
	Points        *int                 `json:"points,omitempty"`
	Charged       []Charged            `json:"charged,omitzero"`
	Factors       *rating.GroupFactors `json:"factors,omitempty"`
}

// Charged is an incident that counts against a driver.
type Charged struct {
	Date   civil.Date    `json:"date"`
	Type   accident.Type `json:"type"`
	Points int           `json:"points"`
}

// Price is the premium and how it was made.
type Price struct {
	// AverageDriver is nil if it is not disclosed: see ExplainToCustomer.
	AverageDriver            *rating.GroupFactors `json:"averageDriver,omitempty"`
	Tier                     string               `json:"tier,omitempty"`
	Vehicles                 []RatedVehicle       `json:"vehicles"`
	CoverageTotal            decimal.Decimal      `json:"coverageTotal"`
	MinimumPremiumAdjustment decimal.Decimal      `json:"minimumPremiumAdjustment"`
	Fees                     []rating.Fee         `json:"fees"`
	Assessment               decimal.Decimal      `json:"assessment"`
	TotalPremium             decimal.Decimal      `json:"totalPremium"`
}

// RatedVehicle is the premium of one vehicle and how it was computed.
type RatedVehicle struct {
	VehicleID  string          `json:"vehicleId"`
	Territory  string          `json:"territory"`
	VehicleAge int             `json:"vehicleAge"`
	Symbol     int             `json:"symbol"`
	Body       rating.Body     `json:"body"`
	Coverages  []RatedCoverage `json:"coverages"`
	Total      decimal.Decimal `json:"total"`
}

// RatedCoverage is the premium of one coverage of one vehicle and its steps.
type RatedCoverage struct {
	Code      rating.Coverage  `json:"code"`
	Selection rating.Selection `json:"selection"`
	Premium   decimal.Decimal  `json:"premium"`
	Steps     []PriceStep      `json:"steps"`
}

// PriceStep is one operation on a running premium.
type PriceStep struct {
	Step rating.StepName `json:"step"`
	// Factor is nil for a step that sets the premium, and if it is not disclosed: see ExplainToCustomer.
	Factor *decimal.Decimal `json:"factor,omitempty"`
	// Result is the running premium after the step, nil if it is not disclosed.
	Result *decimal.Decimal `json:"result,omitempty"`
}

// DeclaredOnly is what the outcome would be if the reports had no incidents.
type DeclaredOnly struct {
	Outcome      rating.Outcome   `json:"outcome"`
	TotalPremium *decimal.Decimal `json:"totalPremium,omitempty"`
}

// ExplainToCustomer explains the revision of a quote that is in force to its customer, who may have used a stranger's
// license. What they declared is explained completely. If consumer reports led to another price or outcome, everything
// that follows from the reports is left out, except for the premiums themselves: two reports that lead to the same
// price are explained in the same words. The quote must be read with its personal data; without it less is disclosed.
func ExplainToCustomer(q quote.Quote) (Explanation, error) {
	if !q.ReportsTell() {
		return Explain(q)
	}
	declared, ok := q.AsDeclared()
	told := *q.Rating
	same := ok && declared.SamePrice(told) && !told.AdverseActionNotice
	if ok {
		told.Drivers, told.DeclaredOnly = declared.Drivers, declared.DeclaredOnly
	}
	if same {
		told.Price = declared.Price
	}
	reasons := []rating.Code{}
	others := len(q.Reasons()) - len(told.Reasons) // contradictions and lookups, which follow those of the rating
	for _, r := range q.ReasonsTold()[:len(q.ReasonsTold())-others] {
		reasons = append(reasons, rating.Code(r.Code))
	}
	told.Reasons = reasons
	q.Rating = &told
	e, err := Explain(q)
	if err != nil || same {
		return e, err
	}
	e.Rating.DeclaredOnly = nil
	for i := range e.Rating.Drivers {
		d := &e.Rating.Drivers[i]
		d.Factors = nil
		if !ok {
			d.Points, d.Charged = nil, nil
		}
	}
	if p := e.Rating.Price; p != nil {
		p.AverageDriver = nil
		for _, v := range p.Vehicles {
			for i := range v.Coverages {
				v.Coverages[i].Steps = withoutDrivers(v.Coverages[i].Steps)
			}
		}
	}
	return e, nil
}

// withoutDrivers are steps without the factor of the drivers, and what it follows from. Whether the minimum of the
// coverage counts is seen in the premium alone.
func withoutDrivers(steps []PriceStep) []PriceStep {
	at := slices.IndexFunc(steps, func(s PriceStep) bool { return s.Step == rating.AverageDriver })
	if at < 0 {
		return steps
	}
	steps[at].Factor = nil
	for i := at; i < len(steps); i++ {
		steps[i].Result = nil
	}
	return slices.DeleteFunc(steps, func(s PriceStep) bool { return s.Step == rating.CoverageMinimum })
}

// Explain explains the revision of a quote that is in force, which must be rated. It fails if a trace in the log cannot
// be read.
func Explain(q quote.Quote) (Explanation, error) {
	r := q.Rating
	e := Explanation{QuoteID: q.ID, Revision: q.Number, Rating: Rating{
		Outcome: r.Outcome, Reasons: listed(r.Reasons), Conditions: listed(r.Conditions), ExpiresOn: r.ExpiresOn,
		RatePlanVersion: r.RatePlanVersion, Drivers: []RatedDriver{}, AdverseActionNotice: r.AdverseActionNotice,
	}}
	if d := r.DeclaredOnly; d != nil {
		e.Rating.DeclaredOnly = &DeclaredOnly{d.Outcome, d.TotalPremium}
	}
	for _, d := range r.Drivers {
		driver := RatedDriver{DriverID: d.DriverID, Age: d.Age, YearsLicensed: d.YearsLicensed, Points: &d.Points,
			Charged: []Charged{}, Factors: &d.Factors}
		for _, c := range d.Charged {
			driver.Charged = append(driver.Charged, Charged(c))
		}
		e.Rating.Drivers = append(e.Rating.Drivers, driver)
	}
	if r.Price == nil {
		return e, nil
	}
	vehicles, err := ratedVehicles(r.Vehicles)
	if err != nil {
		return Explanation{}, fmt.Errorf("explain quote %s: %w", q.ID, err)
	}
	p := r.Price
	e.Rating.Price = &Price{
		AverageDriver: &p.AverageDriver, Tier: string(p.Tier), Vehicles: vehicles, CoverageTotal: p.CoverageTotal,
		MinimumPremiumAdjustment: p.MinimumPremiumAdjustment, Fees: listed(p.Fees), Assessment: p.Assessment,
		TotalPremium: p.TotalPremium,
	}
	return e, nil
}

func ratedVehicles(results []rating.VehicleResult) ([]RatedVehicle, error) {
	vehicles := make([]RatedVehicle, len(results))
	for i, v := range results {
		vehicles[i] = RatedVehicle{VehicleID: v.VehicleID, Territory: v.Territory, VehicleAge: v.VehicleAge, Symbol: v.Symbol,
			Body: v.Body, Coverages: make([]RatedCoverage, len(v.Coverages)), Total: v.Total}
		for j, c := range v.Coverages {
			steps, err := priceSteps(c.Trace)
			if err != nil {
				return nil, err
			}
			vehicles[i].Coverages[j] = RatedCoverage{Code: c.Code, Selection: c.Selection, Premium: c.Premium, Steps: steps}
		}
	}
	return vehicles, nil
}

// priceSteps reads the steps out of the line of text that the log has.
func priceSteps(t rating.Trace) ([]PriceStep, error) {
	read, err := t.Steps()
	if err != nil {
		return nil, err
	}
	steps := make([]PriceStep, len(read))
	for i, s := range read {
		steps[i] = PriceStep{Step: s.Name, Result: &s.Premium}
		if s.Name != rating.Base && s.Name != rating.Flat && s.Name != rating.CoverageMinimum {
			steps[i].Factor = &s.Factor
		}
	}
	return steps, nil
}

// listed is items as a list that JSON never writes as null.
func listed[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}
