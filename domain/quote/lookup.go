package quote

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"milepost/domain/accident"
	"milepost/domain/civil"
	"milepost/domain/plausible"
	"milepost/domain/rating"
	"milepost/domain/vehicle"
)

// LookupsRequested records that the pending facts of a revision are requested again.
type LookupsRequested struct {
	QuoteID  string `json:"quoteId"`
	Revision int    `json:"revision"`
	// Vehicles and Drivers are the ids of those whose facts are pending.
	Vehicles    []string  `json:"vehicles"`
	Drivers     []string  `json:"drivers"`
	RequestedAt time.Time `json:"requestedAt"`
}

func (LookupsRequested) EventType() string { return TypeLookupsRequested }

func (e LookupsRequested) apply(q *Quote) {
	if q.Asking.Times == 0 {
		q.Asking.First = e.RequestedAt
	}
	q.Asking.Times, q.Asking.Last = q.Asking.Times+1, e.RequestedAt
	q.Asking.Vehicles, q.Asking.Drivers = len(e.Vehicles) > 0, len(e.Drivers) > 0
}

func (LookupsRequested) restsOn(q *Quote) []int { return []int{q.Grounds.Opened} }

// ConditionWaived records that an underwriter dropped a condition of a revision.
type ConditionWaived struct {
	QuoteID   string           `json:"quoteId"`
	Revision  int              `json:"revision"`
	Condition rating.Condition `json:"condition"`
	Decision  Decision         `json:"decision"`
}

func (ConditionWaived) EventType() string { return TypeConditionWaived }

func (e ConditionWaived) apply(q *Quote) {
	q.Waivers = append(slices.Clip(q.Waivers), Waiver{e.Condition, e.Decision})
	q.Grounds.Waivers = append(slices.Clip(q.Grounds.Waivers), q.Version)
}

func (ConditionWaived) restsOn(q *Quote) []int { return []int{q.Grounds.Outcome} }

// RequestLookups asks again for the pending facts of a revision.
type RequestLookups struct {
	Revision int
	At       time.Time
	On       civil.Date
}

// GiveUpLookups refers a revision whose facts are still pending after they were requested for long enough.
type GiveUpLookups struct {
	Revision int
	On       civil.Date
}

// WaiveCondition is an underwriter's decision to drop a condition of a revision.
type WaiveCondition struct {
	Revision  int
	Condition rating.Condition
	Decision  Decision
	At        time.Time
	On        civil.Date
}

// Asking records how a revision's pending facts were requested again.
type Asking struct {
	// Times counts the requests, First and Last are when they were made.
	Times       int
	First, Last time.Time
	// Vehicles and Drivers are set while no answer has come since the last request for them. Two functions ask, and
	// each answers for its own.
	Vehicles, Drivers bool
}

// pending reports whether some answer is still to come.
func (a Asking) pending() bool { return a.Vehicles || a.Drivers }

// AsksProviders reports whether an event that is about to be appended makes the system call providers, which may charge
// for each answer: a request for pending facts does, and so does a revision with unknown facts.
func AsksProviders(q Quote, e Event) bool {
	switch e := e.(type) {
	case QuoteRequested, LookupsRequested:
		return true
	case QuoteAmended:
		after := Evolve(q, e)
		return len(after.PendingVehicles())+len(after.PendingDrivers()) > 0
	default:
		return false
	}
}

// Waiver is a condition that an underwriter waived.
type Waiver struct {
	Condition rating.Condition
	Decision
}

// MaxAsking is how often the facts of one revision are requested again.
const MaxAsking = 50

// askingOpen is how long an unanswered request counts as under way.
const askingOpen = 15 * time.Minute

// AskAgainAfter is how long to wait before pending facts are requested again, by the number of earlier times: a minute,
// then twice as long each time, up to six hours. After about a day it is 0: they are no longer requested.
func AskAgainAfter(times int) time.Duration {
	const most, all = 6 * time.Hour, 24 * time.Hour
	wait, sum := time.Minute, time.Duration(0)
	for range times {
		sum += wait
		wait = min(2*wait, most)
	}
	return max(0, min(wait, all-sum))
}

