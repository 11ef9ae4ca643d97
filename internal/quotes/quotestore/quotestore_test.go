package quotestore_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/internal/log/eventstore"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/stacktest"
)

func newStore(t *testing.T) *quotestore.Store {
	t.Helper()
	return stacktest.Open(t, nil).Quotes()
}

var at = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func order(id string, c quote.Command) quotestore.Order {
	return quotestore.Order{ID: id, Actor: "tester", CorrelationID: "correlation", CausationID: "cause", At: at, Command: c}
}

// mustCreate submits an example under its own quote id.
func mustCreate(t *testing.T, s *quotestore.Store, e quotetest.Example, quoteID string) quote.Quote {
	t.Helper()
	submit := e.Submit()
	submit.QuoteID = quoteID
	h, err := s.Create(t.Context(), quoteID, order("submit/"+quoteID, submit))
	if err != nil {
		t.Fatal(err)
	}
	return h.Quote
}

func mustExecute(t *testing.T, s *quotestore.Store, quoteID string, o quotestore.Order) quote.Quote {
	t.Helper()
	h, err := s.Execute(t.Context(), quoteID, o)
	if err != nil {
		t.Fatal(err)
	}
	return h.Quote
}

func mustLoad(t *testing.T, s *quotestore.Store, quoteID string) quotestore.History {
	t.Helper()
	h, err := s.Load(t.Context(), quoteID)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// quoteID makes ids in the form that the schemas want.
func quoteID(n int) string { return fmt.Sprintf("01KXAMPE0000000000000000%02d", n) }

func TestAQuoteIsWhatItsLogSays(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	e := quotetest.MustExample(t, "E02")
	mustCreate(t, s, e, quoteID(1))
	mustExecute(t, s, quoteID(1), order("v", e.Vehicles()))
	mustExecute(t, s, quoteID(1), order("h", e.Histories()))
	q := mustExecute(t, s, quoteID(1), order("r", quote.RateQuote{Revision: 1}))
	h := mustLoad(t, s, quoteID(1))
	if !reflect.DeepEqual(h.Quote, q) || q.Status != quote.StatusQuoted || q.Version != 4 {
		t.Errorf("the log makes\n%+v\nwant\n%+v", h.Quote, q)
	}
	for i, event := range h.Events {
		want := eventstore.Metadata{CommandID: []string{"submit/" + quoteID(1), "v", "h", "r"}[i], CorrelationID: "correlation", CausationID: "cause", Actor: "tester"}
		if event.Version != i+1 || event.Metadata != want || !event.OccurredAt.Equal(at) || event.StreamID != quotestore.StreamID(quoteID(1)) {
			t.Errorf("event %d: %+v", i+1, event)
		}
	}
}

func TestDataAreStoredAsTheyAreReadBest(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	e := quotetest.MustExample(t, "E01")
	mustCreate(t, s, e, quoteID(1))
	mustExecute(t, s, quoteID(1), order("v", e.Vehicles()))
	mustExecute(t, s, quoteID(1), order("h", e.Histories()))
	mustExecute(t, s, quoteID(1), order("r", quote.RateQuote{Revision: 1}))
	offered := string(mustLoad(t, s, quoteID(1)).Events[3].Data)
	if !strings.Contains(offered, " -> ") || strings.HasSuffix(offered, "\n") {
		t.Errorf("the offer is stored as %q", offered)
	}
}

func TestARepeatedCommandChangesNothing(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	e := quotetest.MustExample(t, "E01")
	mustCreate(t, s, e, quoteID(1))
	mustCreate(t, s, e, quoteID(1))
	first := mustExecute(t, s, quoteID(1), order("v", e.Vehicles()))
	mustExecute(t, s, quoteID(1), order("h", e.Histories()))
	before := mustLoad(t, s, quoteID(1))
	again := order("v", e.Vehicles())
	again.At = at.Add(time.Hour)
	if q := mustExecute(t, s, quoteID(1), again); !reflect.DeepEqual(q, first) || q.Version != 2 {
		t.Errorf("the command sent again returned\n%+v, want what it returned first:\n%+v", q, first)
	}
	if after := mustLoad(t, s, quoteID(1)); !reflect.DeepEqual(after, before) {
		t.Errorf("the log has %d events, want %d", len(after.Events), len(before.Events))
	}
}

func TestARefusedCommandAppendsNothing(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	e := quotetest.MustExample(t, "E01")
	mustCreate(t, s, e, quoteID(1))
	_, err := s.Execute(t.Context(), quoteID(1), order("r", quote.RateQuote{Revision: 1}))
	if _, ok := errors.AsType[*quote.FactMissing](err); !ok {
		t.Errorf("error=%v, want *FactMissing", err)
	}
	_, err = s.Execute(t.Context(), quoteID(2), order("v", e.Vehicles()))
	if _, ok := errors.AsType[*quotestore.NotFound](err); !ok {
		t.Errorf("error=%v for a quote that does not exist, want *NotFound", err)
	}
	for id, want := range map[string]int{quoteID(1): 1, quoteID(2): 0} {
		if h := mustLoad(t, s, id); len(h.Events) != want {
			t.Errorf("%s has %d events, want %d", id, len(h.Events), want)
		}
	}
}

func TestASecondOpeningIsToldOfTheFirst(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	mustCreate(t, s, quotetest.MustExample(t, "E01"), quoteID(1))
	other := quotetest.MustExample(t, "E02").Submit()
	other.QuoteID = quoteID(1)
	_, err := s.Create(t.Context(), quoteID(1), order("another", other))
	conflict, ok := errors.AsType[*eventstore.VersionConflict](err)
	if !ok || conflict.Existing.Type != quote.TypeQuoteRequested || conflict.Existing.Metadata.CommandID != "submit/"+quoteID(1) {
		t.Errorf("error=%+v, want the first request", err)
	}
}

func TestALoserOfARaceStartsOver(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	e := quotetest.MustExample(t, "E01")
	mustCreate(t, s, e, quoteID(1))
	stale := mustLoad(t, s, quoteID(1))
	mustExecute(t, s, quoteID(1), order("v", e.Vehicles()))
	h, err := s.ExecuteOn(t.Context(), stale, order("h", e.Histories()))
	if err != nil || h.Quote.Version != 3 || h.Quote.Vehicles == nil || len(h.Events) != 3 {
		t.Errorf("Quote=%+v error=%v, want one with both facts", h.Quote, err)
	}
}

func TestAnOrderMayAskForAVersion(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	e := quotetest.MustExample(t, "E01")
	mustCreate(t, s, e, quoteID(1))
	stale := mustLoad(t, s, quoteID(1))
	at := func(id string, version int, c quote.Command) quotestore.Order {
		o := order(id, c)
		o.IfVersion = version
		return o
	}
	first := mustExecute(t, s, quoteID(1), at("v", 1, e.Vehicles()))
	for name, h := range map[string]quotestore.History{"a reader of now": mustLoad(t, s, quoteID(1)), "a reader who lost the race": stale} {
		_, err := s.ExecuteOn(t.Context(), h, at(name, 1, e.Histories()))
		if want := (&quotestore.VersionMismatch{Want: 1, Have: 2}); !reflect.DeepEqual(err, want) {
			t.Errorf("%s: error=%v, want %v", name, err, want)
		}
	}
	mustExecute(t, s, quoteID(1), at("h", 2, e.Histories()))
	if again := mustExecute(t, s, quoteID(1), at("v", 1, e.Vehicles())); !reflect.DeepEqual(again, first) {
		t.Errorf("the command sent again returned %+v, want what it returned first", again)
	}
}

func TestAHistoryShowsEveryPast(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	e := quotetest.MustExample(t, "E01")
	mustCreate(t, s, e, quoteID(1))
	now := []quotestore.History{{}, mustLoad(t, s, quoteID(1))}
	for i, c := range []quote.Command{e.Vehicles(), e.Histories(), quote.RateQuote{Revision: 1}} {
		o := order(fmt.Sprint(i), c)
		o.At = at.Add(time.Duration(i+1) * time.Second)
		mustExecute(t, s, quoteID(1), o)
		now = append(now, mustLoad(t, s, quoteID(1)))
	}
	last := now[len(now)-1]
	for version, want := range now {
		byVersion, err := last.AtVersion(version)
		if err != nil {
			t.Fatal(err)
		}
		byTime, err := last.AsOf(at.Add(time.Duration(version)*time.Second - 1))
		if err != nil {
			t.Fatal(err)
		}
		for how, got := range map[string]quotestore.History{"version": byVersion, "time": byTime} {
			if !reflect.DeepEqual(got.Quote, want.Quote) || len(got.Events) != version {
				t.Errorf("by %s at version %d:\n%+v\nwant\n%+v", how, version, got.Quote, want.Quote)
			}
		}
	}
}

func TestManyWorkersOnOneQuoteAppendEachFactOnce(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	e := quotetest.MustExample(t, "E02")
	mustCreate(t, s, e, quoteID(1))
	commands := []quote.Command{e.Vehicles(), e.Histories(), quote.RateQuote{Revision: 1, Unanswered: []quote.Fact{quote.FactVehicles, quote.FactAccidentHistory}}}
	var wg sync.WaitGroup
	for worker := range 18 {
		wg.Go(func() {
			if _, err := s.Execute(t.Context(), quoteID(1), order(fmt.Sprint("worker ", worker), commands[worker%3])); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	count := map[string]int{}
	h := mustLoad(t, s, quoteID(1))
	for _, event := range h.Events {
		count[event.Type]++
	}
	// An outcome without a fact is followed by another one when the fact is there.
	if count[quote.TypeVehiclesIdentified] != 1 || count[quote.TypeAccidentHistoryRetrieved] != 1 || count[quote.TypeQuoteOffered] != 1 ||
		count[quote.TypeQuoteReferred] > 2 || h.Quote.Status != quote.StatusQuoted {
		t.Errorf("events %v, want two facts, and one offer in the end", count)
	}
}

func TestAWorkerWhoKeepsLosingGivesUp(t *testing.T) {
	t.Parallel()
	s := stacktest.Open(t, nil).Quotes()
	log := s.Log
	e := quotetest.MustExample(t, "E01")
	mustCreate(t, s, e, quoteID(1))
	// Whenever the command is about to be appended, another process appends first.
	rival := *log
	rival.Validate = func(string, int, []byte) error { return nil }
	others := 0
	log.Validate = func(string, int, []byte) error {
		others++
		return rival.Append(context.Background(), quotestore.StreamID(quoteID(1)), others, []eventstore.Event{{
			ID: fmt.Sprint("other ", others), Type: quote.TypeVehiclesIdentified, SchemaVersion: 2, OccurredAt: at, Data: []byte(`{}`),
		}})
	}
	_, err := s.Execute(t.Context(), quoteID(1), order("h", e.Histories()))
	if _, lost := errors.AsType[*eventstore.VersionConflict](err); !lost || others < 10 || others > 50 {
		t.Errorf("after %d lost races: error=%v, want *VersionConflict after some twenty", others, err)
	}
}

func TestEventsWithoutASchemaAreRefused(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	submit := quotetest.MustExample(t, "E01").Submit()
	submit.QuoteID = "not a ULID"
	if _, err := s.Create(t.Context(), submit.QuoteID, order("submit", submit)); err == nil || !strings.Contains(err.Error(), "/quoteId") {
		t.Errorf("error=%v, want one about /quoteId", err)
	}
	if h := mustLoad(t, s, submit.QuoteID); len(h.Events) != 0 {
		t.Errorf("%d events were appended", len(h.Events))
	}
}

func TestAnEventThatTheProgramCannotReadIsAnErrorThatSaysWhere(t *testing.T) {
	t.Parallel()
	_, err := quotestore.Fold([]eventstore.Event{{StreamID: "quote-1", Version: 3, Type: "QuoteLost", SchemaVersion: 2}})
	if err == nil || !strings.Contains(err.Error(), "stream quote-1 version 3: event QuoteLost has no version 2") {
		t.Errorf("error=%v", err)
	}
}

func TestStreams(t *testing.T) {
	t.Parallel()
	if id, ok := quotestore.QuoteID(quotestore.StreamID("x")); !ok || id != "x" {
		t.Errorf("QuoteID=%q %v", id, ok)
	}
	for _, stream := range []string{"", "x", "account-x", "Quote-x"} {
		if id, ok := quotestore.QuoteID(stream); ok {
			t.Errorf("%q is the stream of quote %q", stream, id)
		}
	}
}
