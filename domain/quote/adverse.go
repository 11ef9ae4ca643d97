package quote

import (
	"cmp"
	"slices"

	"milepost/domain/accident"
	"milepost/domain/civil"
	"milepost/domain/rating"
)

// AdverseAction is what a notice must contain about a revision with a worse outcome because of consumer reports: who
// furnished them, and which entries counted.
type AdverseAction struct {
	Agencies  []accident.Agency
	Incidents []AdverseIncident
}

// AdverseIncident is an entry of a report that counted against the applicant.
type AdverseIncident struct {
	Type accident.Type
	Date civil.Date
}

// AdverseAction returns the agencies and the entries of a revision that owes the customer a notice, nil if none is due.
// They are those of the reports that the rating used: one that came later led to nothing.
// The same agency, and an accident that two drivers had together, are named once; the newest incident comes first.
func (r Revision) AdverseAction() *AdverseAction {
	if r.Rating == nil || !r.Rating.AdverseActionNotice {
		return nil
	}
	r = r.whenRated()
	a := &AdverseAction{Agencies: []accident.Agency{}, Incidents: []AdverseIncident{}}
	for _, known := range r.Drivers {
		_, counted := r.worseLicenses()[known.DriverID]
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

// ReportReason replaces, for the customer, everything that consumer reports say about drivers. Anybody can request a
// quote with another's license; so only the agency tells the driver what is in the report, once they have proved who
// they are.
var ReportReason = Reason{Code: "CONSUMER_REPORT", Text: "The driving record of a driver on the quote, in a consumer report"}

// PrincipalReasons are those of an adverse action as the customer is told them, in words.
func (a AdverseAction) PrincipalReasons() []string { return []string{ReportReason.Text} }

// ReasonsTold are the Reasons as the customer is told them. They follow from what the customer declared and from the
// outcome: those of the declared facts if reports led to no other outcome, otherwise ReportReason and the reasons that
// depend on no report.
func (r Revision) ReasonsTold() []Reason {
	reasons := r.Reasons()
	if r.Rating == nil || !r.ReportsTell() {
		return reasons
	}
	plan, known := rating.Named(r.Rating.RatePlanVersion)
	outcome, declared := r.Rating.Outcome, []rating.Code(nil)
	if known {
		outcome, declared = plan.DeclaredReasons(r.Request.Rating(r.QuoteDate), r.Rating.Reasons)
	}
	told := []Reason{}
	if known && outcome == r.Rating.Outcome {
		for _, code := range declared {
			told = append(told, Reason{Code: string(code), Text: rating.Text(r.Rating.RatePlanVersion, code)})
		}
		return append(told, reasons[len(r.Rating.Reasons):]...)
	}
	if r.Rating.Outcome != rating.Quoted {
		told = append(told, ReportReason)
	}
	return append(told, slices.DeleteFunc(reasons, func(reason Reason) bool { return rating.Code(reason.Code).OfReport() })...)
}

// AsDeclared rates the revision as it was rated, but as if no consumer report contained anything. ok is false if that
// cannot be done: this program does not have the plan, or the personal data is missing.
func (r Revision) AsDeclared() (result rating.Result, ok bool) {
	if r.Rating == nil {
		return result, false
	}
	plan, known := rating.Named(r.Rating.RatePlanVersion)
	if !known {
		return result, false
	}
	then := r.whenRated()
	then.Drivers = slices.Clone(then.Drivers)
	for i := range then.Drivers {
		then.Drivers[i].History.Incidents, then.Drivers[i].LicenseStatus = nil, ""
	}
	result = then.rateWith(plan.Rate)
	return result, result.Outcome != rating.Invalid
}

// worseLicenses are the licenses of rated drivers that are worse in the state's record than was stated, by the ids of
// the drivers.
func (r Revision) worseLicenses() map[string]accident.LicenseStatus {
	worse := map[string]accident.LicenseStatus{}
	for _, d := range r.ratedDrivers() {
		i := slices.IndexFunc(r.Drivers, func(known DriverLookup) bool { return known.DriverID == d.DriverID })
		if i >= 0 && r.Drivers[i].LicenseStatus.WorseThan(d.LicenseStatus) {
			worse[d.DriverID] = r.Drivers[i].LicenseStatus
		}
	}
	return worse
}

// ReportsTell reports whether a consumer report that the rating used contains anything: an incident, or a license worse
// than stated.
func (r Revision) ReportsTell() bool {
	r = r.whenRated()
	return len(r.worseLicenses()) > 0 ||
		slices.ContainsFunc(r.Drivers, func(d DriverLookup) bool { return len(d.History.Incidents) > 0 })
}
