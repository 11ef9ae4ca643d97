package quote

import (
	"reflect"
	"slices"

	"github.com/govalues/decimal"

	"milepost/domain/accident"
	"milepost/domain/civil"
	"milepost/domain/plausible"
	"milepost/domain/rating"
	"milepost/domain/vehicle"
)

// Status is the state of a quote in its life.
type Status string

// The statuses of a quote. All but the first three are final.
const (
	StatusRequested Status = "REQUESTED"
	StatusQuoted    Status = "QUOTED"
	StatusReferred  Status = "REFERRED"
	StatusAccepted  Status = "ACCEPTED"
	StatusDeclined  Status = "DECLINED"
	StatusWithdrawn Status = "WITHDRAWN"
	StatusExpired   Status = "EXPIRED"
)

// Statuses are all that a quote may have.
var Statuses = []Status{
	StatusRequested, StatusQuoted, StatusReferred, StatusAccepted, StatusDeclined, StatusWithdrawn, StatusExpired,
}

// IsOpen reports whether the quote may still be amended, withdrawn or expire.
func (s Status) IsOpen() bool {
	return s == StatusRequested || s == StatusQuoted || s == StatusReferred
}

// Quote is the state of the aggregate: the fold of its events. The zero Quote has none.
type Quote struct {
	ID         string
	CustomerID string
	// Version is the number of events folded.
	Version int
	// Status is what the events say. An open quote whose last day has passed is expired nevertheless: see StatusOn.
	Status Status
	// Revision is the one in force. Earlier has the last MaxEarlier of those that were amended, the oldest first.
	Revision
	Earlier []Earlier
	// Revisions is how many were ever opened. The number of an undone one is not used again.
	Revisions int
	// Reversal is the version of the last EventReversed, 0 if nothing was undone. What began before it may be about
	// something that is no longer in force.
	Reversal int
	// ConfirmedPhone is the number that the customer last confirmed for texts, "" if none was confirmed.
	ConfirmedPhone string `json:",omitempty"`
	// Erasure is set when the personal data were erased: names, dates of birth, VINs and so on are empty.
	Erasure *Erasure `json:",omitempty"`
	// Undone counts the events that were undone, by their types; nil if none was.
	Undone map[string]int
	// Log has an entry for each event, those that were undone among them. It grows with the events, so a
	// state that was kept does not have it, and nothing can be undone in one: that takes the fold of all.
	Log []Entry `json:"-"`
}

// MaxEarlier is how many of the revisions that were amended a quote lists. All can be read from its log.
const MaxEarlier = 50

// Earlier is the result of an amended revision.
type Earlier struct {
	Number        int
	QuoteDate     civil.Date
	EffectiveDate civil.Date
	// Outcome is "" and TotalPremium nil where the revision was not rated, or had no price.
	Outcome      rating.Outcome `json:",omitzero"`
	TotalPremium *decimal.Decimal
	// LastVersion is the last version of the quote at which it was in force.
	LastVersion int
}

// Revision is one version of the request, with what was found out about it and its outcome.
type Revision struct {
	// Number counts the revisions of a quote, from 1.
	Number    int
	QuoteDate civil.Date
	Request   Request
	// Vehicles and Drivers are the lookups that have answered.
	Vehicles []VehicleLookup
	Drivers  []DriverLookup
	// Rating is the outcome, nil until there is one.
	Rating *rating.Result
	// RatedWith is what was known at the rating. A later lookup does not count for it.
	RatedWith  Lookups
	Unanswered []Fact
	// Contradictions are those that were found when it was rated.
	Contradictions []plausible.Finding `json:",omitempty"`
	// Decision is the underwriter's, nil if none was needed or made.
	Decision *Decision
	// Correction is the last one, nil where nothing was corrected.
	Correction *Correction
	// Asking records how its pending facts were requested again, Waivers are the conditions that were waived.
	Asking  Asking
	Waivers []Waiver
	// Rejections are those that were signed when the offer was accepted.
	Rejections []SignedRejection `json:",omitempty"`
	Grounds    Grounds
}

// Lookups are what a revision was rated with.
type Lookups struct {
	Vehicles []VehicleLookup
	Drivers  []DriverLookup
}

// FoldVersion counts the changes to the result of the fold: a state stored by an earlier program is not that of today's
// Fold. A test compares the states of the examples with those of this version when it was new.
const FoldVersion = 8

