package rating

import (
	"slices"
	"strconv"
	"strings"

	"milepost/domain/accident"
	"milepost/domain/civil"
)

// Code names a reason: a failed validation or an underwriting rule, such as "R03".
type Code string

// The validation codes, in the order in which they are reported.
const (
	StateNotSupported         Code = "V01_STATE_NOT_SUPPORTED"
	PlanNotEffective          Code = "V02_PLAN_NOT_EFFECTIVE"
	EffectiveDateRange        Code = "V03_EFFECTIVE_DATE_RANGE"
	UnsupportedTerm           Code = "V04_TERM"
	CoverageNotOffered        Code = "V05_COVERAGE_NOT_OFFERED"
	RequiredCoverageMissing   Code = "V06_REQUIRED_COVERAGE_MISSING"
	UnknownSelection          Code = "V15_UNKNOWN_SELECTION"
	UnknownValue              Code = "V16_UNKNOWN_VALUE"
	LimitBelowMinimum         Code = "V07_LIMIT_BELOW_MINIMUM"
	UMBIExceedsBI             Code = "V08_UMBI_EXCEEDS_BI"
	UMBIMustEqualBI           Code = "V09_UMBI_MUST_EQUAL_BI"
	CollWithoutComp           Code = "V10_COLL_WITHOUT_COMP"
	RentWithoutColl           Code = "V11_RENT_WITHOUT_COLL"
	NoVehicleOrRatedDriver    Code = "V12_NO_VEHICLE_OR_RATED_DRIVER"
	DriverTooYoung            Code = "V13_DRIVER_TOO_YOUNG"
	DriverExclusionNotAllowed Code = "V14_EXCLUSION_NOT_ALLOWED"
)

var validationTexts = map[Code]string{
	StateNotSupported:         "We do not offer insurance in this state. Enter the one where the cars are kept.",
	PlanNotEffective:          "No rates are in force on the effective date. Enter today or a day in the next weeks.",
	EffectiveDateRange:        "The effective date is past or too far ahead. Enter today or a day in the next weeks.",
	UnsupportedTerm:           "The term is not offered. Choose one that the options of the state list.",
	CoverageNotOffered:        "A selected coverage is not offered in this state, or not at this place. Take it out.",
	RequiredCoverageMissing:   "A coverage that the state requires is missing. Add it; the options list it as required.",
	UnknownSelection:          "A limit, deductible or option is not offered. Choose one that the options of the state list.",
	UnknownValue:              "A value or date that the rating needs is missing or not known. Enter it.",
	LimitBelowMinimum:         "A limit is below the state's minimum. Choose a higher one.",
	UMBIExceedsBI:             "The uninsured motorist limit is above the bodily injury limit. Lower it, or raise BI.",
	UMBIMustEqualBI:           "The state requires the uninsured motorist limit to equal the bodily injury limit. Choose the limit of BI.",
	CollWithoutComp:           "A vehicle has collision without comprehensive cover. Add COMP, or take COLL out.",
	RentWithoutColl:           "A vehicle has rental reimbursement without collision cover. Add COLL, or take RENT out.",
	NoVehicleOrRatedDriver:    "There is no vehicle or no rated driver. Add one who is licensed and not excluded.",
	DriverTooYoung:            "A driver is too young to be insured. Correct the date of birth, or take the driver out.",
	DriverExclusionNotAllowed: "The state does not allow a driver to be excluded. List the driver as rated.",
}

// Validate returns the codes of everything that makes a request unfit to be rated, each once, in order. A state that
// the plan does not have is reported alone. An unknown selection or value ends the check.
//
// V16 is for values and dates that JSON decoding accepts only if they are absent.
func (p *Plan) Validate(r Request) []Code {
	s := p.States[r.State]
	if s == nil {
		return []Code{StateNotSupported}
	}
	var codes []Code
	check := func(code Code, failed bool) {
		if failed {
			codes = append(codes, code)
		}
	}
	days := r.EffectiveDate.Sub(r.QuoteDate)
	check(PlanNotEffective, !p.inForce(r.EffectiveDate))
	check(EffectiveDateRange, days < 0 || days > p.Quote.MaxAdvanceDays)
	check(UnsupportedTerm, p.Term[r.TermMonths] == nil)
	check(CoverageNotOffered, p.selectsMoreThanOffered(s, &r))
	check(RequiredCoverageMissing, slices.ContainsFunc(s.Required, func(c Coverage) bool { return !r.Coverages.has(c) }))

	unknownSelection, unknownValue := p.hasUnknownSelection(&r), hasUnknownValue(s, &r)
	check(UnknownSelection, unknownSelection)
	check(UnknownValue, unknownValue)
	if unknownSelection || unknownValue {
		return codes
	}

	umbiExceedsBI := p.umbiExceedsBI(&r)
	check(LimitBelowMinimum, p.hasLimitBelowMinimum(s, &r))
	check(UMBIExceedsBI, umbiExceedsBI)
	check(UMBIMustEqualBI, s.UMRequired && !umbiExceedsBI && r.Coverages.has(UMBI) && r.Coverages[UMBI] != r.Coverages[BI])
	check(CollWithoutComp, anyVehicle(&r, func(v *Vehicle) bool { return v.Coverages.has(COLL) && !v.Coverages.has(COMP) }))
	check(RentWithoutColl, anyVehicle(&r, func(v *Vehicle) bool { return v.Coverages.has(RENT) && !v.Coverages.has(COLL) }))
	check(NoVehicleOrRatedDriver, len(r.Vehicles) == 0 || !slices.ContainsFunc(r.Drivers, Driver.Rated))
	check(DriverTooYoung, slices.ContainsFunc(r.Drivers, func(d Driver) bool {
		return civil.CompletedYears(d.DateOfBirth, r.EffectiveDate) < p.Quote.MinDriverAge
	}))
	check(DriverExclusionNotAllowed, !s.DriverExclusionAllowed &&
		slices.ContainsFunc(r.Drivers, func(d Driver) bool { return d.Excluded }))
	return codes
}

