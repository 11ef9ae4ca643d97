package quote

import (
	"fmt"
	"strings"

	"milepost/domain/civil"
	"milepost/domain/plausible"
	"milepost/domain/rating"
)

// Command is a wish about a quote. Decide grants it with events or refuses it with an error.
//
//sumtype:decl
type Command interface {
	// decide is Decide for what every command may be refused for.
	decide(q Quote) ([]Event, error)
}

// SubmitQuote requests a price.
type SubmitQuote struct {
	QuoteID    string
	CustomerID string
	QuoteDate  civil.Date
	Request    Request
}

// RecordVehicles has what the VIN lookup found, and the providers' answers, for each subject in the order of the
// requests. Both must cover every vehicle of the revision that nothing is known about.
type RecordVehicles struct {
	Revision int
	Vehicles []VehicleLookup
	Answers  []Answer
}

// RecordAccidentHistory has what the accident history provider said, in the same form. Both must cover every rated
// driver of the revision about whom nothing is known. What they say about a driver with an incomplete history may lead
// to another price.
type RecordAccidentHistory struct {
	Revision int
	Drivers  []DriverLookup
	Answers  []Answer
}

// AmendQuote changes the request of an open quote. The quote date is the day of the change, in the time zone of the
// risk's new place.
type AmendQuote struct {
	QuoteDate civil.Date
	// On is the day where the risk was before the change. Left out it is the quote date: the risk stays in its state.
	On      civil.Date
	Request Request
}

// AcceptQuote accepts the offer of a revision. On is the day on which the customer does so.
type AcceptQuote struct {
	Revision int
	On       civil.Date
	// Rejections are those that the offer needs, in any order, and BySigner says that the customer sends them.
	Rejections []SignedRejection
	BySigner   bool
}

// WithdrawQuote closes an open quote.
type WithdrawQuote struct {
	Reason string
	On     civil.Date
}

// ExpireQuote notes that an open quote has expired, if by On it has.
type ExpireQuote struct{ On civil.Date }

// DecideReferral is an underwriter's decision on a referred revision.
type DecideReferral struct {
	Revision int
	Approve  bool
	Decision Decision
	On       civil.Date
}

// RateQuote requests the outcome of a revision from the known facts. Lookups that have not answered are named in
// Unanswered: their facts count as unavailable and the quote is referred.
type RateQuote struct {
	Revision int
	// Reversal is that of the quote when the wait for its facts began. If something was undone since, another wait has
	// begun, and this one has no effect.
	Reversal   int
	Unanswered []Fact
	// Elsewhere are contradictions with other quotes, which the sender has searched for.
	Elsewhere []plausible.Finding
}

// ReverseEvent undoes events that should not have been: one, and with it those that rest on it.
type ReverseEvent struct {
	Events     []EventRef
	ReasonCode string
	Text       string
	// By is who undoes them: the subject of the employee's token.
	By string
}

// RecordErasure notes that the personal data of the quote were erased.
type RecordErasure struct{ Erasure }

// EventRef names one event of a quote.
type EventRef struct {
	Version int
	ID      string
}

// CorrectQuote rates a revision again, as of its own day and from the facts with which it was rated, after a fault in
// the program was fixed.
type CorrectQuote struct {
	Revision int
	// Plan is the version of the rate plan to use, "" for the one that is right for the quote.
	Plan    string
	Mandate Mandate
	On      civil.Date
}

// InvalidRequest refuses a request that cannot be quoted. Codes are the validation rules of the rating that it fails.
type InvalidRequest struct {
	Codes []rating.Code
	// Faults are those codes and the impossible answers, each with its place, in the order of the request. An accepted
	// request that can no longer be rated has none.
	Faults []plausible.Finding
}

func (e *InvalidRequest) Error() string {
	codes := make([]string, len(e.Codes))
	for i, c := range e.Codes {
		codes[i] = string(c)
	}
	if e.Faults != nil {
		codes = codes[:0]
		for _, f := range e.Faults {
			codes = append(codes, string(f.Code))
		}
	}
	return "the request cannot be quoted: " + strings.Join(codes, ", ")
}

