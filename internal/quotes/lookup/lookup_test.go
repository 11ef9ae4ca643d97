package lookup_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/internal/effects"
	"milepost/internal/log/eventstore"
	"milepost/internal/platform"
	"milepost/internal/quotes/lookup"
	"milepost/internal/quotes/notice"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/stacktest"
)

// newQuote is a log with one quote in it, and the notice of its first event.
func newQuote(t *testing.T) (*quotestore.Store, notice.Delivery) {
	t.Helper()
	s := stacktest.Open(t, nil).Quotes()
	if _, err := s.Create(t.Context(), quotetest.ID, quotestore.Order{ID: "submit", At: time.Unix(0, 0), Command: quotetest.MustExample(t, "E01").Submit()}); err != nil {
		t.Fatal(err)
	}
	return s, notice.Delivery{Detail: eventstore.Notice{
		EventID: "event-1", EventType: quote.TypeQuoteRequested, StreamID: quotestore.StreamID(quotetest.ID), Version: 1, CorrelationID: "correlation",
	}}
}

// vehicles looks up the vehicles as an effect, and counts how often.
func vehicles(t *testing.T, asked *int) func(context.Context, quote.Quote) (quote.Command, error) {
	t.Helper()
	command := quotetest.MustExample(t, "E01").Vehicles()
	return func(ctx context.Context, q quote.Quote) (quote.Command, error) {
		if q.Vehicles != nil {
			return nil, nil
		}
		if err := effects.Allow(ctx, "vehicles"); err != nil {
			return nil, fmt.Errorf("look up: %w", err)
		}
		*asked++
		return command, nil
	}
}

func mustEvents(t *testing.T, s *quotestore.Store) []eventstore.Event {
	t.Helper()
	h, err := s.Load(t.Context(), quotetest.ID)
	if err != nil {
		t.Fatal(err)
	}
	return h.Events
}

func TestANoticeThatComesTwiceRecordsOnce(t *testing.T) {
	t.Parallel()
	s, n := newQuote(t)
	asked := 0
	for range 3 {
		if err := lookup.Record(t.Context(), s, n, "vinlookup", vehicles(t, &asked)); err != nil {
			t.Fatal(err)
		}
	}
	events := mustEvents(t, s)
	if asked != 1 || len(events) != 2 {
		t.Fatalf("asked %d times, %d events; want 1 and 2", asked, len(events))
	}
	want := eventstore.Metadata{CommandID: "vinlookup/event-1", CorrelationID: "correlation", CausationID: "event-1", Actor: "vinlookup"}
	if events[1].Metadata != want {
		t.Errorf("Metadata=%+v, want %+v", events[1].Metadata, want)
	}
}

