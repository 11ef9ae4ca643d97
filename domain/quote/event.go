// Package quote is the aggregate behind one auto insurance quote: the commands that may be given
// to it, the events that record what happened, and two pure functions. Decide turns a command on
// a Quote into events, or refuses it; Evolve folds an event into the Quote.
//
// Nothing here reads a clock, makes an identifier or talks to anybody: times, ids and what the
// outside providers answered arrive inside the commands.
package quote

import (
	"time"

	"milepost/domain/accident"
	"milepost/domain/civil"
	"milepost/domain/plausible"
	"milepost/domain/rating"

	"github.com/govalues/decimal"
)

// Event is a fact about a quote. The types below are all there are.
type Event interface {
	// EventType is the literal name under which the event is stored and announced.
	EventType() string
	isEvent()
}

// QuoteRequested: a customer asked for a price. It opens a quote, at revision 1.
type QuoteRequested struct {
	QuoteID    string     `json:"quoteId"`
	Revision   int        `json:"revision"`
	CustomerID string     `json:"customerId"`
	QuoteDate  civil.Date `json:"quoteDate"`
	Request    Request    `json:"request"`
}

// VehiclesIdentified: the VINs of a revision were looked up. There is one entry for each vehicle
// of the request that was not known from an earlier revision, even if nobody could answer; or for those that were
// asked for again.
type VehiclesIdentified struct {
	QuoteID  string          `json:"quoteId"`
	Revision int             `json:"revision"`
	Vehicles []VehicleLookup `json:"vehicles"`
	Answers  []Answer        `json:"answers"`
}

// AccidentHistoryRetrieved: the histories of a revision's rated drivers were ordered. There is one entry
// for each rated driver who was not known from an earlier revision, even if nobody could answer; or for those who
// were asked for again. Where the revision was amended by then, the reports are of no use any more.
type AccidentHistoryRetrieved struct {
	QuoteID  string         `json:"quoteId"`
	Revision int            `json:"revision"`
	Drivers  []DriverLookup `json:"drivers"`
	Answers  []Answer       `json:"answers"`
}

// QuoteOffered: a revision has a price that the customer can be shown.
type QuoteOffered struct {
	QuoteID  string        `json:"quoteId"`
	Revision int           `json:"revision"`
	Rating   rating.Result `json:"rating"`
}

// QuoteReferred: an underwriter has to decide on a revision; its price is indicative.
type QuoteReferred struct {
	QuoteID  string        `json:"quoteId"`
	Revision int           `json:"revision"`
	Rating   rating.Result `json:"rating"`
	// Contradictions are facts that contradict each other, the decoded vehicle, or another quote; each is a reason
	// to refer.
	Contradictions []plausible.Finding `json:"contradictions,omitempty"`
	// Unanswered names the lookups that gave no answer in time, or none that can be kept; each is a reason to refer.
	Unanswered []Fact `json:"unanswered,omitempty"`
}

// QuoteDeclined: a revision gets no offer.
type QuoteDeclined struct {
	QuoteID  string        `json:"quoteId"`
	Revision int           `json:"revision"`
	Rating   rating.Result `json:"rating"`
}

// QuoteAmended: the customer changed the request. It opens a new revision; the one before it can still
// be read. What is known of vehicles and drivers that stayed the same stays known.
type QuoteAmended struct {
	QuoteID   string     `json:"quoteId"`
	Revision  int        `json:"revision"`
	QuoteDate civil.Date `json:"quoteDate"`
	Request   Request    `json:"request"`
}

// QuoteAccepted: the customer took the offer of a revision.
type QuoteAccepted struct {
	QuoteID  string `json:"quoteId"`
	Revision int    `json:"revision"`
}

// QuoteWithdrawn: the customer gave the quote up.
type QuoteWithdrawn struct {
	QuoteID string `json:"quoteId"`
	// Reason is the customer's own word, "" when there was none.
	Reason string `json:"reason,omitempty"`
}

// QuoteExpired: the last day on which the quote could be accepted has passed.
type QuoteExpired struct {
	QuoteID   string     `json:"quoteId"`
	Revision  int        `json:"revision"`
	ExpiresOn civil.Date `json:"expiresOn"`
}

// ReferralApproved: an underwriter lets a referred revision be offered at its indicative price.
type ReferralApproved struct {
	QuoteID  string   `json:"quoteId"`
	Revision int      `json:"revision"`
	Decision Decision `json:"decision"`
}

// ReferralDeclined: an underwriter declined a referred revision.
type ReferralDeclined struct {
	QuoteID  string   `json:"quoteId"`
	Revision int      `json:"revision"`
	Decision Decision `json:"decision"`
}

