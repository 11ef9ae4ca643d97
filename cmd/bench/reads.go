package main

import (
	"context"
	"fmt"
	"log/slog"

	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/quotes/readmodel"
)

// reads measures what it costs to read a quote and a list, in requests to DynamoDB and in consumed capacity, while the
// projector is up to date and while it is behind.
func reads(ctx context.Context) ([]figure, error) {
	d, err := newDesk()
	if err != nil {
		return nil, err
	}
	defer d.Close()
	const page = 20
	quotes, projections, now := d.quotes, d.projections, d.now
	current := &readmodel.Current{Projections: projections, Log: quotes, Logger: slog.Default()}
	rate := quote.RateQuote{Revision: 1, Unanswered: []quote.Fact{quote.FactVehicles, quote.FactAccidentHistory}}
	var ids []string
	for i := range page {
		id := fmt.Sprintf("01KXAMPE00000000000000R%03d", i)
		h, err := quotes.Create(ctx, id, d.submit(id))
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
		d.spent = meter{}
		err := fn()
		figures = append(figures, figure{what, d.spent.String(), fmt.Sprintf("<= %d reads", most), d.spent.reads <= most})
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
	if err := measured("read of a quote while the projector is behind", 3, one); err != nil {
		return nil, err
	}
	err = measured(fmt.Sprintf("list of %d quotes, one of them ahead of the projector", page), 3, list)
	return figures, err
}
