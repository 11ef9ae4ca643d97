package rating

import (
	"cmp"
	"maps"
	"slices"
	"strconv"

	"milepost/domain/accident"
)

// Offering is what a plan offers in a state.
type Offering struct {
	// Name is that of the state.
	Name  string
	Terms []int
	// Coverages are in the order in which they are rated.
	Coverages []OfferedCoverage
	// UMBIEqualsBI says that the uninsured motorist limit has to equal the bodily injury limit.
	UMBIEqualsBI bool
	// ExclusionAllowed says that a driver may be excluded.
	ExclusionAllowed bool
	// GenderRated says that the gender of a driver enters the price.
	GenderRated bool
}

// OfferedCoverage is a coverage with its choices.
type OfferedCoverage struct {
	Code Coverage
	// OfVehicle says that it is selected for each vehicle and not for the policy.
	OfVehicle bool
	Required  bool
	// Choices are from the least cover to the most, deductibles from the lowest. Limits below the state's minimum are
	// left out.
	Choices []Selection
}

// StateCodes are the codes of the states that the plan is for.
func (p *Plan) StateCodes() []string { return slices.Sorted(maps.Keys(p.States)) }

// Offering returns what the plan offers in a state; ok is false if it offers nothing.
func (p *Plan) Offering(code string) (o Offering, ok bool) {
	s := p.States[code]
	if s == nil {
		return Offering{}, false
	}
	o = Offering{Name: s.Name, Terms: slices.Sorted(maps.Keys(p.Term)), UMBIEqualsBI: s.UMRequired, ExclusionAllowed: s.DriverExclusionAllowed, GenderRated: !s.prohibits(gender)}
	for _, c := range p.Coverages.Order {
		if slices.Contains(s.Offered, c) {
			o.Coverages = append(o.Coverages, OfferedCoverage{
				Code: c, OfVehicle: slices.Contains(p.Coverages.VehicleLevel, c), Required: slices.Contains(s.Required, c), Choices: p.choices(s, c),
			})
		}
	}
	return o, true
}

func (p *Plan) choices(s *state, c Coverage) (all []Selection) {
	if table, ok := p.Deductibles[c]; ok {
		for _, text := range sortedByNumber(maps.Keys(table)) {
			all = append(all, Selection{text: text, deductible: true})
		}
		return all
	}
	if p.flat(c) {
		for _, text := range sortedByNumber(maps.Keys(p.FlatPremiumPer6Months[c])) {
			all = append(all, Option(text))
		}
		return all
	}
	for _, limit := range p.Limits[c].Order {
		if !p.hasLimitBelowMinimum(s, &Request{Coverages: Selections{c: Option(limit)}}) {
			all = append(all, Option(limit))
		}
	}
	return all
}

// sortedByNumber sorts texts by the number that they begin with.
func sortedByNumber(texts func(func(string) bool)) []string {
	number := func(text string) int {
		end := 0
		for end < len(text) && '0' <= text[end] && text[end] <= '9' {
			end++
		}
		n, err := strconv.Atoi(text[:end])
		if err != nil {
			return 0
		}
		return n
	}
	return slices.SortedFunc(texts, func(a, b string) int { return cmp.Or(cmp.Compare(number(a), number(b)), cmp.Compare(a, b)) })
}

// Values are the values that members of a request may have, by the name of the member.
func Values() map[string][]string {
	return map[string][]string{
		"paymentPlan": texts(paymentPlans), "gender": texts(genders), "maritalStatus": texts(maritalStatuses),
		"licenseStatus": texts(accident.LicenseStatuses()), "incidentType": texts(accident.Types()), "use": texts(uses),
		"titleStatus": texts(titleStatuses), "restraint": texts(restraints), "antiTheft": texts(antiTheftDevices),
	}
}

func texts[T ~string](values []T) (all []string) {
	for _, v := range values {
		all = append(all, string(v))
	}
	return all
}
