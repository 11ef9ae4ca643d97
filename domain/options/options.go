// Package options lists what can be chosen in a request, in words for the customer: the states, the coverages of a
// state with their limits and deductibles, packages of them, and what the answers to each question mean.
package options

import (
	"fmt"
	"slices"

	"milepost/domain/civil"
	"milepost/domain/rating"
	"milepost/domain/rejection"
	"milepost/domain/zone"
)

// Options are what can be chosen.
type Options struct {
	States []State `json:"states"`
	// Enums are the closed questions with their answers.
	Enums []Enum `json:"enums"`
	// Questions are those of a form, and Consents what the customer agrees to or acknowledges. Fees are those of a price.
	Questions []Question `json:"questions"`
	Consents  []Consent  `json:"consents"`
	Fees      []Value    `json:"fees"`
	// DecisionCodes are the usual reasons of an underwriter's decision.
	DecisionCodes []DecisionCode `json:"decisionCodes"`
	// Offering is nil unless a state was requested.
	Offering *Offering `json:"offering,omitempty"`
}

// State is a state in which insurance is offered.
type State struct {
	Code string `json:"code"`
	Name string `json:"name"`
	// TimeZone is the IANA name of the zone in which the dates of its quotes count.
	TimeZone string `json:"timeZone"`
}

// Enum is a member of a request with the values that it may have.
type Enum struct {
	Name   string  `json:"name"`
	Values []Value `json:"values"`
}

// Value is one answer.
type Value struct {
	Code  string `json:"code"`
	Words string `json:"words"`
}

// Offering is what is offered in a state from an effective date.
type Offering struct {
	State           string     `json:"state"`
	EffectiveDate   civil.Date `json:"effectiveDate"`
	RatePlanVersion string     `json:"ratePlanVersion"`
	TermMonths      []int      `json:"termMonths"`
	// UMBIEqualsBI says that UMBI has to have the limit of BI.
	UMBIEqualsBI bool `json:"umbiEqualsBi"`
	// ExclusionAllowed says that a driver may be excluded.
	ExclusionAllowed bool `json:"exclusionAllowed"`
	// GenderRated says that the gender enters the price. Elsewhere it is not asked for, and X is sent.
	GenderRated bool `json:"genderRated"`
	// Rejections are the forms that the customer signs to go without a coverage, WrittenOffers those that are shown.
	Rejections    []rejection.Form `json:"rejections"`
	WrittenOffers []rejection.Form `json:"writtenOffers"`
	Coverages     []Coverage       `json:"coverages"`
	Packages      []Package        `json:"packages"`
}

// Coverage is a coverage in words, with its choices.
type Coverage struct {
	Code rating.Coverage `json:"code"`
	// Level is POLICY, or VEHICLE for a coverage that is selected for each vehicle.
	Level    string `json:"level"`
	Required bool   `json:"required"`
	Name     string `json:"name"`
	Does     string `json:"does"`
	// Without is what it means to leave the coverage out.
	Without string   `json:"without"`
	Choices []Choice `json:"choices"`
}

// Choice is a limit, a deductible or an option.
type Choice struct {
	Selection rating.Selection `json:"selection"`
	Words     string           `json:"words"`
}

// The levels of a coverage.
const (
	levelPolicy  = "POLICY"
	levelVehicle = "VEHICLE"
)

// All are the options without those of a state.
func All() Options {
	plans := rating.Plans()
	newest := plans[len(plans)-1]
	o := Options{Questions: questions, Consents: consents, Fees: fees, DecisionCodes: decisionCodes}
	for _, code := range newest.StateCodes() {
		offering, _ := newest.Offering(code)
		o.States = append(o.States, State{Code: code, Name: offering.Name, TimeZone: zone.Of(code).String()})
	}
	values := rating.Values()
	for _, name := range enums {
		enum := Enum{Name: name}
		for _, code := range values[name] {
			enum.Values = append(enum.Values, Value{Code: code, Words: words[name][code]})
		}
		o.Enums = append(o.Enums, enum)
	}
	return o
}

// For are the options with those of a state for policies that begin on a date, as of the day of a quote. The errors
// are those of rating.Select.
func For(state string, effective, today civil.Date) (Options, error) {
	plan, err := rating.Select(state, effective, today)
	if err != nil {
		return Options{}, err
	}
	offered, ok := plan.Offering(state)
	if !ok {
		return Options{}, fmt.Errorf("%w: %q", rating.ErrStateNotSupported, state)
	}
	o := All()
	o.Offering = &Offering{
		State: state, EffectiveDate: effective, RatePlanVersion: plan.Version(), TermMonths: offered.Terms,
		UMBIEqualsBI: offered.UMBIEqualsBI, ExclusionAllowed: offered.ExclusionAllowed, GenderRated: offered.GenderRated,
		Rejections: []rejection.Form{}, WrittenOffers: []rejection.Form{}, Packages: packagesOf(state),
	}
	sign, offers := rejection.Forms(state, effective)
	o.Offering.Rejections = append(o.Offering.Rejections, sign...)
	o.Offering.WrittenOffers = append(o.Offering.WrittenOffers, offers...)
	for _, c := range offered.Coverages {
		coverage := Coverage{Code: c.Code, Level: levelPolicy, Required: c.Required}
		if c.OfVehicle {
			coverage.Level = levelVehicle
		}
		text := coverages[c.Code]
		coverage.Name, coverage.Does, coverage.Without = text.name, text.does, text.without
		for _, s := range c.Choices {
			coverage.Choices = append(coverage.Choices, Choice{Selection: s, Words: selectionWords(c.Code, s.String())})
		}
		o.Offering.Coverages = append(o.Offering.Coverages, coverage)
	}
	return o, nil
}

// Package is a set of coverages that go together.
type Package struct {
	// Name is BASIC, STANDARD or FULL.
	Name string `json:"name"`
	// Words say what it is for. None is recommended.
	Words string `json:"words"`
	// Coverages are those of the policy, VehicleCoverages those of each vehicle.
	Coverages        rating.Selections `json:"coverages"`
	VehicleCoverages rating.Selections `json:"vehicleCoverages"`
}

// packagesOf returns the packages of a state, from the least cover to the most.
func packagesOf(state string) []Package { return slices.Clone(packages[state]) }
