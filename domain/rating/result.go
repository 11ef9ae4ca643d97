package rating

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/govalues/decimal"

	"milepost/domain/accident"
	"milepost/domain/civil"
	"milepost/domain/internal/closed"
)

// Result is the answer to a request. What it holds depends on the outcome: an Invalid one has only
// Reasons, a Declined one has no Price.
type Result struct {
	Outcome Outcome `json:"outcome"`
	// Reasons are the validation codes of an Invalid request, otherwise the underwriting rules that fired.
	Reasons    []Code      `json:"reasons"`
	Conditions []Condition `json:"conditions,omitzero"`
	// ExpiresOn is the last day on which the quote may be accepted.
	ExpiresOn       civil.Date     `json:"expiresOn,omitzero"`
	RatePlanVersion string         `json:"ratePlanVersion,omitzero"`
	Drivers         []DriverResult `json:"drivers,omitzero"`
	// Price is nil unless the outcome is Quoted or Referred; with Referred it is indicative. Its members are beside the
	// others in JSON.
	*Price
	DeclaredOnly *DeclaredOnly `json:"declaredOnly,omitzero"`
	// AdverseActionNotice is set where the reports made the outcome worse or the premium higher.
	AdverseActionNotice bool `json:"adverseActionNotice"`
}

// Price is the premium and how it came about. Amounts are in dollars and cents, driver factors have
// four decimals.
type Price struct {
	AverageDriver            GroupFactors    `json:"averageDriver"`
	Tier                     Tier            `json:"tier"`
	Vehicles                 []VehicleResult `json:"vehicles"`
	CoverageTotal            decimal.Decimal `json:"coverageTotal"`
	MinimumPremiumAdjustment decimal.Decimal `json:"minimumPremiumAdjustment"`
	Fees                     []Fee           `json:"fees"`
	Assessment               decimal.Decimal `json:"assessment"`
	TotalPremium             decimal.Decimal `json:"totalPremium"`
}

// DriverResult is the record and the factors of one rated driver.
type DriverResult struct {
	DriverID      string `json:"driverId"`
	Age           int    `json:"age"`
	YearsLicensed int    `json:"yearsLicensed"`
	// Points is the sum before the cap.
	Points  int          `json:"points"`
	Charged []Charged    `json:"charged"`
	Factors GroupFactors `json:"factors"`
}

// Charged is an incident that counts against a driver. In JSON it is [date, type, points].
type Charged struct {
	Date   civil.Date
	Type   accident.Type
	Points int
}

// MarshalJSON writes [date, type, points].
func (c Charged) MarshalJSON() ([]byte, error) {
	return json.Marshal([]any{c.Date, c.Type, c.Points})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (c *Charged) UnmarshalJSON(data []byte) error {
	var parts []json.RawMessage
	if err := json.Unmarshal(data, &parts); err != nil || len(parts) != 3 {
		return fmt.Errorf("charged incident %s is not [date, type, points]", data)
	}
	for i, into := range []any{&c.Date, &c.Type, &c.Points} {
		if err := json.Unmarshal(parts[i], into); err != nil {
			return fmt.Errorf("charged incident %s: %w", data, err)
		}
	}
	return nil
}

// GroupFactors has one driver factor for each group of coverages.
type GroupFactors struct {
	LIAB decimal.Decimal `json:"LIAB"` // BI and PD
	INJ  decimal.Decimal `json:"INJ"`  // UMBI, MED and PIP
	COMP decimal.Decimal `json:"COMP"`
	COLL decimal.Decimal `json:"COLL"`
}

// VehicleResult is the premium of one vehicle.
type VehicleResult struct {
	VehicleID  string           `json:"vehicleId"`
	Territory  string           `json:"territory"`
	VehicleAge int              `json:"vehicleAge"`
	Symbol     int              `json:"symbol"`
	Body       Body             `json:"body"`
	Coverages  []CoverageResult `json:"coverages"`
	Total      decimal.Decimal  `json:"total"`
}

// CoverageResult is the premium of one coverage on one vehicle.
type CoverageResult struct {
	Code      Coverage        `json:"code"`
	Selection Selection       `json:"selection"`
	Premium   decimal.Decimal `json:"premium"`
	Trace     Trace           `json:"trace"`
}

// Fee is an amount that no factor touches.
type Fee struct {
	Code   FeeCode         `json:"code"`
	Amount decimal.Decimal `json:"amount"`
}

// DeclaredOnly is what the outcome would be if the reports had no incidents.
type DeclaredOnly struct {
	Outcome Outcome `json:"outcome"`
	// TotalPremium is nil where the outcome has no price.
	TotalPremium *decimal.Decimal `json:"totalPremium"`
}

// Outcome is the result of a request.
type Outcome string

// The outcomes.
const (
	Invalid  Outcome = "INVALID"
	Quoted   Outcome = "QUOTED"
	Referred Outcome = "REFERRED"
	Declined Outcome = "DECLINED"
)

// outcomes are in order from the best for the applicant, except for Invalid.
var outcomes = []Outcome{Invalid, Quoted, Referred, Declined}

// UnmarshalText reads an outcome and refuses any other text.
func (o *Outcome) UnmarshalText(text []byte) error {
	return closed.Parse(o, text, "outcome", outcomes)
}

// WorseThan compares outcomes of valid requests for the applicant.
func (o Outcome) WorseThan(other Outcome) bool {
	return slices.Index(outcomes, o) > slices.Index(outcomes, other)
}

// Condition is a fact that is still missing. A quote with a condition may be shown, not bound.
type Condition string

// The conditions.
const (
	VINUnverified  Condition = "VIN_UNVERIFIED"
	HistoryPending Condition = "HISTORY_PENDING"
)

var conditions = []Condition{VINUnverified, HistoryPending}

// UnmarshalText reads a condition and refuses any other text.
func (c *Condition) UnmarshalText(text []byte) error {
	return closed.Parse(c, text, "condition", conditions)
}

// FeeCode names a fee.
type FeeCode string

// The fees.
const (
	PolicyFee  FeeCode = "POLICY_FEE"
	VehicleFee FeeCode = "VEHICLE_FEE"
	SR22Fee    FeeCode = "SR22_FEE"
)

// Tier is the underwriting placement by prior insurance, P1 the best. It is "", and null in JSON, if the state
// prohibits tiers.
type Tier string

// The tiers.
const (
	P1 Tier = "P1" // no lapse, prior bodily injury limit of 100,000 a person or more
	P2 Tier = "P2" // no lapse, 50,000 or more
	P3 Tier = "P3" // no lapse, less than 50,000
	P4 Tier = "P4" // a lapse of up to 30 days
	P5 Tier = "P5" // a longer lapse
	P6 Tier = "P6" // no prior insurance
)

// MarshalJSON writes the tier as a string, and no tier as null.
func (t Tier) MarshalJSON() ([]byte, error) {
	if t == "" {
		return []byte("null"), nil
	}
	return json.Marshal(string(t))
}

// Body is the class of a vehicle's body.
type Body string

// The body classes.
const (
	Sedan       Body = "SEDAN"
	Coupe       Body = "COUPE"
	Convertible Body = "CONVERTIBLE"
	Wagon       Body = "WAGON"
	SUV         Body = "SUV"
	Pickup      Body = "PICKUP"
	Minivan     Body = "MINIVAN"
	CargoVan    Body = "CARGO_VAN"
	Ineligible  Body = "INELIGIBLE"
	UnknownBody Body = "UNKNOWN"
)
