package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/govalues/decimal"

	"milepost/domain/accident"
	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/domain/vehicle"
	"milepost/internal/log/eventstore"
	"milepost/internal/quotes/quotestore"
)

// earlier says that a quote was made days ago, by another program.
type earlier struct {
	Days int
	// TooDear is how much that program charged too much.
	TooDear string `yaml:"tooDear"`
	// Unanswered says that the bureau never answered, however often it was asked.
	Unanswered bool
}

// adopt adds a quote that was made earlier to the log.
func (d *Demo) adopt(ctx context.Context, p *plan, e entry, id string) error {
	at := time.Now().UTC().Truncate(time.Second).AddDate(0, 0, -e.Earlier.Days)
	orders, err := p.orders(e, id, at)
	if err != nil {
		return err
	}
	return d.Quotes.Adopt(ctx, id, orders, eventstore.ImportName(time.Now()))
}

// orders are those that led to a quote that was made earlier, with their events.
func (p *plan) orders(e entry, id string, at time.Time) (orders []quotestore.Decided, err error) {
	asked, err := p.request(e, civil.DateOf(at), nil)
	if err != nil {
		return nil, err
	}
	text, err := body(asked)
	if err != nil {
		return nil, err
	}
	var request quote.Request
	if err := json.Unmarshal([]byte(text), &request); err != nil {
		return nil, fmt.Errorf("quotes.yaml: %s: %w", e.ID, err)
	}
	vehicles, err := identified(request, at)
	if err != nil {
		return nil, err
	}
	day := request.Today(at)
	history := reported(request, at, e.Earlier.Unanswered)
	type given struct {
		by string
		quote.Command
	}
	commands := []given{
		{e.By, quote.SubmitQuote{QuoteID: id, CustomerID: e.By, QuoteDate: day, Request: request}},
		{"vinlookup", vehicles}, {"accidenthistory", history}, {"rate", quote.RateQuote{Revision: 1}},
	}
	if e.Earlier.Unanswered {
		for range 2 {
			at := at.Add(time.Duration(len(commands)) * time.Second)
			again := quote.RequestLookups{Revision: 1, At: at, On: day}
			commands = append(commands, given{e.By, again}, given{"accidenthistory", history})
		}
	}
	var q quote.Quote
	for i, c := range commands {
		events, err := quote.Decide(q, c.Command)
		if err != nil {
			return nil, fmt.Errorf("%T: %w", c.Command, err)
		}
		for n, event := range events {
			if events[n], err = misrated(event, e.Earlier.TooDear); err != nil {
				return nil, err
			}
			q = quote.Evolve(q, events[n])
		}
		orders = append(orders, quotestore.Decided{Events: events, Order: quotestore.Order{
			ID: fmt.Sprintf("demo/%s/%d", id, i), Actor: c.by, CorrelationID: "demo/" + e.ID, At: at.Add(time.Duration(i) * time.Second),
		}})
	}
	return orders, nil
}

// identified is what the vehicles' lookup finds, by the data in the program.
func identified(r quote.Request, at time.Time) (quote.RecordVehicles, error) {
	c := quote.RecordVehicles{Revision: 1}
	for _, v := range r.Vehicles {
		decoded, err := vehicle.Identify(v.VIN, v.ModelYear, at.Year())
		if err != nil {
			return c, err
		}
		reply, err := json.Marshal(decoded)
		if err != nil {
			return c, err
		}
		c.Vehicles = append(c.Vehicles, quote.VehicleLookup{VehicleID: v.VehicleID, Fact: vehicle.FactOf(decoded)})
		c.Answers = append(c.Answers, quote.Answer{
			Subjects: []string{v.VehicleID}, Provider: "embedded", AskedAt: at, Attempts: 1, Reply: string(reply),
		})
	}
	return c, nil
}

// reported is what the bureau says: that it knows nobody, or nothing at all.
func reported(r quote.Request, at time.Time, unanswered bool) quote.RecordAccidentHistory {
	c := quote.RecordAccidentHistory{Revision: 1}
	for _, driver := range r.Drivers {
		l := quote.DriverLookup{DriverID: driver.DriverID}
		l.History.Incidents = []accident.Incident{}
		a := quote.Answer{Subjects: []string{driver.DriverID}, Provider: "accident-history", AskedAt: at, Attempts: 1, Status: 200}
		if l.History.Status = accident.NoHit; unanswered {
			l.History.Status, l.Retryable = accident.Unavailable, true
			a.Status, a.Unavailable = 503, "SOURCE_UNAVAILABLE"
		}
		c.Drivers, c.Answers = append(c.Drivers, l), append(c.Answers, a)
	}
	return c
}

// misrated is an offer as a faulty program would have made it: too dear by an amount, unless that is "".
func misrated(e quote.Event, by string) (quote.Event, error) {
	offer, ok := e.(quote.QuoteOffered)
	if !ok || by == "" {
		return e, nil
	}
	amount, err := decimal.Parse(by)
	if err != nil {
		return nil, err
	}
	price := *offer.Rating.Price
	for _, total := range []*decimal.Decimal{&price.TotalPremium, &price.CoverageTotal} {
		if *total, err = total.Add(amount); err != nil {
			return nil, err
		}
	}
	offer.Rating.Price = &price
	return offer, nil
}
