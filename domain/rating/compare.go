package rating

import (
	"slices"

	"github.com/govalues/decimal"
)

// SameAnswer reports whether two results are the same to the applicant: the outcome with its reasons and conditions,
// what counted against whom, the plan, and every amount. The factors and traces that led to the amounts may differ.
func (r Result) SameAnswer(o Result) bool {
	return r.Outcome == o.Outcome && slices.Equal(r.Reasons, o.Reasons) && slices.Equal(r.Conditions, o.Conditions) &&
		r.ExpiresOn == o.ExpiresOn && r.RatePlanVersion == o.RatePlanVersion &&
		r.AdverseActionNotice == o.AdverseActionNotice &&
		slices.EqualFunc(r.Drivers, o.Drivers, sameRecord) && samePrice(r.Price, o.Price)
}

// SamePrice reports whether two results have the same outcome and the same amounts.
func (r Result) SamePrice(o Result) bool {
	return r.Outcome == o.Outcome && samePrice(r.Price, o.Price)
}

func sameRecord(a, b DriverResult) bool {
	return a.DriverID == b.DriverID && a.Points == b.Points && slices.Equal(a.Charged, b.Charged)
}

func samePrice(a, b *Price) bool {
	if a == nil || b == nil {
		return a == b
	}
	return sameAmount(a.TotalPremium, b.TotalPremium) && sameAmount(a.CoverageTotal, b.CoverageTotal) &&
		sameAmount(a.MinimumPremiumAdjustment, b.MinimumPremiumAdjustment) && sameAmount(a.Assessment, b.Assessment) &&
		slices.EqualFunc(a.Fees, b.Fees, func(a, b Fee) bool { return a.Code == b.Code && sameAmount(a.Amount, b.Amount) }) &&
		slices.EqualFunc(a.Vehicles, b.Vehicles, sameVehicle)
}

func sameVehicle(a, b VehicleResult) bool {
	return a.VehicleID == b.VehicleID && sameAmount(a.Total, b.Total) &&
		slices.EqualFunc(a.Coverages, b.Coverages, func(a, b CoverageResult) bool {
			return a.Code == b.Code && a.Selection == b.Selection && sameAmount(a.Premium, b.Premium)
		})
}

func sameAmount(a, b decimal.Decimal) bool { return a.Cmp(b) == 0 }
