package effects_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-xray-sdk-go/v2/header"
	"github.com/aws/aws-xray-sdk-go/v2/strategy/ctxmissing"
	"github.com/aws/aws-xray-sdk-go/v2/xray"

	"milepost/internal/effects"
)

// party is an outside party made of a function; it counts its requests.
type party struct {
	answer func(n int, r *http.Request) (*http.Response, error)
	asked  atomic.Int64
}

func (p *party) RoundTrip(r *http.Request) (*http.Response, error) {
	return p.answer(int(p.asked.Add(1)), r)
}

func reply(status int, body string, headers ...string) (*http.Response, error) {
	h := http.Header{}
	for i := 0; i+1 < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}, nil
}

func hang(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func newGateway(p *party) *effects.Gateway {
	return effects.New(effects.Config{Party: "bureau", Client: &http.Client{Transport: p}, Deadline: 4 * time.Second,
		RetryDelay: 200 * time.Millisecond, MaxConcurrent: 2, BreakAfter: 3, BreakFor: 30 * time.Second})
}

func call() effects.Call {
	return effects.Call{Operation: "ask", IDs: map[string]string{"requestId": "r-1"}, Method: "POST",
		URL: "https://bureau.example/people/5YJ3E1EA7PF000109", Body: []byte("secret"), Header: http.Header{"Authorization": {"Bearer key"}}}
}

// answers gives one status after the other, the last one for ever.
func answers(statuses ...int) func(int, *http.Request) (*http.Response, error) {
	return func(n int, _ *http.Request) (*http.Response, error) {
		status := statuses[min(n, len(statuses))-1]
		if status == 0 {
			return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
		}
		return reply(status, "body")
	}
}

func TestCalls(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		answer   func(int, *http.Request) (*http.Response, error)
		status   int
		reason   effects.Reason
		attempts int
		from, to time.Duration // how long it takes
	}{
		"an answer at once":                      {answers(200), 200, "", 1, 0, 0},
		"an answer at the second try":            {answers(503, 200), 200, "", 2, 100 * time.Millisecond, 300 * time.Millisecond},
		"no third try":                           {answers(503, 504, 200), 504, "", 2, 100 * time.Millisecond, 300 * time.Millisecond},
		"an error of ours is not tried again":    {answers(400, 200), 400, "", 1, 0, 0},
		"a broken connection is":                 {answers(0, 200), 200, "", 2, 100 * time.Millisecond, 300 * time.Millisecond},
		"an answer outlives a retry without one": {answers(503, 0), 503, "", 2, 100 * time.Millisecond, 300 * time.Millisecond},
		"no connection at all":                   {answers(0), 0, effects.Network, 2, 100 * time.Millisecond, 300 * time.Millisecond},
		"Retry-After is kept":                    {func(n int, _ *http.Request) (*http.Response, error) { return retryAfter(n, "2") }, 200, "", 2, 2 * time.Second, 2200 * time.Millisecond},
		"unless it passes the deadline":          {func(n int, _ *http.Request) (*http.Response, error) { return retryAfter(n, "4") }, 429, "", 1, 0, 0},
		"no answer before the deadline":          {func(_ int, r *http.Request) (*http.Response, error) { return hang(r) }, 0, effects.Timeout, 1, 4 * time.Second, 4 * time.Second},
		"an answer that is larger than we read it": {func(int, *http.Request) (*http.Response, error) {
			return reply(200, strings.Repeat("x", effects.MaxReply+1))
		}, 0, effects.TooLarge, 1, 0, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				answer, err := newGateway(&party{answer: test.answer}).Do(t.Context(), call())
				took := time.Since(began)
				if took < test.from || took > test.to {
					t.Errorf("took %v, want %v to %v", took, test.from, test.to)
				}
				var reason effects.Reason
				if none, ok := errors.AsType[*effects.NoAnswer](err); ok {
					reason = none.Reason
				} else if err != nil {
					t.Fatal(err)
				}
				r := answer.Record
				if answer.Status != test.status || r.Status != test.status || reason != test.reason || r.NoAnswer != test.reason {
					t.Errorf("Status=%d Record=%+v error=%v", answer.Status, r, err)
				}
				if r.Attempts != test.attempts || r.DurationMS != took.Milliseconds() || !r.AskedAt.Equal(began) {
					t.Errorf("Attempts=%d DurationMS=%d AskedAt=%v", r.Attempts, r.DurationMS, r.AskedAt)
				}
			})
		})
	}
}

func retryAfter(n int, after string) (*http.Response, error) {
	if n == 1 {
		return reply(429, "", "Retry-After", after)
	}
	return reply(200, "")
}

func TestRecordTellsNothingOfThePerson(t *testing.T) {
	t.Parallel()
	down := &party{answer: answers(0)}
	answer, err := newGateway(down).Do(t.Context(), call())
	if text := err.Error(); strings.Contains(text, "5YJ3") {
		t.Errorf("error=%q names the vehicle", text)
	}
	r := answer.Record
	want := "sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
	if r.Party != "bureau" || r.Operation != "ask" || r.IDs["requestId"] != "r-1" || r.RequestHash != want {
		t.Errorf("Record=%+v", r)
	}
	if text := r.LogValue().String(); strings.Contains(text, "body") || strings.Contains(text, "secret") {
		t.Errorf("log value %q shows the reply", text)
	}
}

