package rating

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/govalues/decimal"

	"milepost/domain/accident"
	"milepost/domain/civil"
	"milepost/domain/internal/closed"
	"milepost/domain/vehicle"
)

// Request is what the applicant states, as of the day of the quote.
type Request struct {
	// State is the two-letter code of the state whose rates apply.
	State         string     `json:"state"`
	QuoteDate     civil.Date `json:"quoteDate"`
	EffectiveDate civil.Date `json:"effectiveDate"`
	TermMonths    int        `json:"termMonths"`
	Policy        Policy     `json:"policy"`
	// Coverages are those of the whole policy: BI, PD, UMBI, MED and PIP.
	Coverages Selections `json:"coverages"`
	Drivers   []Driver   `json:"drivers"`
	Vehicles  []Vehicle  `json:"vehicles"`
}

// Policy is what concerns neither one driver nor one vehicle.
type Policy struct {
	Homeowner      bool           `json:"homeowner"`
	PaymentPlan    PaymentPlan    `json:"paymentPlan"`
	PriorInsurance PriorInsurance `json:"priorInsurance"`
}

// PriorInsurance is the cover that the applicant had before, or has until the policy begins.
type PriorInsurance struct {
	HasPrior       bool       `json:"hasPrior"`
	ExpirationDate civil.Date `json:"expirationDate,omitzero"`
	// BILimit is a split limit like "100/300"; "" means prior cover without bodily injury.
	BILimit string `json:"biLimit,omitzero"`
}

// Driver is a member of the household, rated or not.
type Driver struct {
	DriverID    string     `json:"driverId"`
	DateOfBirth civil.Date `json:"dateOfBirth"`
	// LicensedDate is the day of the first license; no date counts as zero years.
	LicensedDate       civil.Date    `json:"licensedDate,omitzero"`
	LicenseStatus      LicenseStatus `json:"licenseStatus"`
	Gender             Gender        `json:"gender"`
	MaritalStatus      MaritalStatus `json:"maritalStatus"`
	GoodStudent        bool          `json:"goodStudent"`
	MatureDriverCourse bool          `json:"matureDriverCourse"`
	// Excluded drivers are named, and have no cover while they drive.
	Excluded bool `json:"excluded"`
	// SR22 requests a filing that proves financial responsibility.
	SR22 bool `json:"sr22"`
	// Incidents are those that the applicant declared.
	Incidents []accident.Incident `json:"incidents,omitzero"`
}

// Rated reports whether the driver's record enters the price.
func (d Driver) Rated() bool { return !d.Excluded && d.LicenseStatus != accident.LicensePermit }

// Vehicle is one car with its own selected coverages.
type Vehicle struct {
	VehicleID string `json:"vehicleId"`
	VIN       string `json:"vin"`
	// ModelYear, Make, Model and BodyClass are rated where the VIN could not be decoded.
	ModelYear int    `json:"modelYear"`
	Make      string `json:"make"`
	Model     string `json:"model"`
	BodyClass string `json:"bodyClass"`
	// MSRP is the price when new and Value the price today, in dollars.
	MSRP          decimal.Decimal `json:"msrp"`
	Value         decimal.Decimal `json:"value"`
	GaragingZIP   string          `json:"garagingZip"`
	Use           Use             `json:"use"`
	OneWayMiles   int             `json:"oneWayMiles"`
	AnnualMileage int             `json:"annualMileage"`
	TitleStatus   TitleStatus     `json:"titleStatus"`
	Restraint     Restraint       `json:"restraint"`
	ABS           bool            `json:"abs"`
	// AEB is automatic emergency braking.
	AEB       bool      `json:"aeb"`
	AntiTheft AntiTheft `json:"antiTheft"`
	// Coverages are those of this car: COMP, COLL, RENT and TOW.
	Coverages Selections `json:"coverages"`
}

