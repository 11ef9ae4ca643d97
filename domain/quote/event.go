// Package quote is the aggregate behind one auto insurance quote: its commands, the events that record what happened,
// and two pure functions. Decide turns a command on a Quote into events, or refuses it; Evolve folds an event into the
// Quote.
//
// Nothing here reads a clock, makes an identifier or talks to anybody: times, ids and what the
// outside providers answered arrive inside the commands.
package quote

import (
	"cmp"
	"slices"
	"time"

	"github.com/govalues/decimal"

	"milepost/domain/accident"
	"milepost/domain/civil"
	"milepost/domain/plausible"
	"milepost/domain/rating"
)

// Event is a fact about a quote. The catalogue has all there are.
//
//sumtype:decl
type Event interface {
	// EventType is the literal name under which the event is stored and announced.
	EventType() string
	// apply folds the event into a quote, whose Version is that of the event. It only copies facts, so it cannot fail.
	apply(*Quote)
	// restsOn returns the versions of the events on which this one rests if it is the next of a quote. What customers
	// and underwriters did rests on what they were shown; an outcome rests on everything that was rated. A withdrawal
	// is about the whole quote and rests on no part of it.
	restsOn(*Quote) []int
}

// QuoteRequested records that a customer requested a price. It opens a quote, at revision 1.
type QuoteRequested struct {
	QuoteID    string     `json:"quoteId"`
	Revision   int        `json:"revision"`
	CustomerID string     `json:"customerId"`
	QuoteDate  civil.Date `json:"quoteDate"`
	Request    Request    `json:"request"`
}

func (QuoteRequested) EventType() string { return TypeQuoteRequested }

func (e QuoteRequested) apply(q *Quote) {
	q.ID, q.CustomerID, q.Status, q.Revisions = e.QuoteID, e.CustomerID, StatusRequested, e.Revision
	q.Revision = Revision{Number: e.Revision, QuoteDate: e.QuoteDate, Request: e.Request, Grounds: Grounds{Opened: q.Version}}
}

func (QuoteRequested) restsOn(_ *Quote) []int { return nil }

// VehiclesIdentified records that the VINs of a revision were looked up. There is one entry for each vehicle of the
// request that was not known from an earlier revision, even without an answer, or for those that were requested again.
type VehiclesIdentified struct {
	QuoteID  string          `json:"quoteId"`
	Revision int             `json:"revision"`
	Vehicles []VehicleLookup `json:"vehicles"`
	Answers  []Answer        `json:"answers"`
}

func (VehiclesIdentified) EventType() string { return TypeVehiclesIdentified }

func (e VehiclesIdentified) apply(q *Quote) {
	q.Vehicles = learn(q.Vehicles, e.Vehicles, q.Status.IsOpen())
	q.Grounds.Vehicles = append(slices.Clip(q.Grounds.Vehicles), q.Version)
	q.Asking.Vehicles = false
}

func (VehiclesIdentified) restsOn(q *Quote) []int { return []int{q.Grounds.Opened} }

// AccidentHistoryRetrieved records that the histories of a revision's rated drivers were ordered. There is one entry
// for each rated driver who was not known from an earlier revision, even without an answer, or for those who were
// requested again. If the revision was amended by then, the reports are no longer of use.
type AccidentHistoryRetrieved struct {
	QuoteID  string         `json:"quoteId"`
	Revision int            `json:"revision"`
	Drivers  []DriverLookup `json:"drivers"`
	Answers  []Answer       `json:"answers"`
}

func (AccidentHistoryRetrieved) EventType() string { return TypeAccidentHistoryRetrieved }

func (e AccidentHistoryRetrieved) apply(q *Quote) {
	if e.Revision != q.Number {
		return
	}
	q.Drivers = learn(q.Drivers, e.Drivers, q.Status.IsOpen())
	q.Grounds.Drivers = append(slices.Clip(q.Grounds.Drivers), q.Version)
	q.Asking.Drivers = false
}

func (e AccidentHistoryRetrieved) restsOn(q *Quote) []int {
	if e.Revision != q.Number {
		return nil // it came too late for the revision that it is about
	}
	return []int{q.Grounds.Opened}
}

// QuoteOffered records that a revision has a price that the customer can be shown.
type QuoteOffered struct {
	QuoteID  string        `json:"quoteId"`
	Revision int           `json:"revision"`
	Rating   rating.Result `json:"rating"`
}

func (QuoteOffered) EventType() string { return TypeQuoteOffered }

func (e QuoteOffered) apply(q *Quote) { q.rated(StatusQuoted, &e.Rating, nil) }

func (QuoteOffered) restsOn(q *Quote) []int { return q.Grounds.rated() }

