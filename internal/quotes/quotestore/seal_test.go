package quotestore_test

import (
	"bytes"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/internal/log/eventstore"
	"milepost/internal/log/seal"
	"milepost/internal/platform/stored"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/stacktest"
)

// mustPrice brings a quote of an example to its outcome.
func mustPrice(t *testing.T, s *quotestore.Store, e quotetest.Example, id string) {
	t.Helper()
	mustCreate(t, s, e, id)
	for name, c := range map[string]quote.Command{"v": e.Vehicles(), "h": e.Histories()} {
		mustExecute(t, s, id, order(name+id, c))
	}
	mustExecute(t, s, id, order("r"+id, quote.RateQuote{Revision: 1}))
}

// withoutKeys is the store for callers without a key, and the number of its calls for keys.
func withoutKeys(stack *stacktest.Stack) (*quotestore.Store, *atomic.Int64) {
	cfg := stack.Config()
	calls := &atomic.Int64{}
	client := cfg.HTTPClient
	cfg.HTTPClient = httpClient(func(r *http.Request) (*http.Response, error) {
		calls.Add(1)
		return client.Do(r)
	})
	return &quotestore.Store{Log: stack.Log(), Keys: stack.PartsWith(cfg).Keys()}, calls
}

type httpClient func(*http.Request) (*http.Response, error)

func (c httpClient) Do(r *http.Request) (*http.Response, error) { return c(r) }

func TestTheLogHasPersonsSealed(t *testing.T) {
	t.Parallel()
	stack := stacktest.Open(t, nil)
	s := stack.Quotes()
	e := quotetest.MustExample(t, "E01")
	mustPrice(t, s, e, quoteID(1))
	stored, err := s.Log.Load(t.Context(), quotestore.StreamID(quoteID(1)), 0)
	if err != nil {
		t.Fatal(err)
	}
	whole := mustLoad(t, s, quoteID(1))
	for i, event := range stored {
		for _, plain := range []string{e.Request.Vehicles[0].VIN, e.Request.Drivers[0].LastName, e.Request.Drivers[0].DateOfBirth.String()} {
			if bytes.Contains(event.Data, []byte(plain)) || bytes.Contains(event.Sealed, []byte(plain)) {
				t.Errorf("%s can be read in %s", plain, event.Type)
			}
		}
		if sealed := event.Sealed != nil; sealed == (event.Type == quote.TypeQuoteOffered) || sealed && event.SealedFor != e.Submit().CustomerID {
			t.Errorf("%s: sealed=%v for %q", event.Type, sealed, event.SealedFor)
		}
		// Opened, it has the hash of what is stored.
		if event.Hash() != whole.Events[i].Hash() || event.Sealed != nil && bytes.Equal(event.Data, whole.Events[i].Data) {
			t.Errorf("%s: what was opened is not what is stored", event.Type)
		}
	}
	if faults := eventstore.Verify(quotestore.StreamID(quoteID(1)), stored, eventstore.Witness{}); faults != nil {
		t.Errorf("faults %v", faults)
	}
}

func TestWhatCameOfAQuoteIsKnownWithoutAKey(t *testing.T) {
	t.Parallel()
	stack := stacktest.Open(t, nil)
	e := quotetest.MustExample(t, "E02")
	mustPrice(t, stack.Quotes(), e, quoteID(1))
	s, calls := withoutKeys(stack)
	h, err := s.Load(t.Context(), quoteID(1), quotestore.Impersonal)
	if err != nil || h.Quote.Status != quote.StatusQuoted || h.Quote.Request.Vehicles[0].VIN != "" || h.Quote.CustomerID == "" {
		t.Errorf("%+v, error %v", h.Quote, err)
	}
	if _, err := s.ExecuteOn(t.Context(), h, order("w", quote.WithdrawQuote{Reason: "Moved"})); err == nil {
		t.Error("a command was carried out without the personal data")
	}
	mustExecute(t, s, quoteID(1), order("x", quote.ExpireQuote{On: h.Quote.Rating.ExpiresOn.AddDays(1)}))
	if n := calls.Load(); n != 0 {
		t.Errorf("%d calls for keys", n)
	}
	var none quotestore.Store
	none.Log = s.Log
	if _, err := none.Load(t.Context(), quoteID(1)); err == nil {
		t.Error("a store without keys opened a quote")
	}
	if _, err := none.Create(t.Context(), quoteID(2), order("o", e.Submit())); err == nil {
		t.Error("a store without keys stored a person")
	}
}

