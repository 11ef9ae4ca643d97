package rating

import (
	"fmt"

	"github.com/govalues/decimal"
)

// Difference is how one price differs from another.
type Difference struct {
	// Total is the second total less the first one.
	Total decimal.Decimal `json:"total"`
	// Coverages are those that differ, in the order of the first price and then of the second.
	Coverages []CoverageDifference `json:"coverages"`
	// Other is what is not of a coverage: fees, the assessment, and the adjustment to the minimum premium. Total is the
	// sum of it and the coverages.
	Other decimal.Decimal `json:"other"`
}

// CoverageDifference is a coverage of a vehicle that was selected differently, or has another premium.
type CoverageDifference struct {
	VehicleID string   `json:"vehicleId"`
	Code      Coverage `json:"code"`
	// Before and After are nil if the vehicle did not, or does not, have the coverage.
	Before *Priced `json:"before,omitempty"`
	After  *Priced `json:"after,omitempty"`
	// Difference is the second premium less the first one.
	Difference decimal.Decimal `json:"difference"`
}

// Priced is a selection with its premium.
type Priced struct {
	Selection Selection       `json:"selection"`
	Premium   decimal.Decimal `json:"premium"`
}

// Compare returns how a price differs from the one before; ok is false if there are not two prices. The error is one of
// the arithmetic, which amounts of a rating do not cause.
func Compare(before, after *Price) (d Difference, ok bool, err error) {
	if before == nil || after == nil {
		return d, false, nil
	}
	d.Coverages = []CoverageDifference{}
	if d.Total, err = after.TotalPremium.Sub(before.TotalPremium); err != nil {
		return d, false, fmt.Errorf("compare totals: %w", err)
	}
	d.Other = d.Total
	was, is := before.priced(), after.priced()
	seen := map[place]bool{}
	for _, at := range append(before.places(), after.places()...) {
		if seen[at] {
			continue
		}
		seen[at] = true
		c := CoverageDifference{VehicleID: at.vehicle, Code: at.coverage, Before: was[at], After: is[at]}
		if c.Before != nil && c.After != nil && c.Before.Selection == c.After.Selection && sameAmount(c.Before.Premium, c.After.Premium) {
			continue
		}
		if c.Difference, err = c.After.amount().Sub(c.Before.amount()); err == nil {
			d.Other, err = d.Other.Sub(c.Difference)
		}
		if err != nil {
			return d, false, fmt.Errorf("compare %s of vehicle %s: %w", at.coverage, at.vehicle, err)
		}
		d.Coverages = append(d.Coverages, c)
	}
	return d, true, nil
}

// amount is the premium, 0.00 without one.
func (p *Priced) amount() decimal.Decimal {
	if p == nil {
		return decimal.MustNew(0, 2)
	}
	return p.Premium
}

// place is a coverage of a vehicle.
type place struct {
	vehicle  string
	coverage Coverage
}

func (p *Price) places() (all []place) {
	for _, v := range p.Vehicles {
		for _, c := range v.Coverages {
			all = append(all, place{v.VehicleID, c.Code})
		}
	}
	return all
}

func (p *Price) priced() map[place]*Priced {
	all := map[place]*Priced{}
	for _, v := range p.Vehicles {
		for _, c := range v.Coverages {
			all[place{v.VehicleID, c.Code}] = &Priced{c.Selection, c.Premium}
		}
	}
	return all
}