// Facts are what others know: the VIN decoder of each vehicle and the reporting agency of each driver,
// by the ids of the request. A missing entry means that the answer is not there.
type Facts struct {
	VIN     map[string]VehicleFact      `json:"vin"`
	History map[string]accident.History `json:"history"`
}

// VehicleFact is the VIN decoder's answer for one vehicle.
type VehicleFact = vehicle.Fact

// Coverage is the code of one kind of cover.
type Coverage string

// The coverages.
const (
	BI   Coverage = "BI"   // bodily injury liability, "per person/per accident" in thousands of dollars
	PD   Coverage = "PD"   // property damage liability, thousands of dollars
	UMBI Coverage = "UMBI" // uninsured motorist bodily injury, limits as for BI
	MED  Coverage = "MED"  // medical payments, dollars
	PIP  Coverage = "PIP"  // personal injury protection, dollars
	COMP Coverage = "COMP" // comprehensive, a deductible in dollars
	COLL Coverage = "COLL" // collision, a deductible in dollars
	RENT Coverage = "RENT" // rental reimbursement, "per day/at most" in dollars
	TOW  Coverage = "TOW"  // towing and labor, dollars
)

// Selections are the limit, deductible or option chosen for each coverage.
type Selections map[Coverage]Selection

func (s Selections) has(c Coverage) bool {
	_, ok := s[c]
	return ok
}

// Selection is one chosen limit or option (a JSON string, such as "100/300") or one chosen deductible
// (a JSON number). Selections are compared with ==.
type Selection struct {
	text       string
	deductible bool
}

// Option makes the selection of a limit or a flat option.
func Option(text string) Selection { return Selection{text: text} }

// Deductible makes the selection of a deductible in dollars.
func Deductible(dollars int) Selection {
	return Selection{text: strconv.Itoa(dollars), deductible: true}
}

// String is the selection without JSON quotes.
func (s Selection) String() string { return s.text }

// MarshalJSON writes a deductible as a number and anything else as a string.
func (s Selection) MarshalJSON() ([]byte, error) {
	if s.deductible {
		return []byte(s.text), nil
	}
	return json.Marshal(s.text)
}

// UnmarshalJSON reads a string or a whole number.
func (s *Selection) UnmarshalJSON(data []byte) error {
	if data[0] == '"' {
		s.deductible = false
		return json.Unmarshal(data, &s.text)
	}
	dollars, err := strconv.Atoi(string(data))
	if err != nil {
		return fmt.Errorf("coverage selection %s is neither a string nor a whole number", data)
	}
	*s = Deductible(dollars)
	return nil
}

// LicenseStatus is the standing of a driver's license.
type LicenseStatus = accident.LicenseStatus

// PaymentPlan is how the premium is paid.
type PaymentPlan string

// The payment plans.
const (
	Installments PaymentPlan = "INSTALLMENTS"
	PayInFull    PaymentPlan = "PAY_IN_FULL"
)

var paymentPlans = []PaymentPlan{Installments, PayInFull}

// UnmarshalText reads a payment plan and refuses any other text.
func (p *PaymentPlan) UnmarshalText(text []byte) error {
	return closed.Parse(p, text, "payment plan", paymentPlans)
}

// Gender is a driver's gender as on the license.
type Gender string

// The genders.
const (
	Female      Gender = "F"
	Male        Gender = "M"
	Unspecified Gender = "X"
)

var genders = []Gender{Female, Male, Unspecified}

// UnmarshalText reads a gender and refuses any other text.
func (g *Gender) UnmarshalText(text []byte) error { return closed.Parse(g, text, "gender", genders) }

// MaritalStatus is a driver's marital status.
type MaritalStatus string

// The marital statuses.
const (
	Single          MaritalStatus = "SINGLE"
	Married         MaritalStatus = "MARRIED"
	DomesticPartner MaritalStatus = "DOMESTIC_PARTNER"
	CivilUnion      MaritalStatus = "CIVIL_UNION"
	Widowed         MaritalStatus = "WIDOWED"
	Separated       MaritalStatus = "SEPARATED"
	Divorced        MaritalStatus = "DIVORCED"
)