// PendingVehicles are the vehicles of the revision that could not be identified.
func (r Revision) PendingVehicles() []rating.Vehicle {
	return slices.DeleteFunc(slices.Clone(r.Request.Vehicles), func(v rating.Vehicle) bool {
		return slices.ContainsFunc(r.Vehicles, func(known VehicleLookup) bool {
			return known.VehicleID == v.VehicleID && !known.pending()
		})
	})
}

// PendingDrivers are the rated drivers of the revision whose histories are not complete.
func (r Revision) PendingDrivers() []Driver {
	return slices.DeleteFunc(r.ratedDrivers(), func(d Driver) bool {
		return slices.ContainsFunc(r.Drivers, func(known DriverLookup) bool {
			return known.DriverID == d.DriverID && !known.pending()
		})
	})
}

func (v VehicleLookup) subject() string { return v.VehicleID }

func (d DriverLookup) subject() string { return d.DriverID }

func (v VehicleLookup) unavailable() bool { return v.Fact.Status == vehicle.Unavailable }

func (d DriverLookup) unavailable() bool { return d.History.Status == accident.Unavailable }

func (v VehicleLookup) pending() bool { return v.unavailable() }

func (d DriverLookup) pending() bool { return d.Pending || d.unavailable() }

// AsksAgain reports whether the quote waits for a pending fact that may come: it is open and priced, and a provider may
// still have more.
func (q Quote) AsksAgain() bool {
	return q.Status.IsOpen() && q.Rating != nil &&
		(slices.ContainsFunc(q.Vehicles, func(v VehicleLookup) bool { return v.Retryable }) ||
			slices.ContainsFunc(q.Drivers, func(d DriverLookup) bool { return d.Retryable }))
}

// Conditions are those of the rating that are not waived. With any of them the offer cannot be accepted.
func (r Revision) Conditions() []rating.Condition {
	if r.Rating == nil {
		return nil
	}
	if len(r.Waivers) == 0 {
		return r.Rating.Conditions
	}
	return slices.DeleteFunc(slices.Clone(r.Rating.Conditions), func(c rating.Condition) bool {
		return slices.ContainsFunc(r.Waivers, func(w Waiver) bool { return w.Condition == c })
	})
}

func (c RequestLookups) decide(q Quote) ([]Event, error) {
	if err := q.checkRevision(c.Revision); err != nil {
		return nil, err
	}
	if err := q.checkOpen(c.On); err != nil {
		return nil, err
	}
	e := LookupsRequested{QuoteID: q.ID, Revision: c.Revision, RequestedAt: c.At, Vehicles: []string{}, Drivers: []string{}}
	for _, v := range q.PendingVehicles() {
		e.Vehicles = append(e.Vehicles, v.VehicleID)
	}
	for _, d := range q.PendingDrivers() {
		e.Drivers = append(e.Drivers, d.DriverID)
	}
	switch {
	case len(e.Vehicles)+len(e.Drivers) == 0 && len(q.Conditions()) > 0:
		// What it was conditional on came when it was closed, and it was opened again by a reversal.
		outcome, err := outcomeOf(q, q.elsewhere())
		return []Event{outcome}, err
	case len(e.Vehicles)+len(e.Drivers) == 0:
		return nil, ErrNothingPending
	case q.Asking.pending() && c.At.Sub(q.Asking.Last) < askingOpen:
		return nil, nil // they are being requested
	case q.Asking.Times == MaxAsking:
		return nil, &AskedTooOften{Times: MaxAsking}
	}
	return []Event{e}, nil
}

func (c GiveUpLookups) decide(q Quote) ([]Event, error) {
	if err := q.checkRevision(c.Revision); err != nil {
		return nil, err
	}
	if q.StatusOn(c.On) != StatusQuoted || q.Decision != nil || len(q.Conditions()) == 0 {
		return nil, nil // nothing to decide, or an underwriter has decided
	}
	e := QuoteReferred{QuoteID: q.ID, Revision: c.Revision, Rating: *q.Rating, Contradictions: q.Contradictions}
	if len(q.PendingDrivers()) > 0 {
		e.Unanswered = append(e.Unanswered, FactAccidentHistory)
	}
	if len(q.PendingVehicles()) > 0 {
		e.Unanswered = append(e.Unanswered, FactVehicles)
	}
	return []Event{e}, nil
}

// The rule for a waiver of HISTORY_PENDING: the number of tries, and the time after the first.
const (
	waiveAfterTries = 3
	waiveAfter      = 24 * time.Hour
)

