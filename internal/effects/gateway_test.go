package effects_test

import (
	"context"
	"errors"
	"fmt"
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

	"milepost/internal/bounds"
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

func newGateway(t *testing.T, p *party) *effects.Gateway {
	t.Helper()
	g, err := effects.New(config(p))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func config(p *party) effects.Config {
	return effects.Config{Party: "bureau", Endpoint: "https://bureau.example", Client: &http.Client{Transport: p},
		Deadline: 4 * time.Second, RetryDelay: 200 * time.Millisecond, MaxConcurrent: 2,
		BreakAfter: 3, BreakWindow: time.Minute, BreakFor: 30 * time.Second}
}

func call() effects.Call {
	return effects.Call{Operation: "ask", IDs: map[string]string{"requestId": "r-1"}, Method: "POST",
		Subject: "customer-1", Path: "/people/5YJ3E1EA7PF000109", Body: []byte("secret"), Header: http.Header{"Authorization": {"Bearer key"}}}
}

// answers returns one status after the other, the last one for ever.
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
			return reply(200, strings.Repeat("x", bounds.Reply+1))
		}, 0, effects.TooLarge, 1, 0, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				answer, err := newGateway(t, &party{answer: test.answer}).Do(t.Context(), call())
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
	answer, err := newGateway(t, down).Do(t.Context(), call())
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
	_, err := newGateway(t, p).Do(effects.WithReplay(t.Context()), call())
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

// TestBreaker: a letter is a call for a customer of that name, a capital one fails, and whoever asks for a
// digit goes away before the answer; a dot is half a minute.
func TestBreaker(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ calls, refused string }{
		"three customers who fail":                  {"ABCd", "d"},
		"half of them":                              {"AbCd", "d"},
		"a third of them":                           {"AbcdE", ""},
		"one customer as often as he likes":         {"AAAAAAAAAAAAb", ""},
		"his failures do not hide behind successes": {"aaaaaaaaBCd", "d"},
		"two are too few":                           {"ABABABc", ""},
		"three in more than a window":               {"A..B.Cd", ""},
		"a customer fails again in the next window": {"A..A.B.", ""},
		"the party is back":                         {"ABC.de", ""},
		"the party is not back":                     {"ABC.De.f", "e"},
		"one customer is enough on probation":       {"ABC.Aa.a", "a"},
		"who goes away says nothing good":           {"AB1234Cd", "d"},
		"and nothing bad":                           {"AB1234d", ""},
		"nor that the party is back":                {"ABC.1De", "e"},
		"nor that it is not":                        {"ABC.12de", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				status := 200
				g := newGateway(t, &party{answer: func(_ int, r *http.Request) (*http.Response, error) {
					if status == 0 {
						return hang(r)
					}
					return reply(status, "")
				}})
				refused := ""
				for _, who := range test.calls {
					if who == '.' {
						time.Sleep(30 * time.Second)
						continue
					}
					c := call()
					c.Subject = strings.ToLower(string(who))
					if status = 200; c.Subject != string(who) {
						status = 500
					}
					ctx, cancel := context.WithCancel(t.Context())
					if who >= '0' && who <= '9' {
						status = 0
						time.AfterFunc(time.Millisecond, cancel)
					}
					_, err := g.Do(ctx, c)
					cancel()
					none, ok := errors.AsType[*effects.NoAnswer](err)
					switch {
					case ok && none.Reason == effects.CircuitOpen:
						refused += string(who)
					case err != nil && (!ok || none.Reason != effects.Canceled || status != 0):
						t.Fatal(err)
					}
				}
				if refused != test.refused {
					t.Errorf("refused %q, want %q", refused, test.refused)
				}
			})
		})
	}
}

func TestCallsGoToTheConfiguredHostOnly(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 303, 304, 307, 308} {
		var asked []string
		p := &party{answer: func(_ int, r *http.Request) (*http.Response, error) {
			asked = append(asked, r.Method+" "+r.URL.String())
			return reply(status, "", "Location", "http://thief.example/")
		}}
		answer, err := newGateway(t, p).Do(t.Context(), call())
		if err != nil || answer.Status != status || len(asked) != 1 {
			t.Errorf("%d: %v %v after %v, want it as the answer", status, answer, err, asked)
		}
	}
	for _, path := range []string{"@thief.example/", "//thief.example/", "/../..//thief.example", ".thief.example"} {
		p := &party{answer: func(_ int, r *http.Request) (*http.Response, error) {
			if r.URL.Host != "bureau.example" || r.URL.User != nil {
				t.Errorf("path %q leads to %s", path, r.URL)
			}
			return reply(200, "")
		}}
		c := call()
		c.Path = path
		if _, err := newGateway(t, p).Do(t.Context(), c); err != nil {
			t.Errorf("%q: %v", path, err)
		}
	}
}