// QuoteReferred records that an underwriter has to decide on a revision; its price is indicative.
type QuoteReferred struct {
	QuoteID  string        `json:"quoteId"`
	Revision int           `json:"revision"`
	Rating   rating.Result `json:"rating"`
	// Contradictions are facts that contradict each other, the decoded vehicle, or another quote; each is a reason
	// to refer.
	Contradictions []plausible.Finding `json:"contradictions,omitempty"`
	// Unanswered names the lookups without an answer in time, or without one that can be stored; each is a reason to
	// refer.
	Unanswered []Fact `json:"unanswered,omitempty"`
}

func (QuoteReferred) EventType() string { return TypeQuoteReferred }

func (e QuoteReferred) apply(q *Quote) {
	q.rated(StatusReferred, &e.Rating, e.Unanswered, e.Contradictions...)
}

func (QuoteReferred) restsOn(q *Quote) []int { return q.Grounds.rated() }

// QuoteDeclined records that a revision gets no offer.
type QuoteDeclined struct {
	QuoteID  string        `json:"quoteId"`
	Revision int           `json:"revision"`
	Rating   rating.Result `json:"rating"`
}

func (QuoteDeclined) EventType() string { return TypeQuoteDeclined }

func (e QuoteDeclined) apply(q *Quote) { q.rated(StatusDeclined, &e.Rating, nil) }

func (QuoteDeclined) restsOn(q *Quote) []int { return q.Grounds.rated() }

// QuoteAmended records that the customer changed the request. It opens a new revision; the one before it can still be
// read. What is known about vehicles and drivers that stayed the same stays known.
type QuoteAmended struct {
	QuoteID   string     `json:"quoteId"`
	Revision  int        `json:"revision"`
	QuoteDate civil.Date `json:"quoteDate"`
	Request   Request    `json:"request"`
}

func (QuoteAmended) EventType() string { return TypeQuoteAmended }

func (e QuoteAmended) apply(q *Quote) { q.amend(e) }

func (QuoteAmended) restsOn(q *Quote) []int { return []int{q.Grounds.Opened} }

// QuoteAccepted records that the customer took the offer of a revision.
type QuoteAccepted struct {
	QuoteID  string `json:"quoteId"`
	Revision int    `json:"revision"`
	// Rejections are what the customer signed to go without coverages that the state wants rejected in writing.
	Rejections []SignedRejection `json:"rejections,omitempty"`
}

func (QuoteAccepted) EventType() string { return TypeQuoteAccepted }

func (e QuoteAccepted) apply(q *Quote) { q.Status, q.Rejections = StatusAccepted, e.Rejections }

func (QuoteAccepted) restsOn(q *Quote) []int {
	on := append([]int{q.Grounds.Outcome}, q.Grounds.Waivers...)
	if d := q.Grounds.Decision; d > 0 && d != q.Grounds.Outcome {
		on = append(on, d)
	}
	return on
}

// QuoteWithdrawn records that the customer withdrew the quote.
type QuoteWithdrawn struct {
	QuoteID string `json:"quoteId"`
	// Reason is in the customer's own words, "" if there was none.
	Reason string `json:"reason,omitempty"`
}

func (QuoteWithdrawn) EventType() string { return TypeQuoteWithdrawn }

func (QuoteWithdrawn) apply(q *Quote) { q.Status = StatusWithdrawn }

func (QuoteWithdrawn) restsOn(_ *Quote) []int { return nil }

// QuoteExpired records that the last day on which the quote could be accepted has passed.
type QuoteExpired struct {
	QuoteID   string     `json:"quoteId"`
	Revision  int        `json:"revision"`
	ExpiresOn civil.Date `json:"expiresOn"`
}

func (QuoteExpired) EventType() string { return TypeQuoteExpired }

func (QuoteExpired) apply(q *Quote) { q.Status = StatusExpired }

func (QuoteExpired) restsOn(q *Quote) []int {
	return []int{cmp.Or(q.Grounds.Outcome, q.Grounds.Opened)}
}

// ReferralApproved records that an underwriter lets a referred revision be offered at its indicative price.
type ReferralApproved struct {
	QuoteID  string   `json:"quoteId"`
	Revision int      `json:"revision"`
	Decision Decision `json:"decision"`
}

func (ReferralApproved) EventType() string { return TypeReferralApproved }

func (e ReferralApproved) apply(q *Quote) { q.decided(StatusQuoted, &e.Decision) }

func (ReferralApproved) restsOn(q *Quote) []int { return []int{q.Grounds.Outcome} }

// ReferralDeclined records that an underwriter declined a referred revision.
type ReferralDeclined struct {
	QuoteID  string   `json:"quoteId"`
	Revision int      `json:"revision"`
	Decision Decision `json:"decision"`
}

func (ReferralDeclined) EventType() string { return TypeReferralDeclined }

func (e ReferralDeclined) apply(q *Quote) { q.decided(StatusDeclined, &e.Decision) }

