package quote

import (
	"cmp"
	"reflect"
	"slices"

	"milepost/domain/civil"
	"milepost/domain/plausible"
	"milepost/domain/rating"
	"milepost/domain/zone"
)

// Decide gives the events that grant a command, none when what it wants is already so, or the
// reason why it is refused.
func Decide(q Quote, c Command) ([]Event, error) {
	if q.Erasure != nil && !Impersonal(c) {
		return nil, &Erased{QuoteID: q.ID}
	}
	switch c := c.(type) {
	case SubmitQuote:
		return submit(q, c)
	case RecordVehicles:
		return recordVehicles(q, c)
	case RecordAccidentHistory:
		return recordAccidentHistory(q, c)
	case RateQuote:
		return rate(q, c)
	case AmendQuote:
		return amend(q, c)
	case AcceptQuote:
		return accept(q, c)
	case WithdrawQuote:
		return withdraw(q, c)
	case ExpireQuote:
		return expire(q, c)
	case DecideReferral:
		return decideReferral(q, c)
	case ReverseEvent:
		return reverse(q, c)
	case RecordErasure:
		return recordErasure(q, c)
	case CorrectQuote:
		return correct(q, c)
	}
	panic("quote: a command that Decide does not know")
}

// Impersonal reports whether a command can be decided without the personal data of the quote.
func Impersonal(c Command) bool {
	switch c.(type) {
	case ExpireQuote, RecordErasure:
		return true
	}
	return false
}

func submit(q Quote, c SubmitQuote) ([]Event, error) {
	if q.Version > 0 {
		return nil, &AlreadySubmitted{QuoteID: q.ID}
	}
	if err := checkRequest(c.Request, c.Request.application(c.QuoteDate)); err != nil {
		return nil, err
	}
	return []Event{QuoteRequested{
		QuoteID: c.QuoteID, Revision: 1, CustomerID: c.CustomerID, QuoteDate: c.QuoteDate, Request: c.Request,
	}}, nil
}

func amend(q Quote, c AmendQuote) ([]Event, error) {
	if err := q.checkOpen(cmp.Or(c.On, c.QuoteDate)); err != nil {
		return nil, err
	}
	if reflect.DeepEqual(q.Request, c.Request) {
		return nil, nil
	}
	if err := checkRequest(c.Request, c.Request.application(c.QuoteDate)); err != nil {
		return nil, err
	}
	if q.Revisions >= MaxRevisions {
		return nil, &TooManyRevisions{Max: MaxRevisions}
	}
	return []Event{QuoteAmended{QuoteID: q.ID, Revision: q.Revisions + 1, QuoteDate: c.QuoteDate, Request: c.Request}}, nil
}

func recordVehicles(q Quote, c RecordVehicles) ([]Event, error) {
	if err := q.checkRevision(c.Revision); err != nil || q.Knows(FactVehicles) {
		return nil, err
	}
	var wanted, got []string
	for _, v := range q.MissingVehicles() {
		wanted = append(wanted, v.VehicleID)
	}
	for _, v := range c.Vehicles {
		got = append(got, v.VehicleID)
	}
	if err := sameSubjects(wanted, got, c.Answers); err != nil {
		return nil, err
	}
	return []Event{VehiclesIdentified{QuoteID: q.ID, Revision: c.Revision, Vehicles: c.Vehicles, Answers: c.Answers}}, nil
}

func recordAccidentHistory(q Quote, c RecordAccidentHistory) ([]Event, error) {
	if err := q.checkRevision(c.Revision); err != nil || q.Knows(FactAccidentHistory) {
		return nil, err
	}
	var wanted, got []string
	for _, d := range q.MissingDrivers() {
		wanted = append(wanted, d.DriverID)
	}
	for _, d := range c.Drivers {
		got = append(got, d.DriverID)
	}
	if err := sameSubjects(wanted, got, c.Answers); err != nil {
		return nil, err
	}
	return []Event{AccidentHistoryRetrieved{QuoteID: q.ID, Revision: c.Revision, Drivers: c.Drivers, Answers: c.Answers}}, nil
}

func rate(q Quote, c RateQuote) ([]Event, error) {
	if err := q.checkRevision(c.Revision); err != nil || q.Rating != nil || !q.Status.Open() || c.Reversal != q.Reversal {
		return nil, err
	}
	var unanswered []Fact
	for _, fact := range []Fact{FactAccidentHistory, FactVehicles} {
		if !q.Knows(fact) && !slices.Contains(c.Unanswered, fact) {
			return nil, &FactMissing{Fact: fact}
		}
		if !q.Knows(fact) || q.tooLarge(fact) {
			unanswered = append(unanswered, fact)
		}
	}
	result := q.rateWith(rating.Rate)
	contradictions := slices.Concat(q.contradictions(), c.Elsewhere)
	switch {
	case result.Outcome == rating.Declined:
		return []Event{QuoteDeclined{QuoteID: q.ID, Revision: c.Revision, Rating: result}}, nil
	case result.Outcome == rating.Referred || result.Outcome == rating.Quoted && len(unanswered)+len(contradictions) > 0:
		return []Event{QuoteReferred{
			QuoteID: q.ID, Revision: c.Revision, Rating: result, Contradictions: contradictions, Unanswered: unanswered,
		}}, nil
	case result.Outcome == rating.Quoted:
		return []Event{QuoteOffered{QuoteID: q.ID, Revision: c.Revision, Rating: result}}, nil
	}
	return nil, &InvalidRequest{Codes: result.Reasons}
}

