// Package quotetest has quotes for tests: an Example is one of the worked examples of the rating, as
// its customer would submit it and as its providers would answer.
package quotetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"milepost/domain/accident"
	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/domain/rating"
	"milepost/domain/vehicle"
)

// ID and Customer are the quote and the customer of every example.
const (
	ID       = "01KXAMPE0000000000000000QT"
	Customer = "customer-1"
)

// Names that are made for all drivers, so that a test can look for where they turn up.
const (
	FirstName     = "Philippa"
	LastName      = "Wintergreen"
	LicenseNumber = "LICENSE-QX"
)

// Agency is who reports the accident histories.
var Agency = accident.Agency{Name: "Example Reports Inc.", Address: "PO Box 1, Springfield OH 45501", Phone: "800-555-0100"}

// Example is a request with what the providers answer about it and the result to expect.
type Example struct {
	ID        string
	QuoteDate civil.Date
	Request   quote.Request
	Facts     rating.Facts
	Expected  rating.Result
}

// Examples reads the 24 worked examples.
func Examples(tb testing.TB) []Example {
	tb.Helper()
	var file struct {
		Examples []struct {
			ID       string
			Request  rating.Request
			Facts    rating.Facts
			Expected rating.Result
		}
	}
	if err := json.Unmarshal(mustRead(tb, "domain", "rating", "testdata", "worked-examples.json"), &file); err != nil {
		tb.Fatal(err)
	}
	examples := make([]Example, len(file.Examples))
	for i, e := range file.Examples {
		r := e.Request
		examples[i] = Example{ID: e.ID, QuoteDate: r.QuoteDate, Facts: e.Facts, Expected: e.Expected, Request: quote.Request{
			State: r.State, EffectiveDate: r.EffectiveDate, TermMonths: r.TermMonths, Policy: r.Policy,
			Coverages: r.Coverages, Vehicles: r.Vehicles,
		}}
		for n, d := range r.Drivers {
			license := LicenseNumber
			if n > 0 { // everybody has their own license
				license += d.DriverID
			}
			examples[i].Request.Drivers = append(examples[i].Request.Drivers, quote.Driver{
				Driver: d, FirstName: FirstName, LastName: LastName, LicenseNumber: license,
			})
		}
	}
	return examples
}

// MustExample is one of the Examples.
func MustExample(tb testing.TB, id string) Example {
	tb.Helper()
	all := Examples(tb)
	i := slices.IndexFunc(all, func(e Example) bool { return e.ID == id })
	if i < 0 {
		tb.Fatalf("there is no example %s", id)
	}
	return all[i]
}

// Root is the directory of go.mod.
func Root(tb testing.TB) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for dir != filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		dir = filepath.Dir(dir)
	}
	return dir
}

// On is the example requested on another day, with the dates of the policy moved equally.
func (e Example) On(day civil.Date) Example {
	days := day.Sub(e.QuoteDate)
	e.QuoteDate = day
	e.Request.EffectiveDate = e.Request.EffectiveDate.AddDays(days)
	if prior := &e.Request.Policy.PriorInsurance; !prior.ExpirationDate.IsZero() {
		prior.ExpirationDate = prior.ExpirationDate.AddDays(days)
	}
	return e
}

// Submit requests the quote on the day of the example.
func (e Example) Submit() quote.SubmitQuote {
	return quote.SubmitQuote{QuoteID: ID, CustomerID: Customer, QuoteDate: e.QuoteDate, Request: e.Request}
}

// Vehicles records the example's facts about the vehicles.
func (e Example) Vehicles() quote.RecordVehicles {
	c := quote.RecordVehicles{Revision: 1}
	for _, v := range e.Request.Vehicles {
		fact, ok := e.Facts.VIN[v.VehicleID]
		if !ok {
			fact.Status = vehicle.Unavailable
		}
		c.Vehicles = append(c.Vehicles, quote.VehicleLookup{VehicleID: v.VehicleID, Fact: fact})
		c.Answers = append(c.Answers, Answer("embedded", v.VehicleID))
	}
	return c
}