func (ReferralDeclined) restsOn(q *Quote) []int { return []int{q.Grounds.Outcome} }

// EventReversed records that a wrong event was undone. The quote follows from the other events; the undone one stays in
// the log.
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

func (EventReversed) EventType() string { return TypeEventReversed }

func (EventReversed) apply(q *Quote) { q.Reversal = q.Version }

func (EventReversed) restsOn(_ *Quote) []int { return nil }

// PersonalDataErased records that the key of the customer was erased, and with it the personal data in the quote's
// events. An open quote ends with it.
type PersonalDataErased struct {
	QuoteID string `json:"quoteId"`
	Erasure
}

func (PersonalDataErased) EventType() string { return TypePersonalDataErased }

func (e PersonalDataErased) apply(q *Quote) {
	q.Erasure = &e.Erasure
	if q.Status.IsOpen() {
		q.Status = StatusWithdrawn
	}
}

func (PersonalDataErased) restsOn(_ *Quote) []int { return nil }

// Erasure says when personal data were erased, by whom and why.
type Erasure struct {
	At time.Time `json:"erasedAt"`
	// By is who erased them, ReasonCode why. Neither says anything about the customer.
	By string `json:"by"`
	// RequestedBy is who asked for the erasure that By confirmed, "" if one person did both.
	RequestedBy string `json:"requestedBy,omitempty"`
	ReasonCode  string `json:"reasonCode"`
}

// QuoteCorrected records that the program had rated a revision wrongly, and that the right rating has another result.
// An accepted revision stays as accepted; the event is then for an underwriter.
type QuoteCorrected struct {
	QuoteID  string `json:"quoteId"`
	Revision int    `json:"revision"`
	// CorrectedOn is the day of the correction, which enters no price.
	CorrectedOn civil.Date `json:"correctedOn"`
	// The reason and the author are beside the other members in JSON.
	Mandate
	// Outcome is the revision's: that of the Rating, unless a lookup without an answer refers it.
	Outcome rating.Outcome `json:"outcome"`
	Rating  rating.Result  `json:"rating"`
	// Previous is what the customer had been told.
	Previous Answered `json:"previous"`
	// Difference is the new total less the previous one, nil unless both have a price.
	Difference *decimal.Decimal `json:"difference,omitempty"`
}

func (QuoteCorrected) EventType() string { return TypeQuoteCorrected }

func (e QuoteCorrected) apply(q *Quote) { q.correct(e) }

func (QuoteCorrected) restsOn(q *Quote) []int { return []int{q.Grounds.Outcome} }

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

// Answered is what a customer was told about a revision.
type Answered struct {
	Outcome rating.Outcome `json:"outcome"`
	// TotalPremium is nil if there was no price.
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
	// Retryable is set if asking again may return more.
	Retryable bool `json:"retryable,omitempty"`
	// TooLarge is set if the fact is unavailable because the reply was TooLarge.
	TooLarge bool `json:"tooLarge,omitempty"`
}

// DriverLookup is what is known about one driver's accidents.
type DriverLookup struct {
	DriverID string `json:"driverId"`
	// The history to rate with, and what in it is still open, are beside the other members in JSON.
	accident.Assessment
	// ReportID and Agency identify the report, as a notice to the customer must; without a report
	// they are "" and nil.
	ReportID string           `json:"reportId,omitempty"`
	Agency   *accident.Agency `json:"agency,omitempty"`
	// Retryable is set if asking again may return more.
	Retryable bool `json:"retryable,omitempty"`
	// TooLarge is set if the history is unavailable because the reply was TooLarge.
	TooLarge bool `json:"tooLarge,omitempty"`
}

// Answer is one answer of a provider, as it was received, or the reason why there is none. It is kept, beside the facts
// derived from it, so that it never has to be requested again: the fold does not use it.
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
	// Status is the HTTP status of the last reply, 0 if there was none.
	Status int `json:"status,omitempty"`
	// Unavailable is the reason why the provider had no usable answer; "" if it had one.
	Unavailable string `json:"unavailable,omitempty"`
	// Reply is the provider's reply, word for word. One that cannot be kept, because it is too large or no text, has
	// the ReplyHash alone: "sha256:" and its hash, if it was read to its end.
	Reply     string `json:"reply,omitempty"`
	ReplyHash string `json:"replyHash,omitempty"`
}

// TooLarge means that the reply is larger than what the log can store. An underwriter decides then.
const TooLarge = "TOO_LARGE"

// Fact names one thing that a revision waits for before it can be rated.
type Fact string

// The facts of a revision.
const (
	FactVehicles        Fact = "VEHICLES"
	FactAccidentHistory Fact = "ACCIDENT_HISTORY"
)

// facts are in their fixed order.
var facts = []Fact{FactAccidentHistory, FactVehicles}