func TestEndpoints(t *testing.T) {
	t.Parallel()
	for endpoint, ok := range map[string]bool{
		"https://bureau.example": true, "https://bureau.example/v2/": true, "https://10.0.0.1:8443": true,
		"http://127.0.0.1:8081": true, "http://localhost:8081/": true, "http://[::1]:8081": true,
		"http://bureau.example": false, "http://10.0.0.1": false, "http://localhost.example": false, "ftp://bureau.example": false,
		"bureau.example": false, "https:": false, "https:bureau.example": false, "": false, "https:///x": false, "://": false,
		"https://key@bureau.example": false, "https://bureau.example/?key=1": false, "https://bureau.example/#x": false,
	} {
		c := config(&party{})
		c.Endpoint = endpoint
		if _, err := effects.New(c); (err == nil) != ok {
			t.Errorf("%q: error=%v", endpoint, err)
		}
	}
}

func TestDecodeTakesWhatIsDeclaredAsJSON(t *testing.T) {
	t.Parallel()
	for kind, ok := range map[string]bool{
		"application/json": true, "application/json; charset=utf-8": true, "application/vnd.report+json": true,
		"text/html": false, "": false, "application/jsonp": false, "json": false, "; ": false,
	} {
		answer := effects.Answer{Header: http.Header{"Content-Type": {kind}}, Body: []byte(`{"a":"secret"}`)}
		var into map[string]string
		if err := answer.Decode(&into); (err == nil) != ok {
			t.Errorf("%q: error=%v", kind, err)
		}
		for _, body := range []string{"", "secret", `{"a":"secret`, "{\"a\":\"secret\xff\"}", `["secret"]`} {
			answer.Body = []byte(body)
			if err := answer.Decode(&into); err == nil || strings.Contains(err.Error(), "secret") {
				t.Errorf("%q: %q: error=%v", kind, body, err)
			}
		}
	}
}

func TestOurOwnErrorsDoNotOpenTheCircuit(t *testing.T) {
	t.Parallel()
	p := &party{answer: answers(422)}
	g := newGateway(t, p)
	for who := range 10 {
		c := call()
		c.Subject = fmt.Sprint(who)
		if _, err := g.Do(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCallsWaitForTheirTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var running, most atomic.Int64
		g := newGateway(t, &party{answer: func(_ int, r *http.Request) (*http.Response, error) {
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
		g := newGateway(t, p)
		for who := range 5 {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			c := call()
			c.Subject = fmt.Sprint(who)
			_, err := g.Do(ctx, c)
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

func TestEveryAttemptIsASubsegment(t *testing.T) {
	t.Parallel()
	emitter := &emitted{}
	ctx, err := xray.ContextWithConfig(t.Context(), xray.Config{Emitter: emitter, ContextMissingStrategy: ctxmissing.NewDefaultRuntimeErrorStrategy()})
	if err != nil {
		t.Fatal(err)
	}
	g := newGateway(t, &party{answer: answers(429, 200)})
	if _, err := g.Do(ctx, call()); err != nil { // panics if it needs a segment that does not exist
		t.Fatal(err)
	}
	ctx, _ = xray.BeginFacadeSegment(ctx, "function", header.FromString("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"))
	for _, test := range []struct {
		statuses []int
		want     string
	}{
		{[]int{200}, "1:200"}, {[]int{503, 200}, "1:503F 2:200"}, {[]int{429, 503}, "1:429ET 2:503F"}, {[]int{0, 404}, "1:0F 2:404E"},
	} {
		emitter.segments = nil
		if _, err := newGateway(t, &party{answer: answers(test.statuses...)}).Do(ctx, call()); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range emitter.segments {
			text := fmt.Sprintf("%v:%d", s.Annotations["attempt"], s.GetHTTP().GetResponse().Status)
			for mark, set := range map[string]bool{"F": s.Fault, "E": s.Error} {
				if set {
					text += mark
				}
			}
			if s.Throttle {
				text += "T"
			}
			got = append(got, text)
			if s.Name != "bureau" || s.Namespace != "remote" || s.HTTP.Request.Method != "POST" || s.InProgress {
				t.Errorf("segment=%+v http=%+v", s, s.HTTP)
			}
			if s.HTTP.Request.URL != "https://bureau.example" {
				t.Errorf("URL=%q, want none of what could name a person", s.HTTP.Request.URL)
			}
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%v: attempts %v, want %s", test.statuses, got, test.want)
		}
	}
}