func TestNoticesAtTheSameTimeRecordOnce(t *testing.T) {
	t.Parallel()
	s, n := newQuote(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			asked := 0
			if err := lookup.Record(t.Context(), s, n, "vinlookup", vehicles(t, &asked)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if events := mustEvents(t, s); len(events) != 2 {
		t.Errorf("%d events, want 2", len(events))
	}
}

func TestAReplayAsksNobodyAndRecordsNothing(t *testing.T) {
	t.Parallel()
	s, n := newQuote(t)
	n.ReplayName = "replay-1"
	asked := 0
	if err := lookup.Record(t.Context(), s, n, "vinlookup", vehicles(t, &asked)); err != nil {
		t.Errorf("error=%v", err)
	}
	if events := mustEvents(t, s); asked != 0 || len(events) != 1 {
		t.Errorf("asked %d times, %d events; want 0 and 1", asked, len(events))
	}
}

func TestAFailedLookupRecordsNothing(t *testing.T) {
	t.Parallel()
	s, n := newQuote(t)
	down := errors.New("down")
	err := lookup.Record(t.Context(), s, n, "vinlookup", func(context.Context, quote.Quote) (quote.Command, error) {
		return quotetest.MustExample(t, "E01").Vehicles(), down
	})
	if events := mustEvents(t, s); !errors.Is(err, down) || len(events) != 1 {
		t.Errorf("error=%v with %d events, want %v with 1", err, len(events), down)
	}
}

func TestANoticeOfNoQuoteIsABadPayload(t *testing.T) {
	t.Parallel()
	s, n := newQuote(t)
	for _, stream := range []string{"", "account-1", "quote-", "quote-unknown"} {
		n.Detail.StreamID = stream
		err := lookup.Record(t.Context(), s, n, "vinlookup", func(context.Context, quote.Quote) (quote.Command, error) {
			t.Errorf("%q is looked up", stream)
			return nil, nil
		})
		if _, ok := errors.AsType[*platform.BadPayload](err); !ok {
			t.Errorf("%q: error=%v, want *BadPayload", stream, err)
		}
	}
}

// amend changes the quote so that revision 2 is in force.
func amend(t *testing.T, s *quotestore.Store) {
	t.Helper()
	e := quotetest.MustExample(t, "E01")
	longer := e.Request
	longer.TermMonths = 12
	order := quotestore.Order{ID: "amend", At: time.Unix(1, 0), Command: quote.AmendQuote{QuoteDate: e.QuoteDate, Request: longer}}
	if _, err := s.Execute(t.Context(), quotetest.ID, order); err != nil {
		t.Fatal(err)
	}
}

func TestNobodyIsAskedForWhatNobodyNeeds(t *testing.T) {
	t.Parallel()
	for name, command := range map[string]func(*testing.T, *quotestore.Store){
		"a revision that was amended": amend,
		"a quote that was withdrawn": func(t *testing.T, s *quotestore.Store) {
			withdraw := quotestore.Order{ID: "withdraw", At: time.Unix(1, 0), Command: quote.WithdrawQuote{On: quotetest.MustExample(t, "E01").QuoteDate}}
			if _, err := s.Execute(t.Context(), quotetest.ID, withdraw); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, n := newQuote(t)
			command(t, s)
			asked := 0
			if err := lookup.Record(t.Context(), s, n, "vinlookup", vehicles(t, &asked)); err != nil {
				t.Error(err)
			}
			if events := mustEvents(t, s); asked != 0 || len(events) != 2 {
				t.Errorf("asked %d times, %d events; want 0 and 2", asked, len(events))
			}
		})
	}
}

func TestAnAnswerAboutARevisionThatWasAmendedMeanwhileIsDropped(t *testing.T) {
	t.Parallel()
	s, n := newQuote(t)
	asked := 0
	err := lookup.Record(t.Context(), s, n, "vinlookup", func(ctx context.Context, q quote.Quote) (quote.Command, error) {
		amend(t, s)
		return vehicles(t, &asked)(ctx, q)
	})
	if events := mustEvents(t, s); err != nil || asked != 1 || len(events) != 2 {
		t.Errorf("error=%v, asked %d times, %d events; want none, 1 and 2", err, asked, len(events))
	}
	// The amendment has its own notice.
	n.Detail.EventID, n.Detail.Version = "event-2", 2
	err = lookup.Record(t.Context(), s, n, "vinlookup", func(context.Context, quote.Quote) (quote.Command, error) {
		c := quotetest.MustExample(t, "E01").Vehicles()
		c.Revision = 2
		return c, nil
	})
	if events := mustEvents(t, s); err != nil || len(events) != 3 || events[2].Metadata.CausationID != "event-2" {
		t.Errorf("error=%v with %d events", err, len(events))
	}
}

// TestOfManyReversalsTheLastLooksUp: events that are undone together have a notice each; no provider is called for each
// of them.
func TestOfManyReversalsTheLastLooksUp(t *testing.T) {
	t.Parallel()
	s, n := newQuote(t)
	e := quotetest.MustExample(t, "E01")
	undo := quote.ReverseEvent{Events: []quote.EventRef{{Version: 2, ID: "event-2"}, {Version: 3, ID: "event-3"}}, ReasonCode: "X", Text: "x", By: "eve"}
	for i, c := range []quote.Command{e.Vehicles(), e.Histories(), undo} {
		if _, err := s.Execute(t.Context(), quotetest.ID, quotestore.Order{ID: fmt.Sprint(i), At: time.Unix(1, 0), Command: c}); err != nil {
			t.Fatal(err)
		}
	}
	asked := 0
	for _, version := range []int{4, 1, 5, 4, 5} {
		n.Detail.EventID, n.Detail.Version = fmt.Sprint("event-", version), version
		if err := lookup.Record(t.Context(), s, n, "vinlookup", vehicles(t, &asked)); err != nil {
			t.Fatal(err)
		}
	}
	if events := mustEvents(t, s); asked != 1 || len(events) != 6 || events[5].Metadata.CausationID != "event-5" {
		t.Errorf("asked %d times, %d events; want once, for event 5", asked, len(events))
	}
}
