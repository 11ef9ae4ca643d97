package main

import (
	"encoding/json"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/internal/log/eventstore"
	"milepost/internal/log/seal"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/quotes/readmodel"
	"milepost/schemas"
	"milepost/system"
)

// desk is a system that was not started, so that nobody else asks, and stores over it that count what they spend.
type desk struct {
	*system.System
	spent       meter
	quotes      *quotestore.Store
	projections *readmodel.Store
	request     quote.Request
	now         time.Time
}

// newDesk opens a desk, which has to be closed. Its quotes have no snapshots until withSnapshots.
func newDesk() (*desk, error) {
	d := &desk{now: time.Now().UTC()}
	if err := json.Unmarshal([]byte(system.Example(civil.DateOf(d.now))), &d.request); err != nil {
		return nil, err
	}
	var err error
	if d.System, err = system.Open(system.Options{Template: "template.yaml", Parameters: system.Unbounded()}); err != nil {
		return nil, err
	}
	db := dynamodb.NewFromConfig(d.Config(), func(o *dynamodb.Options) { o.APIOptions = append(o.APIOptions, d.spent.attach) })
	d.quotes = &quotestore.Store{
		Log:  &eventstore.Store{DB: db, Table: "milepost-events", Validate: schemas.ValidateEvent},
		Keys: customerKeys(d.System, db),
	}
	d.projections = &readmodel.Store{DB: db, Quotes: "milepost-quotes", CustomerQuotes: "milepost-customer-quotes"}
	return d, nil
}

// withSnapshots lets the quotes be read from snapshots.
func (d *desk) withSnapshots() {
	d.quotes.Snapshots = &quotestore.Snapshots{DB: d.quotes.Log.DB, Table: "milepost-snapshots", Logger: slog.Default()}
}

// submit is the order of a customer's submission.
func (d *desk) submit(quoteID string) quotestore.Order {
	command := quote.SubmitQuote{QuoteID: quoteID, CustomerID: customer, QuoteDate: civil.DateOf(d.now), Request: d.request}
	return quotestore.Order{ID: "submit/" + quoteID, At: d.now, Command: command}
}

// customer is whose the quotes are.
const customer = "bench"

// customerKeys are the keys of a system's customers, read with a client.
func customerKeys(s *system.System, db *dynamodb.Client) *seal.Keys {
	return &seal.Keys{
		DB: db, KMS: kms.NewFromConfig(s.Config()),
		Table: "milepost-customer-keys", WrappingKey: "alias/milepost-customer-keys",
	}
}