// EventReversed: an event that should not have been was undone. The quote is what the other events make of
// it; the event stays in the log.
type EventReversed struct {
	QuoteID string `json:"quoteId"`
	// Version, EventID and Type are those of the event that was undone.
	Version    int    `json:"version"`
	EventID    string `json:"eventId"`
	Type       string `json:"eventType"`
	ReasonCode string `json:"reasonCode"`
	Text       string `json:"text"`
	// By is who undid it: the subject of the employee's token.
	By string `json:"by"`
}

// PersonalDataErased: the key of the customer was erased, and with it what the quote's events say about persons.
// An open quote ends with it.
type PersonalDataErased struct {
	QuoteID string `json:"quoteId"`
	Erasure
}

// Erasure says when personal data were erased, by whom and why.
type Erasure struct {
	At time.Time `json:"erasedAt"`
	// By is who erased them, ReasonCode why. Neither tells of the customer.
	By         string `json:"by"`
	ReasonCode string `json:"reasonCode"`
}

// QuoteCorrected: the program had rated a revision wrongly, and a right one comes to another answer. A revision
// that was accepted is still what was accepted; the event is there for an underwriter then.
type QuoteCorrected struct {
	QuoteID  string `json:"quoteId"`
	Revision int    `json:"revision"`
	// CorrectedOn is the day of the correction, which enters no price.
	CorrectedOn civil.Date `json:"correctedOn"`
	// Why and by whom stands beside the other members in JSON.
	Mandate
	// Outcome is what the revision comes to: that of the Rating, unless a lookup that gave no answer refers it.
	Outcome rating.Outcome `json:"outcome"`
	Rating  rating.Result  `json:"rating"`
	// Previous is what had been told.
	Previous Answered `json:"previous"`
	// Difference is the new total less the previous one, nil unless both have a price.
	Difference *decimal.Decimal `json:"difference,omitempty"`
}

// Mandate says why quotes are corrected, and by whom.
type Mandate struct {
	// CorrectionID is the same for all quotes of one correction.
	CorrectionID string `json:"correctionId"`
	ReasonCode   string `json:"reasonCode"`
	Text         string `json:"text"`
	// Ticket is where the fault is described, "" where that is nowhere.
	Ticket string `json:"ticket,omitempty"`
	// By is the operator.
	By string `json:"by"`
	// Engine is the version of the program that rated it again.
	Engine string `json:"engine"`
}

// Answered is what a customer was told of a revision.
type Answered struct {
	Outcome rating.Outcome `json:"outcome"`
	// TotalPremium is nil where there was no price.
	TotalPremium *decimal.Decimal `json:"totalPremium,omitempty"`
}

// Decision is an underwriter's, as the audit record needs it.
type Decision struct {
	// Underwriter is who decided: the subject of the employee's token.
	Underwriter string `json:"underwriter"`
	// ReasonCode is one of the codes that underwriting uses, such as "LOSS_FREE_SINCE".
	ReasonCode string `json:"reasonCode"`
	Text       string `json:"text"`
}

// VehicleLookup is what is known about one vehicle.
type VehicleLookup struct {
	VehicleID string             `json:"vehicleId"`
	Fact      rating.VehicleFact `json:"fact"`
	// Retryable is set if asking again may bring more.
	Retryable bool `json:"retryable,omitempty"`
	// TooLarge is set if the fact is unavailable because the reply was TooLarge.
	TooLarge bool `json:"tooLarge,omitempty"`
}

// DriverLookup is what is known about one driver's accidents.
type DriverLookup struct {
	DriverID string `json:"driverId"`
	// The history to rate with, and what in it is still open, stand beside the other members in JSON.
	accident.Assessment
	// ReportID and Agency identify the report, as a notice to the customer must; without a report
	// they are "" and nil.
	ReportID string           `json:"reportId,omitempty"`
	Agency   *accident.Agency `json:"agency,omitempty"`
	// Retryable is set if asking again may bring more.
	Retryable bool `json:"retryable,omitempty"`
	// TooLarge is set if the history is unavailable because the reply was TooLarge.
	TooLarge bool `json:"tooLarge,omitempty"`
}

