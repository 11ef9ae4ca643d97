package quote

import (
	"fmt"
	"slices"
	"time"

	"milepost/domain/plausible"
	"milepost/domain/rating"
)

// Codes of contradictions between quotes.
const (
	// VINElsewhere is a vehicle that another customer asks a quote for, or has accepted one of.
	VINElsewhere = "C25_VIN_ELSEWHERE"
	// Speed is a driver for whom quotes are asked again and again, each time with a better record.
	Speed = "C34_SPEED"
)

// CodesElsewhere are the codes of all contradictions between quotes.
var CodesElsewhere = []rating.Code{VINElsewhere, Speed}

// How far back other quotes count, and how many of one driver are too many.
const (
	VINElsewhereWithin = 60 * 24 * time.Hour
	SpeedWithin        = 24 * time.Hour
	SpeedQuotes        = 5
)

// Other is another quote that has a Term of this one.
type Other struct {
	Term
	CustomerID  string
	Status      Status
	RequestedAt time.Time
	// Drivers are those of its request, where they are known.
	Drivers []Driver
}

// Elsewhere returns what in a quote contradicts others that have a term of it. No text tells whose they are, or what
// they say.
func Elsewhere(q Quote, others []Other, at time.Time) []plausible.Finding {
	var found []plausible.Finding
	for i, v := range q.Request.Vehicles {
		t, ok := NewTerm(TermVIN, v.VIN)
		if ok && slices.ContainsFunc(others, func(o Other) bool {
			return o.Term == t && o.CustomerID != q.CustomerID && (o.Status.Open() || o.Status == StatusAccepted) && at.Sub(o.RequestedAt) <= VINElsewhereWithin
		}) {
			found = append(found, plausible.Finding{
				Code: VINElsewhere, Pointer: fmt.Sprintf("/vehicles/%d/vin", i), Text: "A vehicle with this VIN is on another quote",
			})
		}
	}
	for i, d := range q.Request.Drivers {
		if t, ok := NewTerm(TermLicense, d.LicenseNumber); ok && tooFast(d, t, others, at) {
			found = append(found, plausible.Finding{
				Code: Speed, Pointer: fmt.Sprintf("/drivers/%d", i),
				Text: "Several quotes were asked for this driver within a day, and what is stated about the driver is not the same in all",
			})
		}
	}
	return found
}

// tooFast reports whether a driver has so many quotes within a day, this one among them, and another of them states
// more incidents or other dates.
func tooFast(d Driver, t Term, others []Other, at time.Time) bool {
	quotes, differs := 1, false
	for _, o := range others {
		if o.Term != t || at.Sub(o.RequestedAt) > SpeedWithin {
			continue
		}
		quotes++
		for _, before := range o.Drivers {
			if same, ok := NewTerm(TermLicense, before.LicenseNumber); !ok || same != t {
				continue
			}
			differs = differs || len(before.Incidents) > len(d.Incidents) || before.DateOfBirth != d.DateOfBirth ||
				before.LicensedDate != d.LicensedDate
		}
	}
	return quotes >= SpeedQuotes && differs
}