// The people who stayed the same in an amendment decide what is still known, so even callers that need no personal data
// need the key.
func TestAnAmendedQuoteIsTheSameSealed(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	e := quotetest.MustExample(t, "E01")
	mustPrice(t, s, e, quoteID(1))
	request := e.Request
	request.Drivers = append(request.Drivers[:0:0], request.Drivers...)
	request.Drivers[0].FirstName = "Another"
	mustExecute(t, s, quoteID(1), order("a", quote.AmendQuote{QuoteDate: e.QuoteDate, Request: request}))
	open := mustLoad(t, s, quoteID(1))
	sealed, err := s.Load(t.Context(), quoteID(1), quotestore.Impersonal)
	if err != nil || !reflect.DeepEqual(sealed, open) || sealed.Quote.Knows(quote.FactAccidentHistory) || !sealed.Quote.Knows(quote.FactVehicles) {
		t.Errorf("%+v, error %v", sealed.Quote, err)
	}
	stored, err := s.Log.Load(t.Context(), quotestore.StreamID(quoteID(1)), 0)
	if err != nil {
		t.Fatal(err)
	}
	if h, err := s.HistoryOf(t.Context(), stored, quotestore.Impersonal); err != nil || !reflect.DeepEqual(h.Quote, open.Quote) {
		t.Errorf("%+v, error %v", h.Quote, err)
	}
}

func TestASubmissionThatComesAgainFindsWhatWasSealed(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	e := quotetest.MustExample(t, "E01")
	first := mustCreate(t, s, e, quoteID(1))
	if again := mustCreate(t, s, e, quoteID(1)); !reflect.DeepEqual(again, first) {
		t.Errorf("%+v, want %+v", again, first)
	}
	submit := e.Submit()
	submit.QuoteID = quoteID(1)
	_, err := s.Create(t.Context(), quoteID(1), order("another", submit))
	conflict, ok := errors.AsType[*eventstore.VersionConflict](err)
	if !ok || !bytes.Contains(conflict.Existing.Data, []byte(e.Request.Vehicles[0].VIN)) {
		t.Errorf("error %v, want the first event with its personal data", err)
	}
}

// mustStoreUnsealed appends a request as it was stored before anything was sealed.
func mustStoreUnsealed(t *testing.T, s *quotestore.Store, e quotetest.Example) {
	t.Helper()
	submit, other := e.Submit(), quoteID(2)
	submit.QuoteID = other
	h, err := s.Create(t.Context(), other, order("o", submit))
	if err != nil {
		t.Fatal(err)
	}
	event := h.Events[0]
	event.Data = bytes.ReplaceAll(event.Data, []byte(other), []byte(quoteID(1)))
	event.Stored, event.Sealed, event.SealedFor = nil, nil, ""
	if err := s.Log.Append(t.Context(), quotestore.StreamID(quoteID(1)), 0, []eventstore.Event{event}); err != nil {
		t.Fatal(err)
	}
}

func TestAQuoteFromBeforeGoesOnAsItBegan(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	e := quotetest.MustExample(t, "E01")
	mustStoreUnsealed(t, s, e)
	mustExecute(t, s, quoteID(1), order("v", e.Vehicles()))
	mustExecute(t, s, quoteID(1), order("h", e.Histories()))
	if q := mustExecute(t, s, quoteID(1), order("r", quote.RateQuote{Revision: 1})); q.Status != quote.StatusQuoted {
		t.Errorf("Status=%s", q.Status)
	}
	for _, event := range mustLoad(t, s, quoteID(1)).Events {
		if event.Sealed != nil {
			t.Errorf("%s is sealed", event.Type)
		}
	}
}

func TestOfAnErasedCustomerTheOutcomeIsLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		e := quotetest.MustExample(t, "E01")
		mustPrice(t, s, e, quoteID(1))
		customer := e.Submit().CustomerID
		if _, err := s.Keys.Erase(t.Context(), seal.Erasure{CustomerID: customer, At: time.Now(), By: "eve", ReasonCode: "X"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(seal.Lifetime)
		h := mustLoad(t, s, quoteID(1))
		if !h.Erased || h.Quote.Request.Vehicles[0].VIN != "" || h.Quote.Request.Drivers[0].LastName != "" {
			t.Errorf("Erased=%v %+v", h.Erased, h.Quote.Request)
		}
		for _, event := range h.Events {
			if bytes.Contains(event.Data, []byte(`"reply":"`)) {
				t.Errorf("%s has a reply: %s", event.Type, event.Data)
			}
		}
		if h.Quote.Status != quote.StatusQuoted || !reflect.DeepEqual(*h.Quote.Rating, e.Expected) {
			t.Errorf("%s, %+v", h.Quote.Status, h.Quote.Rating)
		}
		for name, try := range map[string]func() error{
			"amend": func() error {
				_, err := s.Execute(t.Context(), quoteID(1), order("a", quote.AmendQuote{QuoteDate: e.QuoteDate, Request: e.Request}))
				return err
			},
			"rate": func() error {
				_, err := s.Execute(t.Context(), quoteID(1), order("r2", quote.RateQuote{Revision: 1}))
				return err
			},
			"vehicles": func() error { _, err := s.Execute(t.Context(), quoteID(1), order("v2", e.Vehicles())); return err },
			"again": func() error {
				submit := e.Submit()
				submit.QuoteID = quoteID(1)
				_, err := s.Create(t.Context(), quoteID(1), order("o2", submit))
				return err
			},
		} {
			_, noQuote := errors.AsType[*quote.Erased](try())
			_, noCustomer := errors.AsType[*seal.Erased](try())
			if !noQuote && !noCustomer {
				t.Errorf("%s: error %v, want that all was erased", name, try())
			}
		}
		note := quote.RecordErasure{Erasure: quote.Erasure{At: time.Now().UTC(), By: "eve", ReasonCode: "X"}}
		if q := mustExecute(t, s, quoteID(1), order("e", note)); q.Status != quote.StatusWithdrawn || q.Erasure == nil {
			t.Errorf("Status=%s Erasure=%v", q.Status, q.Erasure)
		}
		past, err := mustLoad(t, s, quoteID(1)).AtVersion(4)
		if err != nil || past.Quote.Erasure == nil || past.Quote.Status != quote.StatusQuoted {
			t.Errorf("the past: %+v, error %v", past.Quote, err)
		}
	})
}