var maritalStatuses = []MaritalStatus{Single, Married, DomesticPartner, CivilUnion, Widowed, Separated, Divorced}

// UnmarshalText reads a marital status and refuses any other text.
func (m *MaritalStatus) UnmarshalText(text []byte) error {
	return closed.Parse(m, text, "marital status", maritalStatuses)
}

// married reports whether the status is rated as marriage.
func (m MaritalStatus) married() bool {
	return m == Married || m == DomesticPartner || m == CivilUnion
}

// Use is what a vehicle is driven for.
type Use string

// The uses. The last three are not insured.
const (
	Pleasure  Use = "PLEASURE"
	Commute   Use = "COMMUTE"
	Business  Use = "BUSINESS"
	Farm      Use = "FARM"
	RideShare Use = "RIDESHARE"
	Delivery  Use = "DELIVERY"
	Livery    Use = "LIVERY"
)

var uses = []Use{Pleasure, Commute, Business, Farm, RideShare, Delivery, Livery}

// UnmarshalText reads a use and refuses any other text.
func (u *Use) UnmarshalText(text []byte) error { return closed.Parse(u, text, "use", uses) }

// TitleStatus is the brand on a vehicle's title.
type TitleStatus string

// The title statuses.
const (
	TitleClean   TitleStatus = "CLEAN"
	TitleSalvage TitleStatus = "SALVAGE"
	TitleJunk    TitleStatus = "JUNK"
	TitleRebuilt TitleStatus = "REBUILT"
	TitleFlood   TitleStatus = "FLOOD"
	TitleHail    TitleStatus = "HAIL"
	TitleLemon   TitleStatus = "LEMON"
)

var titleStatuses = []TitleStatus{TitleClean, TitleSalvage, TitleJunk, TitleRebuilt, TitleFlood, TitleHail, TitleLemon}

// UnmarshalText reads a title status and refuses any other text.
func (t *TitleStatus) UnmarshalText(text []byte) error {
	return closed.Parse(t, text, "title status", titleStatuses)
}

// branded reports whether the title records past damage or defects that may have been repaired.
func (t TitleStatus) branded() bool {
	return slices.Contains([]TitleStatus{TitleRebuilt, TitleFlood, TitleHail, TitleLemon}, t)
}

// Restraint is the passive restraint that a vehicle has.
type Restraint string

// The restraints: no airbag, the driver's, both front ones, and side ones too.
const (
	RestraintNone     Restraint = "NONE"
	RestraintDriver   Restraint = "DRIVER"
	RestraintDual     Restraint = "DUAL"
	RestraintDualSide Restraint = "DUAL_SIDE"
)

var restraints = []Restraint{RestraintNone, RestraintDriver, RestraintDual, RestraintDualSide}

// UnmarshalText reads a restraint and refuses any other text.
func (r *Restraint) UnmarshalText(text []byte) error {
	return closed.Parse(r, text, "restraint", restraints)
}

// AntiTheft is the device against theft that a vehicle has.
type AntiTheft string

// The devices against theft.
const (
	AntiTheftNone     AntiTheft = "NONE"
	AntiTheftAlarm    AntiTheft = "ALARM"
	AntiTheftPassive  AntiTheft = "PASSIVE"
	AntiTheftRecovery AntiTheft = "RECOVERY"
)

var antiTheftDevices = []AntiTheft{AntiTheftNone, AntiTheftAlarm, AntiTheftPassive, AntiTheftRecovery}

// UnmarshalText reads a device against theft and refuses any other text.
func (a *AntiTheft) UnmarshalText(text []byte) error {
	return closed.Parse(a, text, "anti-theft device", antiTheftDevices)
}