// Fold is the state after events, in order: what those make that were not undone by an EventReversed
// among them. All of them count for the version.
func Fold(events ...Event) Quote {
	q := Quote{Log: slices.Grow([]Entry(nil), len(events))}
	undone := reversed(events)
	for i, e := range events {
		if by, ok := undone[i+1]; ok {
			q.skip(e, by)
		} else {
			q.apply(e)
		}
	}
	return q
}

// Evolve folds one event into the state. It only copies facts, so it cannot fail. It only records an EventReversed:
// only Fold can compute a quote without an event.
func Evolve(q Quote, e Event) Quote {
	q.Log = slices.Clip(q.Log)
	q.apply(e)
	return q
}

func (q *Quote) apply(e Event) {
	q.Version++
	q.Log = append(q.Log, Entry{Version: q.Version, Type: e.EventType(), On: e.restsOn(q)})
	e.apply(q)
}

// decided takes an underwriter's decision on the revision in force in.
func (q *Quote) decided(s Status, d *Decision) {
	q.Status, q.Decision, q.Grounds.Outcome, q.Grounds.Decision = s, d, q.Version, q.Version
}

// rated applies the outcome of a revision. It may differ from an earlier one, because more is known now; an
// underwriter's decision holds as long as it is about the same reasons.
func (q *Quote) rated(s Status, r *rating.Result, unanswered []Fact, contradictions ...plausible.Finding) {
	before := q.Revision
	q.Rating, q.Unanswered, q.Contradictions, q.Correction = r, unanswered, contradictions, nil
	if !q.toldAgain(before) {
		q.RatedWith = Lookups{q.Vehicles, q.Drivers}
	}
	q.Grounds.Outcome = q.Version
	if before.Decision != nil && s == StatusReferred && before.Outcome() == rating.Referred && slices.Equal(before.Rating.Reasons, r.Reasons) &&
		slices.Equal(before.Contradictions, contradictions) {
		return
	}
	q.Status, q.Decision, q.Grounds.Decision = s, nil, 0
}

// toldAgain reports whether the outcome is not a new rating but the previous one, repeated because pending facts were
// given up: it is the same, and no lookup came immediately before it.
func (q *Quote) toldAgain(before Revision) bool {
	came := func(versions []int) bool { return slices.Contains(versions, q.Version-1) }
	return before.Rating != nil && reflect.DeepEqual(before.Rating, q.Rating) &&
		!came(q.Grounds.Vehicles) && !came(q.Grounds.Drivers)
}

// amend opens a revision with what is still known from the one before it.
func (q *Quote) amend(e QuoteAmended) {
	before := q.Revision
	q.Earlier = append(slices.Clip(q.Earlier), before.earlier(q.Version-1))
	q.Earlier = q.Earlier[max(0, len(q.Earlier)-MaxEarlier):]
	q.Status, q.Revisions = StatusRequested, e.Revision
	q.Revision = Revision{
		Number: e.Revision, QuoteDate: e.QuoteDate, Request: e.Request,
		Vehicles: before.vehiclesStillKnown(e.Request), Drivers: before.driversStillKnown(e.Request),
		Grounds: Grounds{Opened: q.Version},
	}
	if len(q.Vehicles) > 0 {
		q.Grounds.Vehicles = before.Grounds.Vehicles
	}
	if len(q.Drivers) > 0 {
		q.Grounds.Drivers = before.Grounds.Drivers
	}
}

// earlier is the result of a revision, with the last version at which it was in force.
func (r Revision) earlier(lastVersion int) Earlier {
	e := Earlier{
		Number: r.Number, QuoteDate: r.QuoteDate, EffectiveDate: r.Request.EffectiveDate,
		Outcome: r.Outcome(), LastVersion: lastVersion,
	}
	if r.Rating != nil && r.Rating.Price != nil {
		e.TotalPremium = &r.Rating.TotalPremium
	}
	return e
}

// vehiclesStillKnown returns the lookups of a revision that hold for an amended request: the answers about vehicles
// that are the same, whatever their ids are now. A lookup without an answer is made again.
func (r Revision) vehiclesStillKnown(amended Request) (lookups []VehicleLookup) {
	known := map[car]VehicleLookup{}
	for _, v := range r.Request.Vehicles {
		i := slices.IndexFunc(r.Vehicles, func(l VehicleLookup) bool { return l.VehicleID == v.VehicleID })
		if i >= 0 && r.Vehicles[i].Fact.Status != vehicle.Unavailable {
			known[carOf(v)] = r.Vehicles[i]
		}
	}
	for _, v := range amended.Vehicles {
		if l, ok := known[carOf(v)]; ok {
			l.VehicleID = v.VehicleID
			lookups = append(lookups, l)
		}
	}
	return lookups
}

