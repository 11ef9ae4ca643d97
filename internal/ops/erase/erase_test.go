package erase_test

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/internal/log/seal"
	"milepost/internal/ops/erase"
	"milepost/internal/platform/stored"
	"milepost/internal/quotes/draft"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/stacktest"
)

const first, second, other = "01KXAMPE000000000000000001", "01KXAMPE000000000000000002", "01KXAMPE000000000000000003"

// desk runs a test against a stack in which ada has two quotes, and eve has one.
func desk(t *testing.T, test func(t *testing.T, s *stacktest.Stack, e *erase.Eraser)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := stacktest.Open(t, nil)
		example := quotetest.MustExample(t, "E01")
		s.MustQuote(t, example, "ada", first, time.Now().UTC(), 4)
		s.MustQuote(t, example, "ada", second, time.Now().UTC(), 1)
		s.MustQuote(t, example, "eve", other, time.Now().UTC(), 4)
		test(t, s, &erase.Eraser{
			Quotes: s.Quotes(), Projections: s.Projections(), Outbox: s.Parts().Outbox(), Drafts: s.Parts().Drafts(), Waiting: func(time.Time) {},
		})
	})
}

var order = erase.Order{CustomerID: "ada", By: "mia", ReasonCode: "CUSTOMER_REQUEST"}