// Answer is one answer of a provider, as it was received, or the reason why there is none. It is
// kept so that nobody ever has to ask again, beside what was made of it: the quote is folded without.
type Answer struct {
	// Subjects are the ids of the vehicles or drivers that it is about.
	Subjects []string `json:"subjects"`
	// Provider names who was asked, for instance "embedded", "vpic" or "accident-history".
	Provider string    `json:"provider"`
	AskedAt  time.Time `json:"askedAt"`
	// Millis is how long the answer took, all attempts together.
	Millis   int64 `json:"millis"`
	Attempts int   `json:"attempts"`
	// RequestHash proves what was asked: "sha256:" and the hash of the body that was sent.
	RequestHash string `json:"requestHash,omitempty"`
	// Status is the HTTP status of the last reply, 0 when there was none.
	Status int `json:"status,omitempty"`
	// Unavailable is the reason why the provider gave no usable answer; "" when it did.
	Unavailable string `json:"unavailable,omitempty"`
	// Reply is the provider's reply, word for word. One that cannot be kept, because it is too large or no text, has
	// the ReplyHash alone: "sha256:" and its hash, if it was read to its end.
	Reply     string `json:"reply,omitempty"`
	ReplyHash string `json:"replyHash,omitempty"`
}

// TooLarge is why there is no usable answer if its reply is larger than what the log can keep. An underwriter decides
// then.
const TooLarge = "TOO_LARGE"

// Fact names one thing that a revision waits for before it can be rated.
type Fact string

// The facts of a revision.
const (
	FactVehicles        Fact = "VEHICLES"
	FactAccidentHistory Fact = "ACCIDENT_HISTORY"
)

// facts are in the order in which they are named.
var facts = []Fact{FactAccidentHistory, FactVehicles}

// The literal names of the events. They stand in stored data and never change.
const (
	TypeQuoteRequested           = "QuoteRequested"
	TypeVehiclesIdentified       = "VehiclesIdentified"
	TypeAccidentHistoryRetrieved = "AccidentHistoryRetrieved"
	TypeQuoteOffered             = "QuoteOffered"
	TypeQuoteReferred            = "QuoteReferred"
	TypeQuoteDeclined            = "QuoteDeclined"
	TypeQuoteAmended             = "QuoteAmended"
	TypeQuoteAccepted            = "QuoteAccepted"
	TypeQuoteWithdrawn           = "QuoteWithdrawn"
	TypeQuoteExpired             = "QuoteExpired"
	TypeReferralApproved         = "ReferralApproved"
	TypeReferralDeclined         = "ReferralDeclined"
	TypeEventReversed            = "EventReversed"
	TypePersonalDataErased       = "PersonalDataErased"
	TypeQuoteCorrected           = "QuoteCorrected"
	TypeLookupsRequested         = "LookupsRequested"
	TypeConditionWaived          = "ConditionWaived"
	TypePhoneConfirmed           = "PhoneConfirmed"
)

func (QuoteRequested) EventType() string           { return TypeQuoteRequested }
func (VehiclesIdentified) EventType() string       { return TypeVehiclesIdentified }
func (AccidentHistoryRetrieved) EventType() string { return TypeAccidentHistoryRetrieved }
func (QuoteOffered) EventType() string             { return TypeQuoteOffered }
func (QuoteReferred) EventType() string            { return TypeQuoteReferred }
func (QuoteDeclined) EventType() string            { return TypeQuoteDeclined }
func (QuoteAmended) EventType() string             { return TypeQuoteAmended }
func (QuoteAccepted) EventType() string            { return TypeQuoteAccepted }
func (QuoteWithdrawn) EventType() string           { return TypeQuoteWithdrawn }
func (QuoteExpired) EventType() string             { return TypeQuoteExpired }
func (ReferralApproved) EventType() string         { return TypeReferralApproved }
func (ReferralDeclined) EventType() string         { return TypeReferralDeclined }
func (EventReversed) EventType() string            { return TypeEventReversed }
func (PersonalDataErased) EventType() string       { return TypePersonalDataErased }
func (QuoteCorrected) EventType() string           { return TypeQuoteCorrected }
func (LookupsRequested) EventType() string         { return TypeLookupsRequested }
func (ConditionWaived) EventType() string          { return TypeConditionWaived }
func (PhoneConfirmed) EventType() string           { return TypePhoneConfirmed }

func (QuoteRequested) isEvent()           {}
func (VehiclesIdentified) isEvent()       {}
func (AccidentHistoryRetrieved) isEvent() {}
func (QuoteOffered) isEvent()             {}
func (QuoteReferred) isEvent()            {}
func (QuoteDeclined) isEvent()            {}
func (QuoteAmended) isEvent()             {}
func (QuoteAccepted) isEvent()            {}
func (QuoteWithdrawn) isEvent()           {}
func (QuoteExpired) isEvent()             {}
func (ReferralApproved) isEvent()         {}
func (ReferralDeclined) isEvent()         {}
func (EventReversed) isEvent()            {}
func (PersonalDataErased) isEvent()       {}
func (QuoteCorrected) isEvent()           {}
func (LookupsRequested) isEvent()         {}
func (ConditionWaived) isEvent()          {}
func (PhoneConfirmed) isEvent()           {}