func anyVehicle(r *Request, is func(*Vehicle) bool) bool {
	for i := range r.Vehicles {
		if is(&r.Vehicles[i]) {
			return true
		}
	}
	return false
}

// selectsMoreThanOffered also counts a coverage of the policy selected for a car, or the reverse: it is
// not offered there.
func (p *Plan) selectsMoreThanOffered(s *state, r *Request) bool {
	beyond := func(selected Selections, level []Coverage) bool {
		for c := range selected {
			if !slices.Contains(level, c) || !slices.Contains(s.Offered, c) {
				return true
			}
		}
		return false
	}
	return beyond(r.Coverages, p.Coverages.PolicyLevel) ||
		anyVehicle(r, func(v *Vehicle) bool { return beyond(v.Coverages, p.Coverages.VehicleLevel) })
}

func (p *Plan) hasUnknownSelection(r *Request) bool {
	unknown := func(selected Selections) bool {
		for c, selection := range selected {
			if slices.Contains(p.Coverages.Order, c) && !p.has(c, selection) {
				return true
			}
		}
		return false
	}
	return unknown(r.Coverages) || anyVehicle(r, func(v *Vehicle) bool { return unknown(v.Coverages) })
}

// has reports whether a selection is in the table of its coverage.
func (p *Plan) has(c Coverage, s Selection) bool {
	if table, ok := p.Deductibles[c]; ok {
		return s.deductible && table[s.text] != nil
	}
	if p.flat(c) {
		return !s.deductible && p.FlatPremiumPer6Months[c][s.text] != nil
	}
	return !s.deductible && p.Limits[c].Factor[s.text] != nil
}

func hasUnknownValue(s *state, r *Request) bool {
	prior := r.Policy.PriorInsurance
	if !slices.Contains(paymentPlans, r.Policy.PaymentPlan) {
		return true
	}
	if prior.HasPrior {
		if _, ok := perPersonLimit(prior.BILimit); !ok || prior.ExpirationDate.IsZero() {
			return true
		}
	}
	return slices.ContainsFunc(r.Drivers, func(d Driver) bool {
		return d.DateOfBirth.IsZero() || !d.LicenseStatus.Known() ||
			d.Rated() && (!slices.Contains(genders, d.Gender) && !s.prohibits(gender) ||
				!slices.Contains(maritalStatuses, d.MaritalStatus)) ||
			slices.ContainsFunc(d.Incidents, func(i accident.Incident) bool { return !i.Type.Known() || i.Date.IsZero() })
	}) || anyVehicle(r, func(v *Vehicle) bool {
		return !slices.Contains(uses, v.Use) || !slices.Contains(titleStatuses, v.TitleStatus) ||
			!slices.Contains(restraints, v.Restraint) || !slices.Contains(antiTheftDevices, v.AntiTheft)
	})
}

// perPersonLimit is the first part of a split limit, in thousands of dollars; 0 for no limit, "".
func perPersonLimit(limit string) (thousands int, ok bool) {
	if limit == "" {
		return 0, true
	}
	perPerson, _, _ := strings.Cut(limit, "/")
	thousands, err := strconv.Atoi(perPerson)
	return thousands, err == nil
}

func (p *Plan) hasLimitBelowMinimum(s *state, r *Request) bool {
	for c, selection := range r.Coverages {
		minimum, ok := s.Minimum[c]
		if !ok {
			minimum, ok = s.MinimumIfPurchased[c]
		}
		order := p.Limits[c].Order
		if ok && slices.Index(order, selection.text) < slices.Index(order, minimum) {
			return true
		}
	}
	return false
}

func (p *Plan) umbiExceedsBI(r *Request) bool {
	umbi, ok := r.Coverages[UMBI]
	if !ok {
		return false
	}
	bi, ok := r.Coverages[BI]
	order := p.Limits[BI].Order
	return !ok || slices.Index(order, umbi.text) > slices.Index(order, bi.text)
}
