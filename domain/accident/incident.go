// Package accident is about drivers' records. An Incident is one thing that happened, a History is what a reporting
// agency knows about one driver in the form that rating uses, a Report is the agency's own answer, and Rules say which
// incidents are charged and with how many points.
package accident

import (
	"slices"

	"github.com/govalues/decimal"

	"milepost/domain/civil"
	"milepost/domain/internal/closed"
)

// Type is the kind of an incident.
type Type string

// The types of incident.
const (
	AtFaultAccident    Type = "AT_FAULT_ACCIDENT"
	NotAtFaultAccident Type = "NOT_AT_FAULT_ACCIDENT"
	MinorViolation     Type = "MINOR_VIOLATION"
	SpeedingMajor      Type = "SPEEDING_MAJOR"
	MajorViolation     Type = "MAJOR_VIOLATION"
	DUI                Type = "DUI"
	NonMovingViolation Type = "NON_MOVING_VIOLATION"
	ComprehensiveClaim Type = "COMPREHENSIVE_CLAIM"
	GlassClaim         Type = "GLASS_CLAIM"
	TowingClaim        Type = "TOWING_CLAIM"
	Inquiry            Type = "INQUIRY"
)

var types = []Type{AtFaultAccident, NotAtFaultAccident, MinorViolation, SpeedingMajor, MajorViolation, DUI,
	NonMovingViolation, ComprehensiveClaim, GlassClaim, TowingClaim, Inquiry}

// Types are all types of incident.
func Types() []Type { return slices.Clone(types) }

// Known reports whether t is one of the types of incident.
func (t Type) Known() bool { return slices.Contains(types, t) }

// Words names a type of incident as a letter to a customer would.
func (t Type) Words() string { return words[t] }

var words = map[Type]string{
	AtFaultAccident:    "at-fault accident",
	NotAtFaultAccident: "accident that was not your fault",
	MinorViolation:     "minor traffic violation",
	SpeedingMajor:      "major speeding violation",
	MajorViolation:     "major traffic violation",
	DUI:                "driving under the influence",
	NonMovingViolation: "non-moving violation",
	ComprehensiveClaim: "comprehensive claim",
	GlassClaim:         "glass claim",
	TowingClaim:        "towing claim",
	Inquiry:            "inquiry",
}

// UnmarshalText reads a type of incident and refuses any other text.
func (t *Type) UnmarshalText(text []byte) error { return closed.Parse(t, text, "incident type", types) }

// category says which incidents of one day may be two accounts of the same thing.
type category string

// The categories of incident.
const (
	categoryAccident  category = "ACCIDENT"
	categoryViolation category = "VIOLATION"
	categoryClaim     category = "CLAIM"
	categoryInquiry   category = "INQUIRY"
)

// category returns the category of a type. A type that is not Known has none.
func (t Type) category() category {
	switch t {
	case AtFaultAccident, NotAtFaultAccident:
		return categoryAccident
	case MinorViolation, SpeedingMajor, MajorViolation, DUI, NonMovingViolation:
		return categoryViolation
	case ComprehensiveClaim, GlassClaim, TowingClaim:
		return categoryClaim
	case Inquiry:
		return categoryInquiry
	}
	return ""
}

// Incident is one accident, violation, claim or inquiry of a driver.
type Incident struct {
	Type Type       `json:"type"`
	Date civil.Date `json:"date"`
	// AmountPaid is what insurers paid, in dollars.
	AmountPaid   decimal.Decimal `json:"amountPaid,omitzero"`
	BodilyInjury bool            `json:"bodilyInjury,omitzero"`
	// FaultPct is the driver's share of the fault in percent; nil means 100.
	FaultPct *int `json:"faultPct,omitzero"`
}

func (i Incident) faultPct() int {
	if i.FaultPct == nil {
		return 100
	}
	return *i.FaultPct
}

// HistoryStatus says whether the agency knows the driver.
type HistoryStatus string

// The history statuses. A driver that the agency knows and has nothing against is a Hit with no incidents.
const (
	Hit         HistoryStatus = "HIT"
	NoHit       HistoryStatus = "NO_HIT"
	Unavailable HistoryStatus = "UNAVAILABLE"
)

var historyStatuses = []HistoryStatus{Hit, NoHit, Unavailable}

// UnmarshalText reads a history status and refuses any other text.
func (s *HistoryStatus) UnmarshalText(text []byte) error {
	return closed.Parse(s, text, "history status", historyStatuses)
}

// History is what rating may know about one driver from a reporting agency.
type History struct {
	Status    HistoryStatus `json:"status"`
	Incidents []Incident    `json:"incidents"`
}
