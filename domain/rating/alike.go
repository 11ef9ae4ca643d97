package rating

import "github.com/govalues/decimal"

// What is rated alike under every plan can replace each other, for a test, without a change of the price. The functions
// below report whether two values are.

// SameTerritory compares ZIP codes that begin with three digits each, in a state.
func SameTerritory(state, zip3, other string) bool {
	return alike(func(p *Plan) bool {
		s := p.States[state]
		return s == nil || s.territory(zip3) == s.territory(other) && s.contains(number(zip3)) == s.contains(number(other))
	})
}

// SameMileage compares annual mileages.
func SameMileage(a, b int) bool {
	return alike(func(p *Plan) bool { return p.AnnualMileage.Rows.at(a) == p.AnnualMileage.Rows.at(b) })
}

// SameCommute compares the one-way miles to work.
func SameCommute(a, b int) bool {
	return alike(func(p *Plan) bool { return (a < p.Use.LongCommuteFromMiles) == (b < p.Use.LongCommuteFromMiles) })
}

// SameVehiclePrice compares prices of a vehicle, when new or today.
func SameVehiclePrice(a, b decimal.Decimal) bool {
	return alike(func(p *Plan) bool {
		for _, r := range p.Underwriting.Rules {
			if (a.Cmp(r.Amount.digits) > 0) != (b.Cmp(r.Amount.digits) > 0) {
				return false
			}
		}
		return p.symbol(a) == p.symbol(b)
	})
}

// SameLoss compares what was paid for an incident.
func SameLoss(a, b decimal.Decimal) bool {
	return alike(func(p *Plan) bool {
		for _, s := range p.States {
			for _, over := range []decimal.Decimal{s.accidents.AccidentThreshold, s.accidents.MajorAmount} {
				if (a.Cmp(over) > 0) != (b.Cmp(over) > 0) {
					return false
				}
			}
		}
		return true
	})
}

// number is the number of the digits, or one that no state has if there are none.
func number(digits string) int {
	n, ok := zip3(digits)
	if !ok {
		return -1
	}
	return n
}

func alike(under func(*Plan) bool) bool {
	for _, p := range loadPlans() {
		if !under(p) {
			return false
		}
	}
	return true
}
