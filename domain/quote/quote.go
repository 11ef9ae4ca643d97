package quote

import (
	"slices"

	"milepost/domain/accident"
	"milepost/domain/civil"
	"milepost/domain/rating"
)

// Status is where a quote stands, in the words of DOMAIN.md's life cycle.
type Status string

// The statuses of a quote.
const (
	StatusRequested Status = "REQUESTED"
	StatusQuoted    Status = "QUOTED"
	StatusReferred  Status = "REFERRED"
	StatusDeclined  Status = "DECLINED"
)

// Quote is the state of the aggregate: the fold of its events. The zero Quote has none.
type Quote struct {
	ID         string
	CustomerID string
	// Version is the number of events folded.
	Version   int
	Status    Status
	Revision  int
	QuoteDate civil.Date
	Request   Request
	// Vehicles and Drivers are nil until their lookup has answered.
	Vehicles []VehicleLookup
	Drivers  []DriverLookup
	// Rating is the outcome of the revision, nil until there is one.
	Rating     *rating.Result
	Unanswered []Fact
}

// Fold is the state after events, in order.
func Fold(events ...Event) Quote {
	var q Quote
	for _, e := range events {
		q = Evolve(q, e)
	}
	return q
}

// Evolve folds one event into the state. It only copies facts, so it cannot fail.
func Evolve(q Quote, e Event) Quote {
	q.Version++
	switch e := e.(type) {
	case QuoteRequested:
		q.ID, q.CustomerID, q.Status = e.QuoteID, e.CustomerID, StatusRequested
		q.Revision, q.QuoteDate, q.Request = e.Revision, e.QuoteDate, e.Request
	case VehiclesIdentified:
		q.Vehicles = e.Vehicles
	case AccidentHistoryRetrieved:
		q.Drivers = e.Drivers
	case QuoteOffered:
		q.Status, q.Rating = StatusQuoted, &e.Rating
	case QuoteReferred:
		q.Status, q.Rating, q.Unanswered = StatusReferred, &e.Rating, e.Unanswered
	case QuoteDeclined:
		q.Status, q.Rating = StatusDeclined, &e.Rating
	}
	return q
}

// Decide gives the events that grant a command, none when what it wants is already so, or the
// reason why it is refused.
func Decide(q Quote, c Command) ([]Event, error) {
	switch c := c.(type) {
	case SubmitQuote:
		return submit(q, c)
	case RecordVehicles:
		return recordVehicles(q, c)
	case RecordAccidentHistory:
		return recordAccidentHistory(q, c)
	case RateQuote:
		return rate(q, c)
	}
	panic("quote: a command that Decide does not know")
}

func submit(q Quote, c SubmitQuote) ([]Event, error) {
	if q.Version > 0 {
		return nil, &AlreadySubmitted{QuoteID: q.ID}
	}
	if id, twice := c.Request.repeatedID(); twice {
		return nil, &RepeatedID{ID: id}
	}
	if codes := rating.Validate(c.Request.Rating(c.QuoteDate)); len(codes) > 0 {
		return nil, &InvalidRequest{Codes: codes}
	}
	return []Event{QuoteRequested{
		QuoteID: c.QuoteID, Revision: 1, CustomerID: c.CustomerID, QuoteDate: c.QuoteDate, Request: c.Request,
	}}, nil
}

func recordVehicles(q Quote, c RecordVehicles) ([]Event, error) {
	if err := q.checkRevision(c.Revision); err != nil || q.Vehicles != nil {
		return nil, err
	}
	var wanted, got []string
	for _, v := range q.Request.Vehicles {
		wanted = append(wanted, v.VehicleID)
	}
	for _, v := range c.Vehicles {
		got = append(got, v.VehicleID)
	}
	if err := sameSubjects(wanted, got); err != nil {
		return nil, err
	}
	return []Event{VehiclesIdentified{QuoteID: q.ID, Revision: c.Revision, Vehicles: c.Vehicles}}, nil
}

func recordAccidentHistory(q Quote, c RecordAccidentHistory) ([]Event, error) {
	if err := q.checkRevision(c.Revision); err != nil || q.Drivers != nil {
		return nil, err
	}
	var wanted, got []string
	for _, d := range q.RatedDrivers() {
		wanted = append(wanted, d.DriverID)
	}
	for _, d := range c.Drivers {
		got = append(got, d.DriverID)
	}
	if err := sameSubjects(wanted, got); err != nil {
		return nil, err
	}
	return []Event{AccidentHistoryRetrieved{QuoteID: q.ID, Revision: c.Revision, Drivers: c.Drivers}}, nil
}

func rate(q Quote, c RateQuote) ([]Event, error) {
	if err := q.checkRevision(c.Revision); err != nil || q.Rating != nil {
		return nil, err
	}
	var unanswered []Fact
	for _, fact := range []Fact{FactAccidentHistory, FactVehicles} {
		if q.has(fact) {
			continue
		}
		if !slices.Contains(c.Unanswered, fact) {
			return nil, &FactMissing{Fact: fact}
		}
		unanswered = append(unanswered, fact)
	}

	result := rating.Rate(q.Request.Rating(q.QuoteDate), q.Facts())
	if q.historyPending() && !slices.Contains(result.Conditions, rating.HistoryPending) {
		result.Conditions = append(result.Conditions, rating.HistoryPending)
	}
	switch {
	case result.Outcome == rating.Declined:
		return []Event{QuoteDeclined{QuoteID: q.ID, Revision: c.Revision, Rating: result}}, nil
	case result.Outcome == rating.Referred || len(unanswered) > 0:
		return []Event{QuoteReferred{QuoteID: q.ID, Revision: c.Revision, Rating: result, Unanswered: unanswered}}, nil
	case result.Outcome == rating.Quoted:
		return []Event{QuoteOffered{QuoteID: q.ID, Revision: c.Revision, Rating: result}}, nil
	}
	return nil, &InvalidRequest{Codes: result.Reasons}
}

func (q Quote) has(fact Fact) bool {
	if fact == FactVehicles {
		return q.Vehicles != nil
	}
	return q.Drivers != nil
}

// RatedDrivers are the drivers whose records enter the price, with their personal data.
func (q Quote) RatedDrivers() []Driver {
	var rated []Driver
	for _, d := range q.Request.Drivers {
		if d.Rated() {
			rated = append(rated, d)
		}
	}
	return rated
}

// Facts are what the lookups found. A lookup that has not answered leaves its entries out, which
// rating takes as unavailable.
func (q Quote) Facts() rating.Facts {
	facts := rating.Facts{VIN: map[string]rating.VehicleFact{}, History: map[string]accident.History{}}
	for _, v := range q.Vehicles {
		facts.VIN[v.VehicleID] = v.Fact
	}
	for _, d := range q.Drivers {
		facts.History[d.DriverID] = d.History
	}
	return facts
}

// historyPending reports whether some source still owes its part of a driver's history. What came is
// rated, but the quote cannot be bound before the rest is in.
func (q Quote) historyPending() bool {
	return slices.ContainsFunc(q.Drivers, func(d DriverLookup) bool { return d.Pending })
}

func (q Quote) checkRevision(revision int) error {
	if revision < 1 || revision != q.Revision {
		return &NoSuchRevision{Revision: revision}
	}
	return nil
}

// sameSubjects checks that a lookup answered about exactly those it was asked about.
func sameSubjects(wanted, got []string) error {
	e := &IncompleteLookup{}
	for _, w := range wanted {
		if !slices.Contains(got, w) {
			e.Missing = append(e.Missing, w)
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
