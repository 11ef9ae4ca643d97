package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/middleware"

	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/internal/log/eventstore"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/quotes/readmodel"
)

// commands measures what a command costs on logs of different lengths, in requests to DynamoDB and in consumed
// capacity.
func commands(ctx context.Context) ([]figure, error) {
	d, err := newDesk()
	if err != nil {
		return nil, err
	}
	defer d.Close()
	d.withSnapshots()
	quotes, now := d.quotes, d.now
	var figures []figure
	for i, who := range []string{"by a new customer", "by a customer whose key is known"} {
		d.spent = meter{}
		id := fmt.Sprintf("01KXAMPE0000000000000000S%d", i)
		h, err := quotes.Create(ctx, id, d.submit(id))
		if err != nil {
			return nil, err
		}
		if err := d.projections.PutLine(ctx, readmodel.Project(h)); err != nil {
			return nil, err
		}
		f := figure{what: "submission " + who, result: d.spent.String(), goal: noGoal}
		if i > 0 {
			f.goal, f.met = "0 reads", d.spent.reads == 0
		}
		figures = append(figures, f)
	}
	for i, length := range []int{1, 10, 100, 1_000, 10_000} {
		id := fmt.Sprintf("01KXAMPE00000000000000000%d", i)
		if err := grow(ctx, quotes, id, length, d.request, now); err != nil {
			return nil, err
		}
		d.spent = meter{}
		order := quotestore.Order{ID: "withdraw/" + id, At: now, Command: quote.WithdrawQuote{On: civil.DateOf(now)}}
		if _, err := quotes.Execute(ctx, id, order); err != nil {
			return nil, err
		}
		goal := "<= 2 reads"
		figures = append(figures, figure{
			fmt.Sprintf("withdrawal of a quote of %d events", length), d.spent.String(), goal, d.spent.reads <= 2,
		})
	}
	return figures, nil
}

// otherTerm is the request, alternately for six and for twelve months.
func otherTerm(r quote.Request, n int) quote.Request {
	r.TermMonths = 6 + 6*(n%2)
	return r
}

// grow makes a quote with a number of events, all of them amendments except the first, with its current snapshot.
func grow(ctx context.Context, quotes *quotestore.Store, id string, length int, request quote.Request, now time.Time) error {
	today := civil.DateOf(now)
	submit := quote.SubmitQuote{QuoteID: id, CustomerID: "bench", QuoteDate: today, Request: otherTerm(request, 1)}
	h, err := quotes.Create(ctx, id, quotestore.Order{ID: "submit/" + id, At: now, Command: submit})
	if err != nil {
		return err
	}
	const together = 50
	for last := h.Events[0]; last.Version < length; {
		var events []eventstore.Event
		for v := last.Version + 1; v <= min(last.Version+together, length); v++ {
			data, err := json.Marshal(quote.QuoteAmended{QuoteID: id, Revision: v, QuoteDate: today, Request: otherTerm(request, v)})
			if err != nil {
				return err
			}
			events = append(events, eventstore.Event{
				ID: fmt.Sprintf("%s/%d", id, v), Type: quote.TypeQuoteAmended, SchemaVersion: quote.SchemaVersion(quote.TypeQuoteAmended), OccurredAt: now, Data: data,
				Metadata: eventstore.Metadata{CommandID: fmt.Sprintf("grow/%d", v/together)},
			})
		}
		events[0].PreviousHash = last.Hash()
		if err := quotes.Log.Append(ctx, last.StreamID, last.Version, events); err != nil {
			return err
		}
		last = events[len(events)-1]
	}
	if length < quotestore.SnapshotEvery {
		return nil
	}
	return quotes.TakeSnapshot(ctx, id)
}

// meter adds up what requests to DynamoDB cost.
type meter struct {
	reads, writes int
	// read and written are capacity units; those of indexes are written too.
	read, written float64
}

func (m *meter) String() string {
	return fmt.Sprintf("%d reads %.1f RU, %d writes %.0f WU", m.reads, m.read, m.writes, m.written)
}

// attach requests the consumed capacity with each call, and records it.
func (m *meter) attach(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("meter", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
		switch p := in.Parameters.(type) {
		case *dynamodb.QueryInput:
			p.ReturnConsumedCapacity = types.ReturnConsumedCapacityTotal
		case *dynamodb.GetItemInput:
			p.ReturnConsumedCapacity = types.ReturnConsumedCapacityTotal
		case *dynamodb.BatchGetItemInput:
			p.ReturnConsumedCapacity = types.ReturnConsumedCapacityTotal
		case *dynamodb.PutItemInput:
			p.ReturnConsumedCapacity = types.ReturnConsumedCapacityTotal
		}
		out, metadata, err := next.HandleInitialize(ctx, in)
		switch r := out.Result.(type) {
		case *dynamodb.QueryOutput:
			m.reads, m.read = m.reads+1, m.read+units(r.ConsumedCapacity)
		case *dynamodb.GetItemOutput:
			m.reads, m.read = m.reads+1, m.read+units(r.ConsumedCapacity)
		case *dynamodb.BatchGetItemOutput:
			m.reads++
			for _, c := range r.ConsumedCapacity {
				m.read += units(&c)
			}
		case *dynamodb.PutItemOutput:
			m.writes, m.written = m.writes+1, m.written+units(r.ConsumedCapacity)
		}
		return out, metadata, err
	}), middleware.Before)
}

func units(c *types.ConsumedCapacity) float64 {
	if c == nil {
		return 0
	}
	return aws.ToFloat64(c.CapacityUnits)
}