// assertErased checks which quotes have noted that they are erased.
func assertErased(t *testing.T, s *stacktest.Stack, want ...string) {
	t.Helper()
	var got []string
	for _, id := range []string{first, second, other} {
		h, err := s.Quotes().Load(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if h.Quote.Erasure != nil {
			got = append(got, id)
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("erased are %v, want %v", got, want)
	}
}

func TestACustomerIsErasedAndNobodyElse(t *testing.T) {
	desk(t, func(t *testing.T, s *stacktest.Stack, e *erase.Eraser) {
		statuses := map[quote.Status]int{quote.StatusQuoted: 1, quote.StatusRequested: 1}
		e.DryRun = true
		would, err := e.Run(t.Context(), order)
		if want := (erase.Erasure{CustomerID: "ada", Quotes: statuses, Unsealed: []string{}, Faults: stored.NewFaults()}); err != nil || !reflect.DeepEqual(would, want) {
			t.Errorf("a dry run: %+v, %v, want %+v", would, err, want)
		}
		assertErased(t, s)

		e.DryRun = false
		began := time.Now().UTC()
		var until time.Time
		e.Waiting = func(at time.Time) { until = at }
		did, err := e.Run(t.Context(), order)
		want := erase.Erasure{
			CustomerID: "ada", Quotes: statuses, Noted: 2, Unsealed: []string{}, Faults: stored.NewFaults(),
			Erased: &seal.Erasure{CustomerID: "ada", At: began, By: "mia", ReasonCode: "CUSTOMER_REQUEST"},
		}
		if err != nil || !reflect.DeepEqual(did, want) {
			t.Errorf("%+v, %v, want %+v", did, err, want)
		}
		if waited := time.Since(began); waited < seal.Lifetime || !until.Equal(time.Now()) {
			t.Errorf("it ended after %s, and said that it would at %s", waited, until)
		}
		assertErased(t, s, first, second)
	})
}

func TestWhatIsSubmittedWhileKeysAreRememberedIsErased(t *testing.T) {
	desk(t, func(t *testing.T, s *stacktest.Stack, e *erase.Eraser) {
		const late = "01KXAMPE000000000000000004"
		remembering := s.Quotes()
		if _, err := remembering.Load(t.Context(), first); err != nil { // with the key, as a function remembers it
			t.Fatal(err)
		}
		e.Waiting = func(time.Time) {
			submit := quotetest.MustExample(t, "E01").Submit()
			submit.QuoteID, submit.CustomerID = late, "ada"
			if _, err := remembering.Create(t.Context(), late, orderOf(submit)); err != nil {
				t.Error(err)
			}
		}
		did, err := e.Run(t.Context(), order)
		if err != nil || did.Late != 1 || did.Noted != 3 {
			t.Errorf("%+v, %v, want one late quote of 3", did, err)
		}
		if h, err := s.Quotes().Load(t.Context(), late); err != nil || h.Quote.Erasure == nil {
			t.Errorf("the late quote: %+v, %v", h.Quote.Erasure, err)
		}
	})
}

// TestDraftsAreErased: those that are there, and those that are saved while functions remember the keys.
func TestDraftsAreErased(t *testing.T) {
	desk(t, func(t *testing.T, s *stacktest.Stack, e *erase.Eraser) {
		content := draft.Content{Step: "drivers", Request: []byte(`{"firstName":"Philippa"}`)}
		save := func(drafts *draft.Store, customer, id string) {
			t.Helper()
			if _, err := drafts.Put(t.Context(), customer, id, content, "", time.Now()); err != nil {
				t.Error(err)
			}
		}
		remembering := s.Parts().Drafts()
		save(remembering, "ada", first)
		save(remembering, "eve", first)
		e.DryRun = true
		if would, err := e.Run(t.Context(), order); err != nil || would.Drafts != 1 {
			t.Errorf("a dry run: %+v, %v, want 1 draft", would, err)
		}
		if ids, err := e.Drafts.IDs(t.Context(), "ada"); err != nil || len(ids) != 1 {
			t.Errorf("after a dry run there are %v, %v", ids, err)
		}
		e.DryRun = false
		e.Waiting = func(time.Time) { save(remembering, "ada", second) }
		did, err := e.Run(t.Context(), order)
		if err != nil || did.Drafts != 2 {
			t.Errorf("%+v, %v, want 2 drafts", did, err)
		}
		for customer, want := range map[string]int{"ada": 0, "eve": 1} {
			if ids, err := e.Drafts.IDs(t.Context(), customer); err != nil || len(ids) != want {
				t.Errorf("%s has %v, %v, want %d", customer, ids, err, want)
			}
		}
	})
}

func TestAnErasureThatIsInterruptedGoesOn(t *testing.T) {
	desk(t, func(t *testing.T, s *stacktest.Stack, e *erase.Eraser) {
		ctx, interrupt := context.WithCancel(t.Context())
		e.Waiting = func(time.Time) { interrupt() }
		_, err := e.Run(ctx, order)
		if stop, ok := errors.AsType[*erase.Interrupted](err); !ok || !stop.Remembered || stop.Noted != 2 {
			t.Errorf("%v, want it interrupted while it waits", err)
		}
		assertErased(t, s, first, second)
		e.Waiting = func(time.Time) {}
		if did, err := e.Run(t.Context(), order); err != nil || did.Noted != 0 || did.Quotes[quote.StatusWithdrawn] != 2 {
			t.Errorf("%+v, %v, want nothing left to note in two withdrawn quotes", did, err)
		}
	})
}

func TestNobodyIsErasedWhoIsNot(t *testing.T) {
	desk(t, func(t *testing.T, _ *stacktest.Stack, e *erase.Eraser) {
		_, err := e.Run(t.Context(), erase.Order{CustomerID: "bob", By: "mia", ReasonCode: "CUSTOMER_REQUEST"})
		if _, ok := errors.AsType[*erase.NoCustomer](err); !ok || err.Error() != "there is no customer bob" {
			t.Errorf("%v, want that there is no such customer", err)
		}
	})
}

func orderOf(c quote.Command) quotestore.Order {
	return quotestore.Order{ID: "late", Actor: "ada", CorrelationID: "late", At: time.Now().UTC(), Command: c}
}

// TestATaskGoesOnFromWhatWasHandedOn: between any two calls it is JSON, and a call that is repeated changes nothing.
func TestATaskGoesOnFromWhatWasHandedOn(t *testing.T) {
	desk(t, func(t *testing.T, s *stacktest.Stack, e *erase.Eraser) {
		task := erase.Begin(order)
		for calls := 0; task.Step != erase.Done; calls++ {
			if calls == 10 {
				t.Fatalf("after %d calls it is at %q", calls, task.Step)
			}
			text, err := json.Marshal(task)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				task = erase.Task{}
				if err := json.Unmarshal(text, &task); err != nil {
					t.Fatal(err)
				}
				at := task.Step
				task, err = e.Do(t.Context(), task, func() bool { return true })
				if early, ok := errors.AsType[*erase.TooEarly](err); ok {
					if at != erase.Late || !early.Until.After(time.Now()) {
						t.Fatalf("%s: %v at %s", at, err, time.Now())
					}
					time.Sleep(time.Until(early.Until))
					task, err = e.Do(t.Context(), task, func() bool { return true })
				}
				if err != nil {
					t.Fatalf("%s: %v", at, err)
				}
			}
		}
		assertErased(t, s, first, second)
		if left, err := e.Run(t.Context(), order); err != nil || left.Noted != 0 {
			t.Errorf("%+v, %v, want nothing left to do", left, err)
		}
		bad := erase.Begin(order)
		bad.Step = "other"
		if _, err := e.Do(t.Context(), bad, nil); err == nil || !strings.Contains(err.Error(), `no step "other"`) {
			t.Errorf("another step: %v", err)
		}
	})
}
