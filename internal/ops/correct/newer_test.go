package correct_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/domain/rating"
	"milepost/internal/log/eventstore"
	"milepost/internal/ops/correct"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/stacktest"
)

// TestWhatANewerProgramSaidIsRefused has quotes of a program that knew more than this one. Each is refused by what is
// unknown, and an ordinary one among them is corrected.
func TestWhatANewerProgramSaidIsRefused(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	e := quotetest.MustExample(t, "E01")
	validate := d.Quotes.Log.Validate
	d.Quotes.Log.Validate = func(string, int, []byte) error { return nil }
	newer := []struct {
		change func(e *eventstore.Event)
		want   string
	}{
		{func(e *eventstore.Event) { replace(e, quote.TypeQuoteOffered, `"2026.1"`, `"2030.1"`) }, "it was rated under rate plan 2030.1, which this program does not have"},
		{func(e *eventstore.Event) { replace(e, quote.TypeQuoteOffered, `"QUOTED"`, `"AUCTIONED"`) }, `unknown outcome "AUCTIONED"`},
		{func(e *eventstore.Event) {
			replace(e, quote.TypeQuoteRequested, `"state":"`, `"telematics":true,"state":"`)
		}, "version 1, QuoteRequested, says what this program does not know"},
		{func(e *eventstore.Event) { replace(e, quote.TypeQuoteRequested, `"state":"OH"`, `"state":"ZZ"`) }, "V01_STATE_NOT_SUPPORTED"},
		{func(e *eventstore.Event) { replace(e, quote.TypeVehiclesIdentified, `"status":"`, `"status":"FLYING`) }, "unknown"},
		{func(e *eventstore.Event) { e.SchemaVersion += 90 }, "has no version 91 in this program"},
		{func(e *eventstore.Event) { e.Type = strings.Replace(e.Type, "QuoteRequested", "QuoteDictated", 1) }, "event QuoteDictated has no version 1 in this program"},
	}
	record := func(n int, change func(*eventstore.Event)) {
		stream := quotestore.StreamID(quoteID(n))
		var events []eventstore.Event
		for i, e := range stacktest.Misrated(t, e, quoteID(n), 20) {
			data, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			events = append(events, eventstore.Event{
				ID: stream + e.EventType(), Type: e.EventType(), SchemaVersion: quote.SchemaVersion(e.EventType()), Data: data,
				OccurredAt: at.Add(time.Duration(10*n+i) * time.Second),
			})
			change(&events[i])
		}
		if err := d.Quotes.Log.Append(t.Context(), stream, 0, events); err != nil {
			t.Fatal(err)
		}
	}
	record(0, func(*eventstore.Event) {})
	for i, row := range newer {
		record(i+1, row.change)
	}
	d.Quotes.Log.Validate = validate
	found, figures := d.run()
	if figures.Corrected != 1 || figures.Refused != len(newer) || figures.Quotes != len(newer)+1 {
		t.Errorf("figures %+v, want one corrected and %d refused", figures, len(newer))
	}
	by := map[string]correct.Finding{}
	for _, f := range found {
		by[f.QuoteID] = f
	}
	for i, row := range newer {
		if f := by[quoteID(i+1)]; f.Result != correct.Refused || !strings.Contains(f.Reason, row.want) {
			t.Errorf("quote %d: %+v, want it refused for: %s", i+1, f, row.want)
		}
	}
	if f := by[quoteID(0)]; f.Result != correct.Corrected || f.Outcome != rating.Quoted {
		t.Errorf("the ordinary one: %+v", f)
	}
}

func replace(e *eventstore.Event, eventType, before, after string) {
	if e.Type == eventType {
		e.Data = json.RawMessage(strings.Replace(string(e.Data), before, after, 1))
	}
}