func TestReplayIsMuted(t *testing.T) {
	t.Parallel()
	p := &party{answer: answers(200)}
	_, err := newGateway(p).Do(effects.WithReplay(t.Context()), call())
	if muted, ok := errors.AsType[*effects.Muted](err); !ok || muted.Party != "bureau" {
		t.Errorf("error=%v, want *Muted", err)
	}
	if n := p.asked.Load(); n != 0 {
		t.Errorf("the party was asked %d times", n)
	}
	if err := effects.Allow(t.Context(), "mail"); err != nil {
		t.Errorf("outside a replay: %v", err)
	}
}

func TestBreakerLeavesAPartyAloneAndTriesItAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &party{answer: answers(500, 500, 500, 200)}
		g := newGateway(p)
		do := func() (int, effects.Reason) {
			answer, err := g.Do(t.Context(), call())
			if none, ok := errors.AsType[*effects.NoAnswer](err); ok {
				return 0, none.Reason
			}
			return answer.Status, ""
		}
		for range 3 {
			if status, _ := do(); status != 500 {
				t.Fatalf("status=%d, want 500", status)
			}
		}
		if _, reason := do(); reason != effects.CircuitOpen || p.asked.Load() != 3 {
			t.Errorf("reason=%q after %d requests, want the circuit open after 3", reason, p.asked.Load())
		}
		time.Sleep(30 * time.Second)
		if status, _ := do(); status != 200 {
			t.Errorf("status=%d, want 200 once the party is back", status)
		}
	})
}

func TestOurOwnErrorsDoNotOpenTheCircuit(t *testing.T) {
	t.Parallel()
	p := &party{answer: answers(422)}
	g := newGateway(p)
	for range 10 {
		if _, err := g.Do(t.Context(), call()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCallsWaitForTheirTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var running, most atomic.Int64
		g := newGateway(&party{answer: func(_ int, r *http.Request) (*http.Response, error) {
			most.Store(max(most.Load(), running.Add(1)))
			defer running.Add(-1)
			time.Sleep(3 * time.Second)
			return reply(200, "")
		}})
		var done, busy atomic.Int64
		var wait sync.WaitGroup
		for range 5 {
			wait.Go(func() {
				answer, err := g.Do(t.Context(), call())
				if none, ok := errors.AsType[*effects.NoAnswer](err); ok && (none.Reason == effects.Busy || none.Reason == effects.Timeout) {
					if answer.Record.Attempts == 0 {
						busy.Add(1)
					}
					return
				}
				if err != nil {
					t.Error(err)
				}
				done.Add(1)
			})
		}
		wait.Wait()
		if most.Load() != 2 || busy.Load() != 1 {
			t.Errorf("most at once=%d, never had a turn=%d, done=%d, want 2, 1", most.Load(), busy.Load(), done.Load())
		}
	})
}

func TestCallerThatGoesAwayIsNotTheFaultOfTheParty(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &party{answer: func(_ int, r *http.Request) (*http.Response, error) { return hang(r) }}
		g := newGateway(p)
		for range 5 {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			_, err := g.Do(ctx, call())
			if none, ok := errors.AsType[*effects.NoAnswer](err); !ok || none.Reason != effects.Canceled {
				t.Errorf("error=%v, want CANCELED", err)
			}
		}
		if p.asked.Load() != 5 {
			t.Errorf("%d requests, want 5: the circuit must stay closed", p.asked.Load())
		}
	})
}

// emitted is an X-Ray emitter that keeps what it is given.
type emitted struct{ segments []*xray.Segment }

func (e *emitted) Emit(s *xray.Segment)                   { e.segments = append(e.segments, s) }
func (e *emitted) RefreshEmitterWithAddress(*net.UDPAddr) {}

func TestEveryCallIsOneSubsegment(t *testing.T) {
	t.Parallel()
	emitter := &emitted{}
	ctx, err := xray.ContextWithConfig(t.Context(), xray.Config{Emitter: emitter, ContextMissingStrategy: ctxmissing.NewDefaultRuntimeErrorStrategy()})
	if err != nil {
		t.Fatal(err)
	}
	g := newGateway(&party{answer: answers(429, 200)})
	if _, err := g.Do(ctx, call()); err != nil { // panics when it asks for a segment that is not there
		t.Fatal(err)
	}
	g = newGateway(&party{answer: answers(503, 503)})
	ctx, _ = xray.BeginFacadeSegment(ctx, "function", header.FromString("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"))
	if _, err := g.Do(ctx, call()); err != nil {
		t.Fatal(err)
	}
	if len(emitter.segments) != 1 {
		t.Fatalf("%d segments, want one for the call with its two attempts", len(emitter.segments))
	}
	s := emitter.segments[0]
	if s.Name != "bureau" || s.Namespace != "remote" || s.HTTP.Request.Method != "POST" || s.HTTP.Response.Status != 503 || !s.Fault || s.InProgress {
		t.Errorf("segment=%+v http=%+v", s, s.HTTP)
	}
	if s.HTTP.Request.URL != "https://bureau.example" {
		t.Errorf("URL=%q, want none of what could name a person", s.HTTP.Request.URL)
	}
}
