package bureau

import (
	"slices"
	"time"
)

// report is an answer about one subject.
type report struct {
	ReportID      string            `json:"reportId"`
	RequestID     string            `json:"requestId"`
	Status        string            `json:"status"`
	AsOf          time.Time         `json:"asOf"`
	Agency        agency            `json:"agency"`
	Products      map[string]string `json:"products"`
	LicenseStatus string            `json:"licenseStatus,omitempty"`
	Incidents     []Incident        `json:"incidents"`
}

type agency struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	Phone   string `json:"phone"`
}

var self = agency{Name: "Example Reports Inc.", Address: "PO Box 1, Springfield OH 45501", Phone: "800-555-0100"}

// oneClaim is what the license numbers with a partial report have in their claims.
func oneClaim(asOf time.Time) []Incident {
	full := 100
	return []Incident{{IncidentID: "c-9001", Source: "CLAIMS", Type: "AT_FAULT_ACCIDENT", Date: asOf.AddDate(-1, 0, 0).Format(time.DateOnly),
		AmountPaid: "2750.00", FaultPct: &full, ClaimStatus: "CLOSED", CoverageCodes: []string{"PD", "COLL"}, MatchConfidence: "HIGH"}}
}

// report makes the report about the subject of a request. It depends on nothing but its arguments.
func (b *Bureau) report(id string, asOf time.Time, req *request) *report {
	r := &report{ReportID: id, RequestID: req.RequestID, Status: "HIT", AsOf: asOf.Truncate(time.Second), Agency: self,
		Products: map[string]string{}, LicenseStatus: "VALID"}
	claims, mvr := "HIT", "HIT"
	switch req.Subject.License.Number {
	case "CLEAR001", "LIMITED1", "FLAKY503", "SLOW0010":
	case "NOHIT001":
		claims, mvr = "NO_HIT", "NO_HIT"
	case "PARTIAL0":
		claims, mvr = "UNAVAILABLE", "UNAVAILABLE"
	case "PARTIAL1":
		mvr, r.Incidents = "UNAVAILABLE", oneClaim(asOf)
	case "PENDING1":
		mvr, r.Incidents = "PENDING", oneClaim(asOf)
	default:
		if p, known := b.find(req.Subject); known {
			r.LicenseStatus, r.Incidents = p.LicenseStatus, slices.Clone(p.Incidents)
		} else {
			claims, mvr = "NO_HIT", "NO_HIT"
		}
	}
	for _, product := range req.Products {
		r.Products[product] = map[string]string{"CLAIMS": claims, "MVR": mvr}[product]
	}
	if r.Products["MVR"] != "HIT" {
		r.LicenseStatus = "" // it comes from the state's record
	}
	r.Status = overall(r.Products)
	oldest := asOf.AddDate(-req.LookbackYears, 0, 0).Format(time.DateOnly)
	r.Incidents = slices.DeleteFunc(r.Incidents, func(i Incident) bool { return r.Products[i.Source] != "HIT" || i.Date < oldest })
	slices.SortFunc(r.Incidents, byDate)
	if r.Incidents == nil {
		r.Incidents = []Incident{}
	}
	return r
}

// overall is the status of a report whose products answered so.
func overall(products map[string]string) string {
	status := "NO_HIT"
	for _, s := range products {
		switch s {
		case "UNAVAILABLE", "PENDING":
			return "PARTIAL"
		case "HIT":
			status = "HIT"
		}
	}
	return status
}

func (b *Bureau) find(s subject) (Person, bool) {
	for _, p := range b.people[s.License] {
		if p.DateOfBirth == s.DateOfBirth {
			return p, true
		}
	}
	return Person{}, false
}