func (c WaiveCondition) decide(q Quote) ([]Event, error) {
	if err := q.checkRevision(c.Revision); err != nil {
		return nil, err
	}
	if err := q.checkOpen(c.On); err != nil {
		return nil, err
	}
	if !slices.Contains(q.Conditions(), c.Condition) {
		return nil, &NoSuchCondition{Condition: c.Condition}
	}
	tries := q.Asking.Times + 1 // with that of the revision itself
	if c.Condition == rating.HistoryPending && (tries < waiveAfterTries || c.At.Sub(q.Asking.First) < waiveAfter) {
		return nil, &WaivedTooEarly{Condition: c.Condition, Tries: tries, First: q.Asking.First}
	}
	return []Event{ConditionWaived{QuoteID: q.ID, Revision: c.Revision, Condition: c.Condition, Decision: c.Decision}}, nil
}

// rateAnew is the effect of a lookup that an event recorded: if the revision is rated and open, its new outcome, if
// that differs from the one before.
func rateAnew(q Quote, recorded Event) ([]Event, error) {
	after := Evolve(q, recorded)
	if after.Rating == nil || !after.Status.IsOpen() {
		return []Event{recorded}, nil
	}
	outcome, err := outcomeOf(after, q.elsewhere())
	if err != nil {
		return nil, err
	}
	told := after
	told.apply(outcome)
	if told.Outcome() == q.Outcome() && told.Rating.SameAnswer(*q.Rating) &&
		slices.Equal(told.Unanswered, q.Unanswered) && slices.Equal(told.Contradictions, q.Contradictions) {
		return []Event{recorded}, nil
	}
	return []Event{recorded, outcome}, nil
}

// elsewhere are the contradictions with other quotes that were found when the revision was rated.
func (r Revision) elsewhere() []plausible.Finding {
	return slices.DeleteFunc(slices.Clone(r.Contradictions), func(f plausible.Finding) bool {
		return !slices.Contains(CodesElsewhere, f.Code)
	})
}

// overtaken records the reports about a revision that is no longer in force, or closed: they were paid for.
func overtaken(q Quote, c RecordAccidentHistory) []Event {
	e := AccidentHistoryRetrieved{QuoteID: q.ID, Revision: c.Revision}
	for _, d := range c.Drivers {
		if d.ReportID != "" {
			e.Drivers = append(e.Drivers, d)
		}
	}
	for _, a := range c.Answers {
		if slices.ContainsFunc(e.Drivers, func(d DriverLookup) bool { return slices.Contains(a.Subjects, d.DriverID) }) {
			e.Answers = append(e.Answers, a)
		}
	}
	if e.Drivers == nil {
		return nil
	}
	return []Event{e}
}

// learn applies lookups. One about a known subject replaces what was known, unless it says less. A closed quote keeps
// the facts that it was decided on.
func learn[L lookup](known, lookups []L, open bool) []L {
	known = slices.Clone(known)
	for _, l := range lookups {
		i := slices.IndexFunc(known, func(k L) bool { return k.subject() == l.subject() })
		switch {
		case i < 0:
			known = append(known, l)
		case open && (!l.pending() || known[i].pending()):
			known[i] = l
		}
	}
	return known
}

// ErrNothingPending refuses to ask again for the facts of a revision that has all of them.
var ErrNothingPending = errors.New("no fact of the quote is pending")

// AskedTooOften refuses to request facts again that were requested too many times.
type AskedTooOften struct{ Times int }

func (e *AskedTooOften) Error() string {
	return fmt.Sprintf("the pending facts were asked for %d times", e.Times)
}

// NoSuchCondition refuses to waive a condition that the offer does not have.
type NoSuchCondition struct{ Condition rating.Condition }

func (e *NoSuchCondition) Error() string { return "the offer has no condition " + string(e.Condition) }

// WaivedTooEarly refuses to waive a condition while the fact may still come.
type WaivedTooEarly struct {
	Condition rating.Condition
	// Tries is how often the fact was requested, First when it was first requested again, zero if it was not.
	Tries int
	First time.Time
}

func (e *WaivedTooEarly) Error() string {
	return fmt.Sprintf("%s is waived after %d tries within %v; there were %d", e.Condition, waiveAfterTries, waiveAfter, e.Tries)
}