// driversStillKnown is vehiclesStillKnown for the histories of drivers who are the same people. An incomplete history
// is ordered again too.
func (r Revision) driversStillKnown(amended Request) (lookups []DriverLookup) {
	known := map[person]DriverLookup{}
	for _, d := range r.Request.Drivers {
		i := slices.IndexFunc(r.Drivers, func(l DriverLookup) bool { return l.DriverID == d.DriverID })
		if i >= 0 && r.Drivers[i].History.Status != accident.Unavailable && !r.Drivers[i].Pending {
			known[r.Request.personOf(d)] = r.Drivers[i]
		}
	}
	for _, d := range (Revision{Request: amended}).ratedDrivers() {
		if l, ok := known[amended.personOf(d)]; ok {
			l.DriverID = d.DriverID
			lookups = append(lookups, l)
		}
	}
	return lookups
}

// StatusOn is the status on a day. An open quote has expired when its last day has passed, whether or not there is an
// event for it.
func (q Quote) StatusOn(day civil.Date) Status {
	if q.Status.IsOpen() && day.After(q.lastDay()) {
		return StatusExpired
	}
	return q.Status
}

// UnratedDays is how many days an unrated revision is open.
const UnratedDays = 30

// lastDay is the last day on which a revision is open.
func (r Revision) lastDay() civil.Date {
	if r.Rating != nil {
		return r.Rating.ExpiresOn
	}
	return r.QuoteDate.AddDays(UnratedDays)
}

// Outcome is that of the revision's rating, "" if it was not rated. A lookup without an answer, or a contradiction,
// refers it, whatever the rating says.
func (r Revision) Outcome() rating.Outcome {
	switch {
	case r.Rating == nil:
		return ""
	case r.Rating.Outcome == rating.Quoted && len(r.Unanswered)+len(r.Contradictions) > 0:
		return rating.Referred
	}
	return r.Rating.Outcome
}

// MissingVehicles are the vehicles of the revision whose lookup has not answered.
func (r Revision) MissingVehicles() []rating.Vehicle {
	return slices.DeleteFunc(slices.Clone(r.Request.Vehicles), func(v rating.Vehicle) bool {
		return slices.ContainsFunc(r.Vehicles, func(known VehicleLookup) bool { return known.VehicleID == v.VehicleID })
	})
}

// MissingDrivers are the rated drivers of the revision whose lookup has not answered.
func (r Revision) MissingDrivers() []Driver {
	return slices.DeleteFunc(r.ratedDrivers(), func(d Driver) bool {
		return slices.ContainsFunc(r.Drivers, func(known DriverLookup) bool { return known.DriverID == d.DriverID })
	})
}

// Knows reports whether a fact is complete.
func (r Revision) Knows(fact Fact) bool {
	switch fact {
	case FactVehicles:
		return len(r.MissingVehicles()) == 0
	case FactAccidentHistory:
		return len(r.MissingDrivers()) == 0
	}
	return false
}

// ratedDrivers are the drivers whose records enter the price, with their personal data.
func (r Revision) ratedDrivers() []Driver {
	var rated []Driver
	for _, d := range r.Request.Drivers {
		if d.Rated() {
			rated = append(rated, d)
		}
	}
	return rated
}

// Facts are what the lookups found. A lookup that has not answered leaves its entries out, which
// rating takes as unavailable.
func (r Revision) Facts() rating.Facts {
	facts := rating.Facts{VIN: map[string]vehicle.Fact{}, History: map[string]accident.History{}}
	for _, v := range r.Vehicles {
		facts.VIN[v.VehicleID] = v.Fact
	}
	for _, d := range r.Drivers {
		facts.History[d.DriverID] = d.History
	}
	return facts
}

// historyPending reports whether a part of a driver's history is still missing. What arrived is rated, but the quote
// cannot be bound before the rest is known.
func (r Revision) historyPending() bool {
	return slices.ContainsFunc(r.Drivers, func(d DriverLookup) bool { return d.Pending })
}

// tooLarge reports whether a fact is incomplete because some reply was too large to be kept.
func (r Revision) tooLarge(fact Fact) bool {
	if fact == FactVehicles {
		return slices.ContainsFunc(r.Vehicles, func(v VehicleLookup) bool { return v.TooLarge })
	}
	return slices.ContainsFunc(r.Drivers, func(d DriverLookup) bool { return d.TooLarge })
}

// pending reports whether a fact is missing or incomplete.
func (r Revision) pending(fact Fact) bool {
	if fact == FactVehicles {
		return len(r.PendingVehicles()) > 0
	}
	return len(r.PendingDrivers()) > 0
}
