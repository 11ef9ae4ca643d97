package quote

import (
	"time"

	"milepost/domain/rating"
)

// Reason says why a revision was referred or declined, in words for the customer.
type Reason struct {
	Code string `json:"code"`
	Text string `json:"text"`
}

// unanswered has the reason to refer for each lookup without an answer in time.
var unanswered = map[Fact]Reason{
	FactVehicles:        {Code: "VEHICLES_UNANSWERED", Text: "The VIN lookup gave no answer in time"},
	FactAccidentHistory: {Code: "ACCIDENT_HISTORY_UNANSWERED", Text: "The accident history gave no answer in time"},
}

// Reasons are those of the revision's outcome: the underwriting rules that fired, then contradictions, then lookups
// without an answer. There are none before it is rated.
func (r Revision) Reasons() []Reason {
	reasons := []Reason{}
	if r.Rating == nil {
		return reasons
	}
	for _, code := range r.Rating.Reasons {
		reasons = append(reasons, Reason{Code: string(code), Text: rating.Text(r.Rating.RatePlanVersion, code)})
	}
	for _, c := range r.Contradictions {
		reasons = append(reasons, Reason{Code: string(c.Code), Text: c.Text})
	}
	for _, fact := range r.Unanswered {
		reasons = append(reasons, unanswered[fact])
	}
	return reasons
}

// String is specific, for employees: "at-fault accident 31 October 2024".
func (i AdverseIncident) String() string {
	return i.Type.Words() + " " + i.Date.In(time.UTC).Format("2 January 2006")
}
