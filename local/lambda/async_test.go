package lambda_test

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"milepost/local/awsapi"
	"milepost/local/lambda"
	"milepost/local/storage"
)

const queueARN = "arn:aws:sqs:us-east-1:000000000000:failures"

// mailbox records what was delivered to destinations.
type mailbox struct {
	mu     sync.Mutex
	bodies []map[string]any
	fail   int // how many deliveries fail first
}

func (m *mailbox) deliver(_ context.Context, _, destination string, body []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail > 0 {
		m.fail--
		return errors.New("the queue is not there")
	}
	var record map[string]any
	if err := json.Unmarshal(body, &record); err != nil {
		return err
	}
	record["destination"] = destination
	m.bodies = append(m.bodies, record)
	return nil
}

func (m *mailbox) all() []map[string]any {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.bodies
}

// at finds a member by its path.
func at(t *testing.T, v any, path ...string) any {
	t.Helper()
	for _, p := range path {
		object, ok := v.(map[string]any)
		if !ok {
			t.Fatalf("%v has no %s", v, p)
		}
		v = object[p]
	}
	return v
}

func TestAsyncRetriesAfterOneAndTwoMinutes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var calls []time.Duration
		start := time.Now()
		var box mailbox
		box.fail = 2
		s := newService(t, lambda.Config{DeadLetters: box.deliver}, lambda.Function{
			Name: "f", Async: lambda.AsyncConfig{OnFailure: queueARN, OnSuccess: "arn:other"},
			Handler: handlerFunc(func(context.Context, []byte) ([]byte, error) {
				calls = append(calls, time.Since(start))
				return nil, &quoteExpired{"noon"}
			}),
		})
		if err := s.InvokeAsync(t.Context(), "f", []byte(`{"n":1}`)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		want := []time.Duration{0, time.Minute, 3 * time.Minute}
		if len(calls) != 3 || calls[0] != want[0] || calls[1] != want[1] || calls[2] != want[2] {
			t.Errorf("calls at %v, want %v", calls, want)
		}
		if len(box.all()) != 1 {
			t.Fatalf("deliveries = %v, want one", box.all())
		}
		record := box.all()[0]
		for _, want := range []struct {
			value any
			path  []string
		}{
			{"1.0", []string{"version"}},
			{queueARN, []string{"destination"}},
			{"RetriesExhausted", []string{"requestContext", "condition"}},
			{awsapi.ARN("lambda", "function:f:$LATEST"), []string{"requestContext", "functionArn"}},
			{3.0, []string{"requestContext", "approximateInvokeCount"}},
			{1.0, []string{"requestPayload", "n"}},
			{200.0, []string{"responseContext", "statusCode"}},
			{"$LATEST", []string{"responseContext", "executedVersion"}},
			{"Unhandled", []string{"responseContext", "functionError"}},
			{"quoteExpired", []string{"responsePayload", "errorType"}},
		} {
			if got := at(t, record, want.path...); got != want.value {
				t.Errorf("%v = %v, want %v", want.path, got, want.value)
			}
		}
	})
}

func TestAsyncSuccessTellsItsDestination(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var box mailbox
		s := newService(t, lambda.Config{DeadLetters: box.deliver}, lambda.Function{
			Name: "f", Async: lambda.AsyncConfig{OnSuccess: queueARN}, Handler: handlerFunc(echo),
		})
		if err := s.InvokeAsync(t.Context(), "f", []byte(`{"n":1}`)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(box.all()) != 1 || at(t, box.all()[0], "requestContext", "condition") != "Success" {
			t.Errorf("deliveries = %v", box.all())
		}
	})
}

func TestAsyncEventGrowsTooOldWhileThrottled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var box mailbox
		none := 0
		s := newService(t, lambda.Config{DeadLetters: box.deliver}, lambda.Function{
			Name: "f", ReservedConcurrency: &none, Handler: handlerFunc(echo),
			Async: lambda.AsyncConfig{OnFailure: queueARN, MaximumEventAge: 10 * time.Minute},
		})
		if err := s.InvokeAsync(t.Context(), "f", []byte(`{}`)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(box.all()) != 1 {
			t.Fatalf("deliveries = %v", box.all())
		}
		record := box.all()[0]
		if at(t, record, "requestContext", "condition") != "EventAgeExceeded" || at(t, record, "requestContext", "approximateInvokeCount") != 0.0 {
			t.Errorf("record = %v", record)
		}
		if _, ok := record["responseContext"]; ok {
			t.Error("a function that never ran has a response")
		}
	})
}

func TestAcceptedEventSurvivesARestart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state")
	synctest.Test(t, func(t *testing.T) {
		open := func(handler handlerFunc) (*storage.Store, *lambda.Service) {
			store, err := storage.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			s, err := lambda.New(lambda.Config{Store: store})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.CreateFunction(lambda.Function{Name: "f", Handler: handler}); err != nil {
				t.Fatal(err)
			}
			if err := s.Start(); err != nil {
				t.Fatal(err)
			}
			return store, s
		}
		closeBoth := func(store *storage.Store, s *lambda.Service) {
			if err := errors.Join(s.Close(), store.Close()); err != nil {
				t.Fatal(err)
			}
		}
		store, s := open(func(context.Context, []byte) ([]byte, error) { return nil, errors.New("not yet") })
		if err := s.InvokeAsync(t.Context(), "f", []byte(`{"n":1}`)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		closeBoth(store, s)

		var got []string
		store, s = open(func(_ context.Context, payload []byte) ([]byte, error) {
			got = append(got, string(payload))
			return nil, nil
		})
		time.Sleep(time.Hour)
		synctest.Wait()
		closeBoth(store, s)

		store, s = open(func(_ context.Context, payload []byte) ([]byte, error) { got = append(got, "again"); return nil, nil })
		time.Sleep(time.Hour)
		synctest.Wait()
		closeBoth(store, s)
		if len(got) != 1 || got[0] != `{"n":1}` {
			t.Errorf("after the restart the function got %q, want the event once", got)
		}
	})
}
