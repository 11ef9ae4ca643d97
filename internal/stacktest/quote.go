package stacktest

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/internal/platform/stored"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/quotes/readmodel"
)

// Projections are the projections of the quotes.
func (s *Stack) Projections() *readmodel.Store { return s.Parts().Projections() }

// MustQuote carries out the commands of an example on a new quote of a customer, or the first ones, a second apart. It
// projects the quote and returns it.
func (s *Stack) MustQuote(tb testing.TB, e quotetest.Example, customerID, quoteID string, at time.Time, commands int) quotestore.History {
	tb.Helper()
	quotes := s.Quotes()
	for i, c := range e.Commands()[:commands] {
		order := quotestore.Order{
			ID: fmt.Sprint(quoteID, "/", i), Actor: "tester", CorrelationID: "c", At: at.Add(time.Duration(i) * time.Second), Command: c,
		}
		do := quotes.Execute
		if submit, first := c.(quote.SubmitQuote); first {
			submit.QuoteID, submit.CustomerID = quoteID, customerID
			order.Command, do = submit, quotes.Create
		}
		if _, err := do(tb.Context(), quoteID, order); err != nil {
			tb.Fatal(err)
		}
	}
	h, err := quotes.Load(tb.Context(), quoteID)
	if err != nil {
		tb.Fatal(err)
	}
	if err := s.Projections().Put(tb.Context(), readmodel.Project(h)); err != nil {
		tb.Fatal(err)
	}
	return h
}

// EventKey is the key of an event in the table of events.
func EventKey(quoteID string, version int) stored.Item {
	return stored.Item{
		"streamId": stored.Text(quotestore.StreamID(quoteID)),
		"version":  &types.AttributeValueMemberN{Value: fmt.Sprint(version)},
	}
}
