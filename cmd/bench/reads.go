package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"milepost/cmd/internal/system"
	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/internal/eventstore"
	"milepost/internal/quotestore"
	"milepost/internal/readmodel"
	"milepost/schemas"
)

// reads tells what it costs to read a quote and a list, in requests to DynamoDB and in the capacity that these
// consume, while the projector is as far as the log and while it is behind.
func reads(ctx context.Context) ([]figure, error) {
	s, err := system.Open(system.Options{Template: "template.yaml", Parameters: system.Unbounded()}) // not started: nobody else asks
	if err != nil {
		return nil, err
	}
	defer s.Close()
	var spent meter
	db := dynamodb.NewFromConfig(s.Config(), func(o *dynamodb.Options) { o.APIOptions = append(o.APIOptions, spent.attach) })
	quotes := &quotestore.Store{
		Log:  &eventstore.Store{DB: db, Table: "milepost-events", Validate: schemas.ValidateEvent},
		Keys: customerKeys(s, db),
	}
	projections := &readmodel.Store{DB: db, Quotes: "milepost-quotes", CustomerQuotes: "milepost-customer-quotes"}
	current := &readmodel.Current{Projections: projections, Log: quotes, Logger: slog.Default()}
	const customer, page = "bench", 20
	now := time.Now().UTC()
	var request quote.Request
	if err := json.Unmarshal([]byte(system.Example(civil.DateOf(now))), &request); err != nil {
		return nil, err
	}
	rate := quote.RateQuote{Revision: 1, Unanswered: []quote.Fact{quote.FactVehicles, quote.FactAccidentHistory}}
	var ids []string
	for i := range page {
		id := fmt.Sprintf("01KXAMPE00000000000000R%03d", i)
		submit := quote.SubmitQuote{QuoteID: id, CustomerID: customer, QuoteDate: civil.DateOf(now), Request: request}
		h, err := quotes.Open(ctx, id, quotestore.Order{ID: "submit/" + id, At: now, Command: submit})
		if err != nil {
			return nil, err
		}
		if h, err = quotes.ExecuteOn(ctx, h, quotestore.Order{ID: "rate/" + id, At: now, Command: rate}); err != nil {
			return nil, err
		}
		if err := projections.Put(ctx, readmodel.Project(h)); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	var figures []figure
	measured := func(what string, most int, fn func() error) error {
		spent = meter{}
		err := fn()
		figures = append(figures, figure{what, spent.String(), fmt.Sprintf("<= %d reads", most), spent.reads <= most})
		return err
	}
	one := func() error { _, _, err := current.Quote(ctx, ids[0]); return err }
	list := func() error { _, err := current.List(ctx, customer, "", page); return err }
	if err := measured("read of a quote", 2, one); err != nil {
		return nil, err
	}
	if err := measured(fmt.Sprintf("list of %d quotes", page), 2, list); err != nil {
		return nil, err
	}
	if _, err := quotes.Execute(ctx, ids[0], quotestore.Order{ID: "withdraw", At: now, Command: quote.WithdrawQuote{On: civil.DateOf(now)}}); err != nil {
		return nil, err
	}
	if err := measured("read of a quote that the projector is behind with", 3, one); err != nil {
		return nil, err
	}
	err = measured(fmt.Sprintf("list of %d quotes, one of which the projector is behind with", page), 3, list)
	return figures, err
}
