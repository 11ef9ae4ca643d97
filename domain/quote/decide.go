package quote

import (
	"cmp"
	"errors"
	"reflect"
	"slices"

	"milepost/domain/civil"
	"milepost/domain/plausible"
	"milepost/domain/rating"
	"milepost/domain/zone"
)

// Decide returns the events that grant a command, none when what it wants is already so, or the reason why it is
// refused.
func Decide(q Quote, c Command) ([]Event, error) {
	if q.Erasure != nil && !Impersonal(c) {
		return nil, &Erased{QuoteID: q.ID}
	}
	if pointer, text := freeText(c); !plausible.Legible(text) {
		return nil, &IllegibleText{Pointer: pointer}
	}
	return c.decide(q)
}

// freeText is a text written by a person in a command, and the JSON pointer to it in the request's body.
func freeText(c Command) (pointer, text string) {
	switch c := c.(type) {
	case WithdrawQuote:
		return "/reason", c.Reason
	case DecideReferral:
		return "/text", c.Decision.Text
	case WaiveCondition:
		return "/text", c.Decision.Text
	case ReverseEvent:
		return "/text", c.Text
	case SubmitQuote, AmendQuote: // their texts are checked with their other facts
	case AcceptQuote: // and signatures with the forms
	case RecordVehicles, RecordAccidentHistory, ConfirmPhone, RequestLookups, GiveUpLookups, ExpireQuote, RateQuote, RecordErasure, CorrectQuote:
	}
	return "", ""
}

// Impersonal reports whether a command can be decided without the personal data of the quote.
func Impersonal(c Command) bool {
	switch c.(type) {
	case ExpireQuote, RecordErasure:
		return true
	default:
		return false
	}
}

