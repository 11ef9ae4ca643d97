package main

import (
	"encoding/json"
	"time"

	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/quotes/readmodel"
	"milepost/internal/wiring"
	"milepost/system"
)

// desk is a system that was not started, so that nothing else calls it, with stores that count what they spend.
type desk struct {
	*system.System
	parts       *wiring.System
	spent       meter
	quotes      *quotestore.Store
	projections *readmodel.Store
	request     quote.Request
	now         time.Time
}

// newDesk opens a desk, which must be closed. Its quotes have no snapshots until withSnapshots.
func newDesk() (*desk, error) {
	d := &desk{now: time.Now().UTC()}
	if err := json.Unmarshal([]byte(system.Example(civil.DateOf(d.now))), &d.request); err != nil {
		return nil, err
	}
	var err error
	if d.System, err = system.Open(system.Options{Template: "template.yaml", Parameters: system.Unbounded()}); err != nil {
		return nil, err
	}
	cfg := d.Config()
	cfg.APIOptions = append(cfg.APIOptions, d.spent.attach)
	d.parts = d.PartsWith(cfg)
	d.quotes, d.projections = d.parts.Quotes(), d.parts.Unsearched()
	return d, d.parts.Err()
}

// withSnapshots lets the quotes be read from snapshots.
func (d *desk) withSnapshots() { d.quotes.Snapshots = d.parts.Snapshots() }

// submit is the order of a customer's submission.
func (d *desk) submit(quoteID string) quotestore.Order {
	command := quote.SubmitQuote{QuoteID: quoteID, CustomerID: customer, QuoteDate: civil.DateOf(d.now), Request: d.request}
	return quotestore.Order{ID: "submit/" + quoteID, At: d.now, Command: command}
}

// customer is the quotes' customer.
const customer = "bench"