// RepeatedID refuses a request in which two drivers, or two vehicles, have the same id: the providers' answer about one
// would count for the other.
type RepeatedID struct{ ID string }

func (e *RepeatedID) Error() string { return fmt.Sprintf("the id %q is used twice", e.ID) }

// IllegibleText refuses a free text with control characters.
type IllegibleText struct{ Pointer string }

func (e *IllegibleText) Error() string { return "the text at " + e.Pointer + " has control characters" }

// UnknownTimeZone refuses a request whose contact is in a time zone that does not exist.
type UnknownTimeZone struct{ Name string }

func (e *UnknownTimeZone) Error() string { return fmt.Sprintf("there is no time zone %q", e.Name) }

// AlreadySubmitted refuses a second submission under the same quote id.
type AlreadySubmitted struct{ QuoteID string }

func (e *AlreadySubmitted) Error() string { return "quote " + e.QuoteID + " is already submitted" }

// Erased refuses a command on a quote whose personal data were erased: what the customer requested can no longer be
// quoted.
type Erased struct{ QuoteID string }

func (e *Erased) Error() string { return "the personal data of quote " + e.QuoteID + " were erased" }

// MaxRevisions is how many revisions a quote has at most. Each costs reports and a rating, and whatever shows the whole
// quote has to show them all. One that was undone counts.
const MaxRevisions = 100

// TooManyRevisions refuses to amend a quote that has Max revisions.
type TooManyRevisions struct{ Max int }

func (e *TooManyRevisions) Error() string { return fmt.Sprintf("the quote has %d revisions", e.Max) }

// NotOpen refuses a command that only an open quote takes: one that is neither accepted, declined,
// withdrawn nor expired.
type NotOpen struct{ Status Status }

func (e *NotOpen) Error() string { return "the quote is " + string(e.Status) }

// NotOffered refuses to accept a revision that has no offer.
type NotOffered struct{ Status Status }

func (e *NotOffered) Error() string { return "the quote is " + string(e.Status) + ", not QUOTED" }

// Conditional refuses to accept an offer while something about it is still open.
type Conditional struct{ Conditions []rating.Condition }

func (e *Conditional) Error() string {
	return fmt.Sprintf("the offer is conditional: %v", e.Conditions)
}

// EffectiveDatePassed refuses to accept or approve an offer after the day on which its policy was to begin. The quote
// must be amended to begin on a later day.
type EffectiveDatePassed struct{ EffectiveDate, On civil.Date }

func (e *EffectiveDatePassed) Error() string {
	return fmt.Sprintf("the policy was to begin on %s, and it is %s: amend the effective date", e.EffectiveDate, e.On)
}

// NotReferred refuses an underwriter's decision on a revision that waits for none.
type NotReferred struct{ Status Status }

func (e *NotReferred) Error() string { return "the quote is " + string(e.Status) + ", not REFERRED" }

// Superseded refuses a command about a revision that was amended since, or undone.
type Superseded struct{ Revision, Current int }

func (e *Superseded) Error() string {
	return fmt.Sprintf("revision %d is no longer in force; the quote is at revision %d", e.Revision, e.Current)
}

// NoSuchRevision refuses a command about a revision that the quote does not have.
type NoSuchRevision struct{ Revision int }

func (e *NoSuchRevision) Error() string {
	return fmt.Sprintf("the quote has no revision %d", e.Revision)
}

// IncompleteLookup refuses a lookup result that omits a vehicle or driver, or a provider's answer about one, or has an
// unknown one or one of them twice.
type IncompleteLookup struct{ Missing, Unknown []string }

func (e *IncompleteLookup) Error() string {
	return fmt.Sprintf("the lookup does not fit the request: missing %v, unknown %v", e.Missing, e.Unknown)
}

// FactMissing refuses to rate a revision whose fact is neither known nor declared unanswered.
type FactMissing struct{ Fact Fact }

func (e *FactMissing) Error() string { return "the quote still waits for " + string(e.Fact) }