// Histories records the example's facts about the rated drivers.
func (e Example) Histories() quote.RecordAccidentHistory {
	c := quote.RecordAccidentHistory{Revision: 1}
	for _, d := range e.Request.Drivers {
		if !d.Rated() {
			continue
		}
		history, ok := e.Facts.History[d.DriverID]
		if !ok {
			history.Status = accident.Unavailable
		}
		if history.Incidents == nil {
			history.Incidents = []accident.Incident{}
		}
		lookup := quote.DriverLookup{DriverID: d.DriverID, Assessment: accident.Assessment{History: history}}
		if history.Status != accident.Unavailable {
			lookup.ReportID, lookup.Agency = "report-"+d.DriverID, &Agency
		}
		c.Drivers = append(c.Drivers, lookup)
		c.Answers = append(c.Answers, Answer("accident-history", d.DriverID))
	}
	return c
}

// Answer is a provider's answer about a vehicle or driver.
func Answer(provider, subject string) quote.Answer {
	return quote.Answer{Subjects: []string{subject}, Provider: provider, AskedAt: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC), Millis: 40, Attempts: 1, Status: 200, Reply: "{}"}
}

// Stored is the data of an event of one version as it was stored. Those of a type describe the same event. None of the
// files ever changes, because stored events do not.
func Stored(tb testing.TB, v quote.Versioned) json.RawMessage {
	tb.Helper()
	return mustRead(tb, "domain", "quote", "testdata", "events", fmt.Sprintf("%s.v%d.json", v.Type, v.Version))
}

// Valid is a valid event of a type and version, for tests and docs/events.md: the example of its schema, with every
// member, or if it has none the Stored one.
func Valid(tb testing.TB, v quote.Versioned) json.RawMessage {
	tb.Helper()
	example := []string{"schemas", "testdata", "events", fmt.Sprintf("%s.v%d.valid.json", v.Type, v.Version)}
	if _, err := os.Stat(filepath.Join(append([]string{Root(tb)}, example...)...)); errors.Is(err, fs.ErrNotExist) {
		return Stored(tb, v)
	}
	return mustRead(tb, example...)
}

// mustRead reads a file of the module.
func mustRead(tb testing.TB, path ...string) []byte {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{Root(tb)}, path...)...))
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

// Logs are the names of the Log files.
var Logs = []string{"amended", "approved", "withdrawn"}

// Log returns a quote's log as it is stored, one event after the other, each as a JSON object. There is each log as the
// program wrote it that knew the first version of every event (version 1), and what its events say in the versions that
// came with the second of VehiclesIdentified and AccidentHistoryRetrieved (version 2).
func Log(tb testing.TB, name string, version int) []json.RawMessage {
	tb.Helper()
	var events []json.RawMessage
	for line := range bytes.Lines(mustRead(tb, "domain", "quote", "testdata", "logs", fmt.Sprintf("%s.v%d.jsonl", name, version))) {
		events = append(events, line)
	}
	return events
}

// AnswersIn returns the providers' answers in a stored event, none if it is of another type.
func AnswersIn(tb testing.TB, v quote.Versioned, data json.RawMessage) []quote.Answer {
	tb.Helper()
	e, err := quote.Decode(v, data)
	if err != nil {
		tb.Fatal(err)
	}
	switch e := e.(type) {
	case quote.VehiclesIdentified:
		return e.Answers
	case quote.AccidentHistoryRetrieved:
		return e.Answers
	default:
		return nil
	}
}

// Commands are the commands of an example's whole way, in order.
func (e Example) Commands() []quote.Command {
	return []quote.Command{e.Submit(), e.Vehicles(), e.Histories(), quote.RateQuote{Revision: 1}}
}

// MustEvents are the events of commands on a new quote.
func MustEvents(tb testing.TB, commands ...quote.Command) []quote.Event {
	tb.Helper()
	var events []quote.Event
	for _, c := range commands {
		decided, err := quote.Decide(quote.Fold(events...), c)
		if err != nil {
			tb.Fatalf("decide %T: %v", c, err)
		}
		events = append(events, decided...)
	}
	return events
}
