package eventstore_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"milepost/internal/log/eventstore"
)

// chain is a stream of n events as Append makes them.
func chain(n int) []eventstore.Event {
	events := make([]eventstore.Event, n)
	for i := range events {
		events[i] = eventstore.Event{
			StreamID: "quote-1", Version: i + 1, ID: fmt.Sprint("event-", i+1), Type: "QuoteRequested", SchemaVersion: 1,
			OccurredAt: time.Date(2026, 5, 1, 12, i, 0, 0, time.UTC), Data: json.RawMessage(fmt.Sprintf(`{"n":%d}`, i)),
			Sealed: []byte{byte(i), 0xff}, SealedFor: "ada",
			Metadata: eventstore.Metadata{Actor: "ada"},
		}
		if i > 0 {
			events[i].PreviousHash = events[i-1].Hash()
		}
	}
	return events
}

func TestVerifyNamesEveryFault(t *testing.T) {
	t.Parallel()
	witness := eventstore.Witness{Version: 5, Hash: chain(5)[4].Hash()}
	tests := map[string]struct {
		tamper  func([]eventstore.Event) []eventstore.Event
		witness eventstore.Witness
		want    []eventstore.Fault
	}{
		"an untouched stream has none": {
			func(e []eventstore.Event) []eventstore.Event { return e }, witness, nil,
		},
		"changed data is found": {
			func(e []eventstore.Event) []eventstore.Event { e[1].Data = json.RawMessage(`{"n":7}`); return e }, witness,
			[]eventstore.Fault{{"quote-1", 2, "changed"}},
		},
		"a changed actor is found": {
			func(e []eventstore.Event) []eventstore.Event { e[0].Metadata.Actor = "eve"; return e }, witness,
			[]eventstore.Fault{{"quote-1", 1, "changed"}},
		},
		"a changed time is found": {
			func(e []eventstore.Event) []eventstore.Event { e[3].OccurredAt = e[3].OccurredAt.Add(1); return e }, witness,
			[]eventstore.Fault{{"quote-1", 4, "changed"}},
		},
		"an event that was taken out is missing": {
			func(e []eventstore.Event) []eventstore.Event { return slices.Delete(e, 2, 3) }, witness,
			[]eventstore.Fault{{"quote-1", 3, "missing"}},
		},
		"an event that was slipped in, the others moved up, is found": {
			func(e []eventstore.Event) []eventstore.Event {
				extra := e[1]
				extra.ID, extra.PreviousHash = "forged", e[1].Hash()
				e = slices.Insert(e, 2, extra)
				for i := range e {
					e[i].Version = i + 1
				}
				return e
			}, eventstore.Witness{},
			[]eventstore.Fault{{"quote-1", 3, "inserted"}},
		},
		"an event that was added after what the witness saw is found": {
			func(e []eventstore.Event) []eventstore.Event {
				extra := e[4]
				extra.Version, extra.ID = 6, "forged"
				return append(e, extra)
			}, witness,
			[]eventstore.Fault{{"quote-1", 6, "inserted"}},
		},
		"a changed last event is found by the witness": {
			func(e []eventstore.Event) []eventstore.Event { e[4].Data = json.RawMessage(`{}`); return e }, witness,
			[]eventstore.Fault{{"quote-1", 5, "changed"}},
		},
		"events cut off at the end are missed by the witness": {
			func(e []eventstore.Event) []eventstore.Event { return e[:3] }, witness,
			[]eventstore.Fault{{"quote-1", 4, "missing"}, {"quote-1", 5, "missing"}},
		},
		"a stream that is gone is missed by the witness": {
			func([]eventstore.Event) []eventstore.Event { return nil }, eventstore.Witness{Version: 1, Hash: "x"},
			[]eventstore.Fault{{"quote-1", 1, "missing"}},
		},
		"a witness that is behind vouches for what it saw": {
			func(e []eventstore.Event) []eventstore.Event { return e }, eventstore.Witness{Version: 2, Hash: chain(2)[1].Hash()}, nil,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := eventstore.Verify("quote-1", test.tamper(chain(5)), test.witness); !reflect.DeepEqual(got, test.want) {
				t.Errorf("faults=%v, want %v", got, test.want)
			}
		})
	}
}

// Any single change of any field of any event but the last is found without a witness.
func TestNoFieldIsLeftOutOfTheChain(t *testing.T) {
	t.Parallel()
	changes := map[string]func(*eventstore.Event){
		"PreviousHash":  func(e *eventstore.Event) { e.PreviousHash = "0" + e.PreviousHash },
		"StreamID":      func(e *eventstore.Event) { e.StreamID += "x" },
		"ID":            func(e *eventstore.Event) { e.ID += "x" },
		"Type":          func(e *eventstore.Event) { e.Type += "x" },
		"SchemaVersion": func(e *eventstore.Event) { e.SchemaVersion++ },
		"OccurredAt":    func(e *eventstore.Event) { e.OccurredAt = e.OccurredAt.Add(time.Nanosecond) },
		"Data":          func(e *eventstore.Event) { e.Data = append(e.Data, ' ') },
		"Stored":        func(e *eventstore.Event) { e.Stored = append(slices.Clone(e.Data), ' ') },
		"Sealed":        func(e *eventstore.Event) { e.Sealed = append(e.Sealed, 1) },
		"SealedFor":     func(e *eventstore.Event) { e.SealedFor += "x" },
		"KeyID":         func(e *eventstore.Event) { e.KeyID += "x" },
		"CommandID":     func(e *eventstore.Event) { e.Metadata.CommandID += "x" },
		"CorrelationID": func(e *eventstore.Event) { e.Metadata.CorrelationID += "x" },
		"CausationID":   func(e *eventstore.Event) { e.Metadata.CausationID += "x" },
		"Actor":         func(e *eventstore.Event) { e.Metadata.Actor += "x" },
		"TraceHeader":   func(e *eventstore.Event) { e.Metadata.TraceHeader += "x" },
	}
	if want := reflect.TypeFor[eventstore.Event]().NumField() + reflect.TypeFor[eventstore.Metadata]().NumField() - 3; len(changes) != want {
		t.Errorf("%d fields are tried, want all %d but Version and Imported", len(changes), want)
	}
	for field, change := range changes {
		for i := range 4 {
			events := chain(5)
			change(&events[i])
			if faults := eventstore.Verify("quote-1", events, eventstore.Witness{}); len(faults) == 0 {
				t.Errorf("a change of %s at version %d goes unseen", field, i+1)
			}
		}
	}
}