// TestAnErasureIsKnownWithoutItsRecord: the log came without the table of keys, as an import into another account.
func TestAnErasureIsKnownWithoutItsRecord(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	e := quotetest.MustExample(t, "E01")
	mustPrice(t, s, e, quoteID(1))
	longer := e.Request
	longer.TermMonths = 12
	mustExecute(t, s, quoteID(1), order("a", quote.AmendQuote{QuoteDate: e.QuoteDate, Request: longer}))
	mustExecute(t, s, quoteID(1), order("e", quote.RecordErasure{Erasure: quote.Erasure{At: at, By: "eve", ReasonCode: "X"}}))
	_, err := s.Log.DB.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{
		TableName: &s.Keys.Table, Key: stored.Item{"customerId": stored.Text(e.Submit().CustomerID)},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Keys = &seal.Keys{DB: s.Keys.DB, KMS: s.Keys.KMS, Table: s.Keys.Table, WrappingKey: s.Keys.WrappingKey} // it remembers nothing
	h := mustLoad(t, s, quoteID(1))
	if !h.Erased || h.Quote.Status != quote.StatusWithdrawn || h.Quote.Request.Vehicles[0].VIN != "" {
		t.Errorf("Erased=%v %s %+v", h.Erased, h.Quote.Status, h.Quote.Request)
	}
	if sealed, err := s.Load(t.Context(), quoteID(1), quotestore.Impersonal); err != nil || sealed.Quote.Status != quote.StatusWithdrawn {
		t.Errorf("%s, error %v", sealed.Quote.Status, err)
	}
}

// TestAnErasureBetweenReadingAndAppending refuses the command, like a later one.
func TestAnErasureBetweenReadingAndAppending(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		e := quotetest.MustExample(t, "E01")
		mustCreate(t, s, e, quoteID(1))
		h := mustLoad(t, s, quoteID(1))
		if _, err := s.Keys.Erase(t.Context(), seal.Erasure{CustomerID: e.Submit().CustomerID, At: time.Now(), By: "eve", ReasonCode: "X"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(seal.Lifetime)
		_, err := s.ExecuteOn(t.Context(), h, order("v", e.Vehicles()))
		if _, ok := errors.AsType[*quote.Erased](err); !ok {
			t.Errorf("error %v, want that the quote was erased", err)
		}
	})
}

func TestWhatWasMovedDoesNotOpen(t *testing.T) {
	t.Parallel()
	stack := stacktest.Open(t, nil)
	s := stack.Quotes()
	mustCreate(t, s, quotetest.MustExample(t, "E01"), quoteID(1))
	mustCreate(t, s, quotetest.MustExample(t, "E01"), quoteID(2))
	first := mustLoad(t, s, quoteID(1)).Events[0]
	in := &dynamodb.UpdateItemInput{TableName: &s.Log.Table, UpdateExpression: aws.String("SET sealed = :s")}
	in.Key, in.ExpressionAttributeValues = keyOf(quotestore.StreamID(quoteID(2)), 1), bytesOf(":s", first.Sealed)
	if _, err := s.Log.DB.UpdateItem(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Load(t.Context(), quoteID(2)); err == nil || !strings.Contains(err.Error(), "version 1") || strings.Contains(err.Error(), "Example") {
		t.Errorf("error=%v, want one that says where", err)
	}
}

func keyOf(stream string, version int) stored.Item {
	return stored.Item{
		"streamId": stored.Text(stream), "version": stored.Number(version),
	}
}

func bytesOf(name string, value []byte) stored.Item {
	return stored.Item{name: stored.Bytes(value)}
}