// rateWith rates a revision from the facts that it has.
func (r Revision) rateWith(rate func(rating.Request, rating.Facts) rating.Result) rating.Result {
	result := rate(r.Request.Rating(r.QuoteDate), r.Facts())
	if r.historyPending() && !slices.Contains(result.Conditions, rating.HistoryPending) {
		result.Conditions = append(result.Conditions, rating.HistoryPending)
	}
	return result
}

func accept(q Quote, c AcceptQuote) ([]Event, error) {
	if err := q.checkRevision(c.Revision); err != nil || q.Status == StatusAccepted {
		return nil, err
	}
	if err := q.checkOpen(c.On); err != nil {
		return nil, err
	}
	if q.Status != StatusQuoted {
		return nil, &NotOffered{Status: q.Status}
	}
	if err := q.checkBegins(c.On); err != nil {
		return nil, err
	}
	if len(q.Rating.Conditions) > 0 {
		return nil, &Conditional{Conditions: q.Rating.Conditions}
	}
	return []Event{QuoteAccepted{QuoteID: q.ID, Revision: c.Revision}}, nil
}

func withdraw(q Quote, c WithdrawQuote) ([]Event, error) {
	if q.Status == StatusWithdrawn {
		return nil, nil
	}
	if err := q.checkOpen(c.On); err != nil {
		return nil, err
	}
	return []Event{QuoteWithdrawn{QuoteID: q.ID, Reason: c.Reason}}, nil
}

func expire(q Quote, c ExpireQuote) ([]Event, error) {
	if !q.Status.Open() || q.StatusOn(c.On) != StatusExpired {
		return nil, nil
	}
	return []Event{QuoteExpired{QuoteID: q.ID, Revision: q.Number, ExpiresOn: q.Rating.ExpiresOn}}, nil
}

func decideReferral(q Quote, c DecideReferral) ([]Event, error) {
	if err := q.checkRevision(c.Revision); err != nil {
		return nil, err
	}
	if err := q.checkOpen(c.On); err != nil {
		return nil, err
	}
	if q.Status != StatusReferred {
		return nil, &NotReferred{Status: q.Status}
	}
	if c.Approve {
		if err := q.checkBegins(c.On); err != nil {
			return nil, err
		}
		return []Event{ReferralApproved{QuoteID: q.ID, Revision: c.Revision, Decision: c.Decision}}, nil
	}
	return []Event{ReferralDeclined{QuoteID: q.ID, Revision: c.Revision, Decision: c.Decision}}, nil
}

func recordErasure(q Quote, c RecordErasure) ([]Event, error) {
	if q.Erasure != nil {
		return nil, nil
	}
	return []Event{PersonalDataErased{QuoteID: q.ID, Erasure: c.Erasure}}, nil
}

// checkRequest refuses what cannot be quoted.
func checkRequest(r Request, a plausible.Application) error {
	if id, twice := r.repeatedID(); twice {
		return &RepeatedID{ID: id}
	}
	if c := r.Contact; c != nil && c.TimeZone != "" {
		if _, ok := zone.Load(c.TimeZone); !ok {
			return &UnknownTimeZone{Name: c.TimeZone}
		}
	}
	return checkPlausible(a)
}

// checkOpen refuses a quote that is closed on a day.
func (q Quote) checkOpen(on civil.Date) error {
	if status := q.StatusOn(on); !status.Open() {
		return &NotOpen{Status: status}
	}
	return nil
}

// checkBegins refuses an offer whose policy began before a day: no cover begins before it is accepted. However an
// offer has come to stand, this is what decides whether it may be taken.
func (q Quote) checkBegins(on civil.Date) error {
	if begins := q.Request.EffectiveDate; on.After(begins) {
		return &EffectiveDatePassed{EffectiveDate: begins, On: on}
	}
	return nil
}

// checkRevision refuses a revision that is not the one in force.
func (q Quote) checkRevision(revision int) error {
	switch {
	case revision < 1 || revision > q.Revisions:
		return &NoSuchRevision{Revision: revision}
	case revision != q.Number:
		return &Superseded{Revision: revision, Current: q.Number}
	}
	return nil
}

// sameSubjects checks that a lookup found something out about exactly those it was asked about, and that
// the answers are about them all and nobody else.
func sameSubjects(wanted, got []string, answers []Answer) error {
	e := &IncompleteLookup{}
	var answered []string
	for _, a := range answers {
		answered = append(answered, a.Subjects...)
	}
	for _, w := range wanted {
		if !slices.Contains(got, w) || !slices.Contains(answered, w) {
			e.Missing = append(e.Missing, w)
		}
	}
	for _, a := range answered {
		if !slices.Contains(wanted, a) && !slices.Contains(got, a) {
			e.Unknown = append(e.Unknown, a)
		}
	}
	for i, g := range got {
		if !slices.Contains(wanted, g) || slices.Contains(got[:i], g) {
			e.Unknown = append(e.Unknown, g)
		}
	}
	if e.Missing != nil || e.Unknown != nil {
		return e
	}
	return nil
}