func (c SubmitQuote) decide(q Quote) ([]Event, error) {
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

func (c AmendQuote) decide(q Quote) ([]Event, error) {
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

func (c RecordVehicles) decide(q Quote) ([]Event, error) {
	if err := q.checkRevision(c.Revision); err != nil || !q.Status.IsOpen() && q.Knows(FactVehicles) {
		return nil, err
	}
	w := wanted{
		missing: vehicleIDs(q.MissingVehicles()), pending: vehicleIDs(q.PendingVehicles()), all: vehicleIDs(q.Request.Vehicles),
		again: q.Asking.Vehicles,
	}
	vehicles, answers, err := fill(w, q.Vehicles, c.Vehicles, c.Answers)
	if vehicles == nil || err != nil {
		return nil, err
	}
	return rateAnew(q, VehiclesIdentified{QuoteID: q.ID, Revision: c.Revision, Vehicles: vehicles, Answers: answers})
}

func (c RecordAccidentHistory) decide(q Quote) ([]Event, error) {
	err := q.checkRevision(c.Revision)
	if _, amended := errors.AsType[*Superseded](err); amended {
		if events := overtaken(q, c); events != nil {
			return events, nil
		}
	}
	if err != nil {
		return nil, err
	}
	if !q.Status.IsOpen() && q.Knows(FactAccidentHistory) {
		return overtaken(q, c), nil
	}
	w := wanted{
		missing: driverIDs(q.MissingDrivers()), pending: driverIDs(q.PendingDrivers()), all: driverIDs(q.ratedDrivers()),
		again: q.Asking.Drivers,
	}
	drivers, answers, err := fill(w, q.Drivers, c.Drivers, c.Answers)
	if drivers == nil || err != nil {
		return nil, err
	}
	return rateAnew(q, AccidentHistoryRetrieved{QuoteID: q.ID, Revision: c.Revision, Drivers: drivers, Answers: answers})
}

func vehicleIDs(vehicles []rating.Vehicle) (ids []string) {
	for _, v := range vehicles {
		ids = append(ids, v.VehicleID)
	}
	return ids
}

func driverIDs(drivers []Driver) (ids []string) {
	for _, d := range drivers {
		ids = append(ids, d.DriverID)
	}
	return ids
}

func (c RateQuote) decide(q Quote) ([]Event, error) {
	if err := q.checkRevision(c.Revision); err != nil || q.Rating != nil || !q.Status.IsOpen() || c.Reversal != q.Reversal {
		return nil, err
	}
	for _, fact := range facts {
		if !q.Knows(fact) && !slices.Contains(c.Unanswered, fact) {
			return nil, &FactMissing{Fact: fact}
		}
	}
	outcome, err := outcomeOf(q, c.Elsewhere)
	if err != nil {
		return nil, err
	}
	return []Event{outcome}, nil
}

// outcomeOf rates the revision in force from the facts that are there. Elsewhere are contradictions with other quotes.
func outcomeOf(q Quote, elsewhere []plausible.Finding) (Event, error) {
	var unanswered []Fact
	for _, fact := range facts {
		if !q.Knows(fact) || q.tooLarge(fact) || slices.Contains(q.Unanswered, fact) && q.pending(fact) {
			unanswered = append(unanswered, fact)
		}
	}
	result := q.rateWith(rating.Rate)
	contradictions := slices.Concat(q.contradictions(), elsewhere)
	switch {
	case result.Outcome == rating.Declined:
		return QuoteDeclined{QuoteID: q.ID, Revision: q.Number, Rating: result}, nil
	case result.Outcome == rating.Referred || result.Outcome == rating.Quoted && len(unanswered)+len(contradictions) > 0:
		return QuoteReferred{
			QuoteID: q.ID, Revision: q.Number, Rating: result, Contradictions: contradictions, Unanswered: unanswered,
		}, nil
	case result.Outcome == rating.Quoted:
		return QuoteOffered{QuoteID: q.ID, Revision: q.Number, Rating: result}, nil
	}
	return nil, &InvalidRequest{Codes: result.Reasons}
}

// rateWith rates a revision from the facts that it has. Where the state's record says that a license is worse than it
// was stated, the record counts, and if it makes the outcome worse a notice of it is due.
func (r Revision) rateWith(rate func(rating.Request, rating.Facts) rating.Result) rating.Result {
	request := r.Request.Rating(r.QuoteDate)
	result := rate(request, r.Facts())
	if len(r.worseLicenses()) > 0 {
		stated := result
		for i, d := range request.Drivers {
			if reported, ok := r.worseLicenses()[d.DriverID]; ok {
				request.Drivers[i].LicenseStatus = reported
			}
		}
		result = rate(request, r.Facts())
		result.DeclaredOnly = stated.DeclaredOnly
		result.AdverseActionNotice = stated.AdverseActionNotice || result.Outcome.WorseThan(stated.Outcome)
	}
	if r.historyPending() && !slices.Contains(result.Conditions, rating.HistoryPending) {
		result.Conditions = append(result.Conditions, rating.HistoryPending)
	}
	return result
}

func (c AcceptQuote) decide(q Quote) ([]Event, error) {
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
	if open := q.Conditions(); len(open) > 0 {
		return nil, &Conditional{Conditions: open}
	}
	signed, err := q.checkSigned(c)
	if err != nil {
		return nil, err
	}
	return []Event{QuoteAccepted{QuoteID: q.ID, Revision: c.Revision, Rejections: signed}}, nil
}

func (c WithdrawQuote) decide(q Quote) ([]Event, error) {
	if q.Status == StatusWithdrawn {
		return nil, nil
	}
	if err := q.checkOpen(c.On); err != nil {
		return nil, err
	}
	return []Event{QuoteWithdrawn{QuoteID: q.ID, Reason: c.Reason}}, nil
}

func (c ExpireQuote) decide(q Quote) ([]Event, error) {
	if !q.Status.IsOpen() || q.StatusOn(c.On) != StatusExpired {
		return nil, nil
	}
	return []Event{QuoteExpired{QuoteID: q.ID, Revision: q.Number, ExpiresOn: q.lastDay()}}, nil
}

func (c DecideReferral) decide(q Quote) ([]Event, error) {
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

func (c RecordErasure) decide(q Quote) ([]Event, error) {
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
		if _, ok := zone.ByName(c.TimeZone); !ok {
			return &UnknownTimeZone{Name: c.TimeZone}
		}
	}
	return checkPlausible(a)
}

// checkOpen refuses a quote that is closed on a day.
func (q Quote) checkOpen(on civil.Date) error {
	if status := q.StatusOn(on); !status.IsOpen() {
		return &NotOpen{Status: status}
	}
	return nil
}

// checkBegins refuses an offer whose policy began before a day: no cover begins before it is accepted. However an offer
// arose, this decides whether it may be accepted.
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

// wanted are the ids of those that a lookup is about: of whom nothing is known, of whom not all is known (those of whom
// nothing is known among them), and all there are.
type wanted struct {
	missing, pending, all []string
	// again says that they were requested again: then a missing answer is worth recording too.
	again bool
}

// lookup is what was found out about one vehicle or driver.
type lookup interface {
	subject() string
	// pending reports whether something is still missing, unavailable whether everything is.
	pending() bool
	unavailable() bool
}

// fill returns the part of a lookup that is still needed, nil if none is. It refuses a lookup that omits a subject
// about which nothing is known, that is about an unknown subject or about one twice, or has answers about others.
func fill[L lookup](w wanted, known, lookups []L, answers []Answer) ([]L, []Answer, error) {
	var left []L
	var got, answered []string
	for _, l := range lookups {
		id := l.subject()
		settled := slices.Contains(w.all, id) && !slices.Contains(w.pending, id)
		told := slices.ContainsFunc(known, func(k L) bool { return k.subject() == id && (l.unavailable() || reflect.DeepEqual(k, l)) })
		if settled || told && !w.again {
			continue
		}
		left, got = append(left, l), append(got, id)
	}
	if left == nil && len(w.missing) == 0 {
		return nil, nil, nil
	}
	var about []Answer
	settled := func(id string) bool { return slices.Contains(w.all, id) && !slices.Contains(got, id) }
	for _, a := range answers {
		if slices.ContainsFunc(a.Subjects, func(id string) bool { return !settled(id) }) {
			about, answered = append(about, a), append(answered, a.Subjects...)
		}
	}
	e := &IncompleteLookup{}
	add := func(to *[]string, id string) {
		if !slices.Contains(*to, id) {
			*to = append(*to, id)
		}
	}
	for _, id := range slices.Concat(w.missing, got) {
		if slices.Contains(w.all, id) && (!slices.Contains(got, id) || !slices.Contains(answered, id)) {
			add(&e.Missing, id)
		}
	}
	for i, id := range slices.Concat(got, answered) {
		if !slices.Contains(w.all, id) || i < len(got) && slices.Contains(got[:i], id) {
			add(&e.Unknown, id)
		}
	}
	if e.Missing != nil || e.Unknown != nil {
		return nil, nil, e
	}
	return left, about, nil
}
