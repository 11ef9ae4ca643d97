package quote_test

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"
	"testing"

	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
)

// value is JSON text without what says nothing: the order of members, and white space.
func value(t *testing.T, text []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestEveryVersionThatWasWrittenBecomesTheNewest(t *testing.T) {
	t.Parallel()
	versions := quote.EventVersions()
	for _, v := range versions {
		t.Run(fmt.Sprintf("%s.v%d", v.Type, v.Version), func(t *testing.T) {
			t.Parallel()
			newest := quote.Versioned{Type: v.Type, Version: quote.SchemaVersion(v.Type)}
			stored, want := quotetest.Stored(t, v), quotetest.Stored(t, newest)
			before := slices.Clone(stored)
			got, err := quote.Upcast(v, stored)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(value(t, got), value(t, want)) {
				t.Errorf("version %d becomes %s\nwant %s", v.Version, got, want)
			}
			if !slices.Equal(stored, before) {
				t.Errorf("the stored data were changed to %s", stored)
			}
			event, err := quote.Decode(v, stored)
			if err != nil {
				t.Fatal(err)
			}
			if again, err := quote.Decode(newest, want); err != nil || !reflect.DeepEqual(event, again) {
				t.Errorf("it is read as %+v\nwant %+v, %v", event, again, err)
			}
			written, err := json.Marshal(event)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(value(t, written), value(t, want)) {
				t.Errorf("written again it is %s\nwant %s", written, want)
			}
		})
	}
	files, err := os.ReadDir("testdata/events")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !slices.ContainsFunc(versions, func(v quote.Versioned) bool { return f.Name() == fmt.Sprintf("%s.v%d.json", v.Type, v.Version) }) {
			t.Errorf("%s is of no version that the program reads", f.Name())
		}
	}
}

// TestAnEarlierLogFoldsToTheSameQuote folds each log in both versions, and mixed in every way that two events
// can be: those that are written as they were, the others as they are now.
func TestAnEarlierLogFoldsToTheSameQuote(t *testing.T) {
	t.Parallel()
	for _, name := range quotetest.Logs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			earlier, now := mustReadLog(t, name, 1), mustReadLog(t, name, 2)
			if reflect.DeepEqual(earlier, now) || len(earlier) != len(now) {
				t.Fatalf("the log has %d events and %d, want as many, in two versions", len(earlier), len(now))
			}
			want := quote.Fold(mustDecode(t, now)...)
			for n := range len(now) + 1 {
				for _, mixed := range [][]storedEvent{
					slices.Concat(earlier[:n], now[n:]), slices.Concat(now[:n], earlier[n:]),
				} {
					if got := quote.Fold(mustDecode(t, mixed)...); !reflect.DeepEqual(got, want) {
						t.Errorf("mixed at %d it is %+v\nwant %+v", n, got, want)
					}
				}
			}
		})
	}
}

// storedEvent is as much of a stored event as decoding needs.
type storedEvent struct {
	Type          string
	SchemaVersion int
	Data          json.RawMessage
}

func mustReadLog(t *testing.T, name string, version int) []storedEvent {
	t.Helper()
	var events []storedEvent
	for _, line := range quotetest.Log(t, name, version) {
		var e storedEvent
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}

func mustDecode(t *testing.T, events []storedEvent) []quote.Event {
	t.Helper()
	decoded := make([]quote.Event, len(events))
	for i, e := range events {
		var err error
		if decoded[i], err = quote.Decode(quote.Versioned{Type: e.Type, Version: e.SchemaVersion}, e.Data); err != nil {
			t.Fatal(err)
		}
	}
	return decoded
}
