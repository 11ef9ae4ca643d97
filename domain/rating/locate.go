package rating

import (
	"fmt"
	"maps"
	"slices"

	"milepost/domain/civil"
)

// Locate returns the JSON pointer to the member of a request that a validation code is about: the first of several, and
// "" if it is about no single one.
func Locate(r Request, code Code) string {
	p, err := Select(r.State, r.EffectiveDate, r.QuoteDate)
	if err != nil {
		p = loadPlans()[0]
	}
	s := p.States[r.State]
	if s == nil {
		return "/state"
	}
	switch code {
	case StateNotSupported:
		return "/state"
	case PlanNotEffective, EffectiveDateRange:
		return "/effectiveDate"
	case UnsupportedTerm:
		return "/termMonths"
	case RequiredCoverageMissing:
		return "/coverages"
	case CoverageNotOffered:
		return r.locateCoverage(func(c Coverage, _ Selection, level []Coverage) bool {
			return !slices.Contains(level, c) || !slices.Contains(s.Offered, c)
		}, p)
	case UnknownSelection:
		return r.locateCoverage(func(c Coverage, selected Selection, _ []Coverage) bool {
			return slices.Contains(p.Coverages.Order, c) && !p.has(c, selected)
		}, p)
	case LimitBelowMinimum:
		return r.locateCoverage(func(c Coverage, selected Selection, _ []Coverage) bool {
			return p.hasLimitBelowMinimum(s, &Request{Coverages: Selections{c: selected}})
		}, p)
	case UMBIExceedsBI, UMBIMustEqualBI:
		return "/coverages/UMBI"
	case CollWithoutComp:
		return r.locateVehicle("/coverages/COLL", func(v Vehicle) bool { return v.Coverages.has(COLL) && !v.Coverages.has(COMP) })
	case RentWithoutColl:
		return r.locateVehicle("/coverages/RENT", func(v Vehicle) bool { return v.Coverages.has(RENT) && !v.Coverages.has(COLL) })
	case NoVehicleOrRatedDriver:
		if len(r.Vehicles) == 0 {
			return "/vehicles"
		}
		return "/drivers"
	case DriverTooYoung:
		return r.locateDriver("/dateOfBirth", func(d Driver) bool {
			return civil.CompletedYears(d.DateOfBirth, r.EffectiveDate) < p.Quote.MinDriverAge
		})
	case DriverExclusionNotAllowed:
		return r.locateDriver("/excluded", func(d Driver) bool { return d.Excluded })
	}
	return ""
}

// locateCoverage looks at the selections of the policy, then at those of each vehicle, in the order of their codes.
func (r Request) locateCoverage(is func(Coverage, Selection, []Coverage) bool, p *Plan) string {
	first := func(at string, selected Selections, level []Coverage) string {
		for _, c := range slices.Sorted(maps.Keys(selected)) {
			if is(c, selected[c], level) {
				return at + "/coverages/" + string(c)
			}
		}
		return ""
	}
	if at := first("", r.Coverages, p.Coverages.PolicyLevel); at != "" {
		return at
	}
	for i, v := range r.Vehicles {
		if at := first(fmt.Sprintf("/vehicles/%d", i), v.Coverages, p.Coverages.VehicleLevel); at != "" {
			return at
		}
	}
	return ""
}

func (r Request) locateVehicle(member string, is func(Vehicle) bool) string {
	if i := slices.IndexFunc(r.Vehicles, is); i >= 0 {
		return fmt.Sprintf("/vehicles/%d%s", i, member)
	}
	return ""
}

func (r Request) locateDriver(member string, is func(Driver) bool) string {
	if i := slices.IndexFunc(r.Drivers, is); i >= 0 {
		return fmt.Sprintf("/drivers/%d%s", i, member)
	}
	return ""
}
