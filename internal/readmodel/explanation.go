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

// Rating is a rating.Result as the API shows it: with named members where the log has lists, and with the steps of
// each premium where it has a line of text.
type Rating struct {
	Outcome         rating.Outcome     `json:"outcome"`
	Reasons         []rating.Code      `json:"reasons"`
	Conditions      []rating.Condition `json:"conditions"`
	ExpiresOn       civil.Date         `json:"expiresOn"`
	RatePlanVersion string             `json:"ratePlanVersion"`
	Drivers         []RatedDriver      `json:"drivers"`
	// Price is nil for a declined revision; for a referred one it is indicative.
	*Price
	DeclaredOnly        DeclaredOnly `json:"declaredOnly"`
	AdverseActionNotice bool         `json:"adverseActionNotice"`
}

// RatedDriver is the record and the factors of one rated driver.
type RatedDriver struct {
	DriverID      string              `json:"driverId"`
	Age           int                 `json:"age"`
	YearsLicensed int                 `json:"yearsLicensed"`
	Points        int                 `json:"points"`
	Charged       []Charged           `json:"charged"`
	Factors       rating.GroupFactors `json:"factors"`
}

// Charged is an incident that counts against a driver.
type Charged struct {
	Date   civil.Date    `json:"date"`
	Type   accident.Type `json:"type"`
	Points int           `json:"points"`
}

// Price is the premium and how it was made.
type Price struct {
	AverageDriver            rating.GroupFactors `json:"averageDriver"`
	Tier                     string              `json:"tier,omitempty"`
	Vehicles                 []RatedVehicle      `json:"vehicles"`
	CoverageTotal            decimal.Decimal     `json:"coverageTotal"`
	MinimumPremiumAdjustment decimal.Decimal     `json:"minimumPremiumAdjustment"`
	Fees                     []rating.Fee        `json:"fees"`
	Assessment               decimal.Decimal     `json:"assessment"`
	TotalPremium             decimal.Decimal     `json:"totalPremium"`
}

// RatedVehicle is the premium of one vehicle and how it was made.
type RatedVehicle struct {
	VehicleID  string          `json:"vehicleId"`
	Territory  string          `json:"territory"`
	VehicleAge int             `json:"vehicleAge"`
	Symbol     int             `json:"symbol"`
	Body       rating.Body     `json:"body"`
	Coverages  []RatedCoverage `json:"coverages"`
	Total      decimal.Decimal `json:"total"`
}

// RatedCoverage is the premium of one coverage of one vehicle and the steps that made it.
type RatedCoverage struct {
	Code      rating.Coverage  `json:"code"`
	Selection rating.Selection `json:"selection"`
	Premium   decimal.Decimal  `json:"premium"`
	Steps     []PriceStep      `json:"steps"`
}

// PriceStep is one operation on a running premium.
type PriceStep struct {
	Step rating.StepName `json:"step"`
	// Factor is nil for a step that sets the premium.
	Factor *decimal.Decimal `json:"factor,omitempty"`
	// Result is the running premium after the step.
	Result decimal.Decimal `json:"result"`
}

// DeclaredOnly is what the outcome would be if the reports had no incidents.
type DeclaredOnly struct {
	Outcome      rating.Outcome   `json:"outcome"`
	TotalPremium *decimal.Decimal `json:"totalPremium,omitempty"`
}

// ForCustomer is the explanation as the customer of the quote sees it: of what the drivers have done it tells what the
// customer declared, and not what consumer reports hold.
func (e Explanation) ForCustomer(q quote.Quote) Explanation {
	e.Rating.Reasons = nil
	for _, r := range q.ReasonsTold() {
		if code := rating.Code(r.Code); slices.Contains(q.Rating.Reasons, code) || r == quote.ReportReason {
			e.Rating.Reasons = append(e.Rating.Reasons, code)
		}
	}
	e.Rating.Reasons = listed(e.Rating.Reasons)
	e.Rating.Drivers = slices.Clone(e.Rating.Drivers)
	for i := range e.Rating.Drivers {
		d := &e.Rating.Drivers[i]
		all := len(d.Charged)
		d.Charged = slices.DeleteFunc(slices.Clone(d.Charged), func(c Charged) bool { return !q.Declared(d.DriverID, c.Type, c.Date) })
		if len(d.Charged) < all {
			d.Points = 0
			for _, c := range d.Charged {
				d.Points += c.Points
			}
		}
	}
	return e
}

// Explain explains the revision of a quote that is in force, which has to be rated. The error says that a trace in
// the log cannot be read.
func Explain(q quote.Quote) (Explanation, error) {
	r := q.Rating
	e := Explanation{QuoteID: q.ID, Revision: q.Number, Rating: Rating{
		Outcome: r.Outcome, Reasons: listed(r.Reasons), Conditions: listed(r.Conditions), ExpiresOn: r.ExpiresOn,
		RatePlanVersion: r.RatePlanVersion, Drivers: []RatedDriver{}, AdverseActionNotice: r.AdverseActionNotice,
	}}
	if d := r.DeclaredOnly; d != nil {
		e.Rating.DeclaredOnly = DeclaredOnly(*d)
	}
	for _, d := range r.Drivers {
		driver := RatedDriver{DriverID: d.DriverID, Age: d.Age, YearsLicensed: d.YearsLicensed, Points: d.Points,
			Charged: []Charged{}, Factors: d.Factors}
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
		AverageDriver: p.AverageDriver, Tier: string(p.Tier), Vehicles: vehicles, CoverageTotal: p.CoverageTotal,
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
		steps[i] = PriceStep{Step: s.Name, Result: s.Premium}
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
