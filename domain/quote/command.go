package quote

import (
	"fmt"
	"strings"

	"milepost/domain/civil"
	"milepost/domain/rating"
)

// Command is a wish about a quote. Decide grants it with events or refuses it with an error.
type Command interface{ isCommand() }

// SubmitQuote asks for a price.
type SubmitQuote struct {
	QuoteID    string
	CustomerID string
	QuoteDate  civil.Date
	Request    Request
}

// RecordVehicles brings what the VIN lookup found. It must cover every vehicle of the revision.
type RecordVehicles struct {
	Revision int
	Vehicles []VehicleLookup
}

// RecordAccidentHistory brings what the accident history provider said. It must cover every rated
// driver of the revision.
type RecordAccidentHistory struct {
	Revision int
	Drivers  []DriverLookup
}

// RateQuote asks for the outcome of a revision from the facts that are there. Lookups that have
// not answered are named in Unanswered: their facts count as unavailable and the quote is referred.
type RateQuote struct {
	Revision   int
	Unanswered []Fact
}

func (SubmitQuote) isCommand()           {}
func (RecordVehicles) isCommand()        {}
func (RecordAccidentHistory) isCommand() {}
func (RateQuote) isCommand()             {}

// InvalidRequest refuses a request that cannot be quoted. Codes are the validation rules it fails.
type InvalidRequest struct{ Codes []rating.Code }

func (e *InvalidRequest) Error() string {
	codes := make([]string, len(e.Codes))
	for i, c := range e.Codes {
		codes[i] = string(c)
	}
	return "the request cannot be quoted: " + strings.Join(codes, ", ")
}

// RepeatedID refuses a request in which two drivers, or two vehicles, have the same id: what the
// providers say of one would count for the other.
type RepeatedID struct{ ID string }

func (e *RepeatedID) Error() string { return fmt.Sprintf("the id %q stands for two", e.ID) }

// AlreadySubmitted refuses a second submission under the same quote id.
type AlreadySubmitted struct{ QuoteID string }

func (e *AlreadySubmitted) Error() string { return "quote " + e.QuoteID + " is already submitted" }

// NoSuchRevision refuses a command about a revision that the quote does not have.
type NoSuchRevision struct{ Revision int }

func (e *NoSuchRevision) Error() string {
	return fmt.Sprintf("the quote has no revision %d", e.Revision)
}

// IncompleteLookup refuses a lookup result that leaves out a vehicle or driver, or brings a
// stranger or one of them twice.
type IncompleteLookup struct{ Missing, Unknown []string }

func (e *IncompleteLookup) Error() string {
	return fmt.Sprintf("the lookup does not fit the request: missing %v, unknown %v", e.Missing, e.Unknown)
}

// FactMissing refuses to rate a revision whose fact is neither there nor declared unanswered.
type FactMissing struct{ Fact Fact }

func (e *FactMissing) Error() string { return "the quote still waits for " + string(e.Fact) }
