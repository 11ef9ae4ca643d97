package quote

import (
	"cmp"
	"slices"

	"milepost/domain/accident"
	"milepost/domain/civil"
	"milepost/domain/rating"
)

// AdverseAction is what a notice about a revision has to tell that came out worse because of consumer
// reports: who furnished them, and which entries counted.
type AdverseAction struct {
	Agencies  []accident.Agency
	Incidents []AdverseIncident
}

// AdverseIncident is an entry of a report that counted against the applicant.
type AdverseIncident struct {
	Type accident.Type
	Date civil.Date
}

// AdverseAction gives the agencies and the entries of a revision that owes the customer a notice, nil where
// none is due. The same agency, and an accident that two drivers had together, are named once; the newest
// incident comes first.
func (r Revision) AdverseAction() *AdverseAction {
	if r.Rating == nil || !r.Rating.AdverseActionNotice {
		return nil
	}
	a := &AdverseAction{Agencies: []accident.Agency{}, Incidents: []AdverseIncident{}}
	for _, known := range r.Drivers {
		counted := false
		for _, i := range known.History.Incidents {
			if !r.counted(known.DriverID, i) {
				continue
			}
			counted = true
			if incident := (AdverseIncident{i.Type, i.Date}); !slices.Contains(a.Incidents, incident) {
				a.Incidents = append(a.Incidents, incident)
			}
		}
		if counted && known.Agency != nil && !slices.Contains(a.Agencies, *known.Agency) {
			a.Agencies = append(a.Agencies, *known.Agency)
		}
	}
	slices.SortStableFunc(a.Incidents, func(x, y AdverseIncident) int {
		return cmp.Or(y.Date.Compare(x.Date), cmp.Compare(x.Type, y.Type))
	})
	return a
}

// counted reports whether an entry of a driver's report made the outcome worse: it was charged, or it is
// of a kind that underwriting rules look at, charged or not, and the reports led to a worse outcome.
func (r Revision) counted(driverID string, i accident.Incident) bool {
	for _, d := range r.Rating.Drivers {
		if d.DriverID == driverID && slices.ContainsFunc(d.Charged, func(c rating.Charged) bool { return c.Date == i.Date && c.Type == i.Type }) {
			return true
		}
	}
	changed := r.Rating.DeclaredOnly != nil && r.Rating.DeclaredOnly.Outcome != r.Rating.Outcome
	return changed && slices.Contains(underwritten, i.Type)
}

// underwritten are the types of incident that underwriting rules look at.
var underwritten = []accident.Type{accident.AtFaultAccident, accident.MajorViolation, accident.DUI}
