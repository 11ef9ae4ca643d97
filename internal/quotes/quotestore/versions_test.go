package quotestore_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/internal/log/eventstore"
	"milepost/internal/quotes/quotestore"
)

// mustReadLog returns a log as it is stored, in the first or in the second version of its events.
func mustReadLog(tb testing.TB, name string, version int) []eventstore.Event {
	tb.Helper()
	var events []eventstore.Event
	for _, line := range quotetest.Log(tb, name, version) {
		var e eventstore.Event
		if err := json.Unmarshal(line, &e); err != nil {
			tb.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}

// mixed takes the events in turn from two logs.
func mixed(first, second []eventstore.Event) []eventstore.Event {
	events := slices.Clone(first)
	for i := range events {
		if i%2 == 1 {
			events[i] = second[i]
		}
	}
	return events
}

// TestAFoldIsOfAllThatTheDomainReads: the store has its own way to read JSON, and leaves nothing out that a
// state is made of.
func TestAFoldIsOfAllThatTheDomainReads(t *testing.T) {
	t.Parallel()
	once := func(events []eventstore.Event) (quote.Quote, error) { // nothing in these logs is sealed
		h, err := (&quotestore.Store{}).HistoryOf(t.Context(), events, quotestore.Impersonal)
		return h.Quote, err
	}
	for _, name := range quotetest.Logs {
		for version := 1; version <= 2; version++ {
			events := mustReadLog(t, name, version)
			var decoded []quote.Event
			for _, e := range events {
				d, err := quote.Decode(quote.Versioned{Type: e.Type, Version: e.SchemaVersion}, e.Data)
				if err != nil {
					t.Fatal(err)
				}
				decoded = append(decoded, d)
			}
			want := quote.Fold(decoded...)
			for way, fold := range map[string]func([]eventstore.Event) (quote.Quote, error){"Fold": quotestore.Fold, "HistoryOf": once} {
				if got, err := fold(events); err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("%s of %s in version %d is %+v, %v\nwant %+v", way, name, version, got, err, want)
				}
			}
		}
	}
}

// TestALogOfMixedVersionsIsReadAsOneOfTheNewest writes each log as an earlier program did, in both versions in turn,
// and compares every state of it, and the results of commands, with that of the log in the newest version.
func TestALogOfMixedVersionsIsReadAsOneOfTheNewest(t *testing.T) {
	t.Parallel()
	for _, name := range quotetest.Logs {
		earlier, now := mustReadLog(t, name, 1), mustReadLog(t, name, 2)
		for way, events := range map[string][]eventstore.Event{
			"as first written": earlier, "mixed": mixed(earlier, now), "mixed the other way": mixed(now, earlier),
		} {
			t.Run(name+" "+way, func(t *testing.T) {
				t.Parallel()
				stream := now[0].StreamID
				id, _ := quotestore.QuoteID(stream)
				s, twin := newStore(t), newStore(t)
				for store, log := range map[*quotestore.Store][]eventstore.Event{s: events, twin: now} {
					if err := store.Log.Append(t.Context(), stream, 0, slices.Clone(log)); err != nil {
						t.Fatal(err)
					}
				}
				h, want := mustLoad(t, s, id), mustLoad(t, twin, id)
				if !reflect.DeepEqual(h.Quote, want.Quote) {
					t.Errorf("the quote is %+v\nwant %+v", h.Quote, want.Quote)
				}
				if faults := eventstore.Verify(stream, h.Events, eventstore.Witness{}); len(faults) > 0 {
					t.Errorf("faults %v", faults)
				}
				for version := range now {
					then, err := h.AtVersion(version + 1)
					if err != nil {
						t.Fatal(err)
					}
					if twins, err := want.AtVersion(version + 1); err != nil || !reflect.DeepEqual(then.Quote, twins.Quote) {
						t.Errorf("at version %d it was %+v\nwant %+v, %v", version+1, then.Quote, twins.Quote, err)
					}
				}
				// A command that was carried out before is known again, and a new one is decided as usual.
				last := now[len(now)-1]
				for _, o := range []quotestore.Order{
					{ID: last.Metadata.CommandID, At: at, Command: quote.RateQuote{Revision: 1}},
					order("undo", quote.ReverseEvent{Events: []quote.EventRef{{Version: last.Version, ID: last.ID}}, ReasonCode: "X", Text: "x", By: "eve"}),
				} {
					got, err := s.Execute(t.Context(), id, o)
					twins, twinErr := twin.Execute(t.Context(), id, o)
					if fmt.Sprint(err) != fmt.Sprint(twinErr) || !reflect.DeepEqual(got.Quote, twins.Quote) {
						t.Errorf("%T results in %+v, %v\nwant %+v, %v", o.Command, got.Quote, err, twins.Quote, twinErr)
					}
				}
			})
		}
	}
}
