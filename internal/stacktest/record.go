package stacktest

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/internal/log/eventstore"
	"milepost/internal/quotes/quotestore"
)

// MustRecord appends events to a quote as an earlier program did, whether it was right or not. Events that follow
// each other are a millisecond apart.
func MustRecord(tb testing.TB, log *eventstore.Store, quoteID string, at time.Time, events ...quote.Event) {
	tb.Helper()
	stream := quotestore.StreamID(quoteID)
	before, err := log.Load(tb.Context(), stream, 0)
	if err != nil {
		tb.Fatal(err)
	}
	recorded := make([]eventstore.Event, len(events))
	for i, e := range events {
		data, err := json.Marshal(e)
		if err != nil {
			tb.Fatal(err)
		}
		id := fmt.Sprintf("%s/%d", quoteID, len(before)+i+1)
		recorded[i] = eventstore.Event{
			ID: id, Type: e.EventType(), SchemaVersion: quote.SchemaVersion(e.EventType()), Data: data,
			OccurredAt: at.Add(time.Duration(i) * time.Millisecond),
			Metadata:   eventstore.Metadata{CommandID: id, CorrelationID: "record", Actor: "an earlier program"},
		}
	}
	if len(before) > 0 {
		recorded[0].PreviousHash = before[len(before)-1].Hash()
	}
	if err := log.Append(tb.Context(), stream, len(before), recorded); err != nil {
		tb.Fatal(err)
	}
}

// Misrated is the log of an example's quote under an id, as a faulty program made it: its price is too high by the
// dollars.
func Misrated(tb testing.TB, e quotetest.Example, quoteID string, dollars int64) []quote.Event {
	tb.Helper()
	commands := e.Commands()
	submit := e.Submit()
	submit.QuoteID = quoteID
	commands[0] = submit
	events := quotetest.MustEvents(tb, commands...)
	for i := range events {
		events[i] = quotetest.Misrated(tb, events[i], dollars)
	}
	return events
}
