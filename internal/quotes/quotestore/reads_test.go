package quotestore_test

import (
	"context"
	"reflect"
	"testing"

	"milepost/internal/log/eventstore"
	"milepost/internal/quotes/quotestore"
)

// TestEachReadCostsAndUnsealsWhatItsNameSays reads a short quote, and a long one that was amended, in every way.
func TestEachReadCostsAndUnsealsWhatItsNameSays(t *testing.T) {
	t.Parallel()
	brief, grown := newLong(t), newLong(t)
	grown.growTo(quotestore.SnapshotEvery + 10)
	type read func(context.Context, *quotestore.Store, string, ...quotestore.Option) (quotestore.History, error)
	load := func(ctx context.Context, s *quotestore.Store, id string, options ...quotestore.Option) (quotestore.History, error) {
		return s.Load(ctx, id, options...)
	}
	latest := func(ctx context.Context, s *quotestore.Store, id string, options ...quotestore.Option) (quotestore.History, error) {
		return s.Latest(ctx, id, options...)
	}
	historyOf := func(of *long) read {
		events := of.stored()
		return func(ctx context.Context, s *quotestore.Store, _ string, options ...quotestore.Option) (quotestore.History, error) {
			return s.HistoryOf(ctx, append([]eventstore.Event(nil), events...), options...)
		}
	}
	impersonal := []quotestore.Option{quotestore.Impersonal}
	for _, test := range []struct {
		name            string
		of              *long
		read            read
		options         []quotestore.Option
		requests        int64
		whole, personal bool
	}{
		{"short, loaded", brief, load, nil, 1, true, true},
		{"short, loaded impersonal", brief, load, impersonal, 1, true, false},
		{"short, the latest", brief, latest, nil, 1, true, true},
		{"short, the latest impersonal", brief, latest, impersonal, 1, true, false},
		{"short, at hand", brief, historyOf(brief), nil, 0, true, true},
		{"short, at hand impersonal", brief, historyOf(brief), impersonal, 0, true, false},
		{"long, loaded", grown, load, nil, 1, true, true},
		{"long, loaded impersonal", grown, load, impersonal, 1, true, true},
		{"long, the latest", grown, latest, nil, 2, false, true},
		{"long, the latest impersonal", grown, latest, impersonal, 2, false, true},
		{"long, at hand", grown, historyOf(grown), nil, 0, true, true},
		{"long, at hand impersonal", grown, historyOf(grown), impersonal, 0, true, true},
	} {
		want := mustLoad(t, test.of.Store, test.of.id).Quote
		before := test.of.requests.n.Load()
		h, err := test.read(t.Context(), test.of.Store, test.of.id, test.options...)
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		if n := test.of.requests.n.Load() - before; n != test.requests {
			t.Errorf("%s: %d requests, want %d", test.name, n, test.requests)
		}
		if h.Whole() != test.whole || h.Quote.Version != want.Version || h.Quote.Status != want.Status {
			t.Errorf("%s: version %d, %s, whole %t", test.name, h.Quote.Version, h.Quote.Status, h.Whole())
		}
		if personal := h.Quote.Request.Vehicles[0].VIN != ""; personal != test.personal {
			t.Errorf("%s: with personal data %t, want %t", test.name, personal, test.personal)
		}
		if test.personal && !reflect.DeepEqual(h.Quote.Request, want.Request) {
			t.Errorf("%s: the request is\n%+v\nwant\n%+v", test.name, h.Quote.Request, want.Request)
		}
		keyless := *test.of.Store
		keyless.Keys = nil
		if _, err := test.read(t.Context(), &keyless, test.of.id, test.options...); (err == nil) == test.personal {
			t.Errorf("%s, without keys: error %v", test.name, err)
		}
	}
}

// stored returns the events as the log has them.
func (l *long) stored() []eventstore.Event {
	l.t.Helper()
	events, err := l.Log.Load(l.t.Context(), quotestore.StreamID(l.id), 0)
	if err != nil {
		l.t.Fatal(err)
	}
	return events
}
