package quote_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/domain/rating"
)

// eventsOfEachType has the events of some quotes, and one of every type as it was stored.
func eventsOfEachType(t *testing.T) []quote.Event {
	t.Helper()
	var events []quote.Event
	for _, k := range quote.Catalogue() {
		v := quote.Versioned{Type: k.Event.EventType(), Version: k.Version()}
		stored, err := quote.Decode(v, quotetest.Stored(t, v))
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, stored)
	}
	for _, id := range []string{"E02", "E13", "E15"} {
		events = append(events, quotetest.MustEvents(t, quotetest.MustExample(t, id).Commands()...)...)
	}
	l := mustLife(t)
	return append(events, l.amended(t), withdrawn, l.expired(), undone(4, quote.TypeQuoteOffered), l.corrected("QUOTED", "500.00", "-14.00"),
		asked(0), waived(rating.HistoryPending))
}

func TestEveryEventIsReadAsItIsWritten(t *testing.T) {
	t.Parallel()
	for _, e := range eventsOfEachType(t) {
		v := quote.Versioned{Type: e.EventType(), Version: quote.SchemaVersion(e.EventType())}
		data, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		got, err := quote.Decode(v, data)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, e) {
			t.Errorf("%s read as %+v\nwritten %+v", v.Type, got, e)
		}
		if got.EventType() != v.Type {
			t.Errorf("EventType=%s, want %s", got.EventType(), v.Type)
		}
	}
}

func TestWhatCannotBeReadIsRefused(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		v    quote.Versioned
		data string
		want string
	}{
		"a type that never was":             {quote.Versioned{Type: "QuoteLost", Version: 1}, `{}`, "event QuoteLost has no version 1 in this program"},
		"a version of the future":           {quote.Versioned{Type: quote.TypeQuoteOffered, Version: 99}, `{}`, "event QuoteOffered has no version 99 in this program"},
		"data that is not an object":        {quote.Versioned{Type: quote.TypeQuoteOffered, Version: 1}, `[]`, "decode QuoteOffered version 1: "},
		"an earlier version that is broken": {quote.Versioned{Type: quote.TypeVehiclesIdentified, Version: 1}, `{"vehicles":[{"vehicleId":"V1"}]}`, "upcast VehiclesIdentified version 1: answers: "},
		"a value that no longer is known":   {quote.Versioned{Type: quote.TypeQuoteOffered, Version: 1}, `{"rating":{"outcome":"MAYBE"}}`, "decode QuoteOffered version 1: "},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := quote.Decode(test.v, json.RawMessage(test.data))
			if err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("error=%v, want %s", err, test.want)
			}
		})
	}
	if v := quote.SchemaVersion("QuoteLost"); v != 0 {
		t.Errorf("SchemaVersion=%d for a type that never was, want 0", v)
	}
}
