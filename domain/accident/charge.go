package accident

import (
	"cmp"
	"slices"

	"github.com/govalues/decimal"

	"milepost/domain/civil"
)

// Merge returns the incidents of a driver from what the applicant declared and what the agency reported. Only a Hit
// adds anything: its incidents are all kept, and a declared incident is dropped if the report has one of the same day
// and category, because both are the same incident.
func Merge(declared []Incident, history History) []Incident {
	if history.Status != Hit || len(history.Incidents) == 0 {
		return declared
	}
	merged := slices.Clone(history.Incidents)
	for _, d := range declared {
		reported := slices.ContainsFunc(history.Incidents, func(r Incident) bool {
			return r.Date == d.Date && r.Type.category() == d.Type.category()
		})
		if !reported {
			merged = append(merged, d)
		}
	}
	return merged
}

// Window is a range of days, both ends included.
type Window struct {
	From, Through civil.Date
}

// Lookback is the window of the years before the effective date. It ends with the day of the quote:
// what happens between the quote and the effective date is not known yet.
func Lookback(years int, effective, quoted civil.Date) Window {
	return Window{From: effective.AddYears(-years), Through: quoted}
}

// Contains reports whether a day is in the window.
func (w Window) Contains(day civil.Date) bool {
	return !day.Before(w.From) && !day.After(w.Through)
}

// Rules say which incidents are charged in one state under one rate plan.
type Rules struct {
	// LookbackYears has every type of incident that can be charged at all.
	LookbackYears map[Type]int
	// NotChargeable lists types that the plan or the state never charges.
	NotChargeable []Type
	// MinFaultPct is the least share of the fault that makes an accident the driver's.
	MinFaultPct int
	// AccidentThreshold and MajorAmount are exceeded, not reached, by an accident that is charged
	// and by one that is major. Bodily injury makes an accident both.
	AccidentThreshold, MajorAmount decimal.Decimal
	MinorAccidentPoints            int
	MajorAccidentPoints            int
	// Points are those of all other incidents.
	Points map[Type]int
}

// Charge is an incident with the points it is charged.
type Charge struct {
	Incident
	Points int
}

// Record is a driver's incidents as the rules see them.
type Record struct {
	// Merged are all incidents, whether they count or not.
	Merged []Incident
	// Chargeable are those that count before the same-day rule.
	Chargeable []Charge
	// Charged are those that are charged, at most one for each day, in order of their dates.
	Charged []Charge
	// Points is the sum over Charged, before any cap.
	Points int
}

// Record applies the rules to the incidents from Merge.
func (r *Rules) Record(merged []Incident, effective, quoted civil.Date) Record {
	record := Record{Merged: merged}
	for _, incident := range merged {
		if r.chargeable(incident, effective, quoted) {
			record.Chargeable = append(record.Chargeable, Charge{incident, r.points(incident)})
		}
	}
	record.Charged = worstOfEachDay(record.Chargeable)
	for _, charge := range record.Charged {
		record.Points += charge.Points
	}
	return record
}

func (r *Rules) chargeable(i Incident, effective, quoted civil.Date) bool {
	years, ok := r.LookbackYears[i.Type]
	if !ok || slices.Contains(r.NotChargeable, i.Type) || !Lookback(years, effective, quoted).Contains(i.Date) {
		return false
	}
	return i.Type != AtFaultAccident ||
		i.faultPct() >= r.MinFaultPct && (i.BodilyInjury || i.AmountPaid.Cmp(r.AccidentThreshold) > 0)
}

func (r *Rules) points(i Incident) int {
	switch {
	case i.Type != AtFaultAccident:
		return r.Points[i.Type]
	case i.BodilyInjury || i.AmountPaid.Cmp(r.MajorAmount) > 0:
		return r.MajorAccidentPoints
	default:
		return r.MinorAccidentPoints
	}
}

// worstOfEachDay keeps for each day the charge with the most points, on a tie the accident. The further
// ties change no premium; they are broken too, so that the order of the incidents never shows.
func worstOfEachDay(charges []Charge) []Charge {
	kept := slices.Clone(charges)
	slices.SortFunc(kept, func(a, b Charge) int {
		return cmp.Or(
			a.Date.Compare(b.Date),
			cmp.Compare(b.Points, a.Points),
			truthFirst(a.Type == AtFaultAccident, b.Type == AtFaultAccident),
			truthFirst(a.BodilyInjury, b.BodilyInjury),
			cmp.Compare(a.Type, b.Type),
		)
	})
	return slices.CompactFunc(kept, func(a, b Charge) bool { return a.Date == b.Date })
}

func truthFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	default:
		return 1
	}
}
