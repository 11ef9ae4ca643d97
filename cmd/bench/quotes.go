package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/internal/quotes/notice"
	"milepost/internal/quotes/quotestore"
	"milepost/local/fault"
	"milepost/local/issuer"
	"milepost/system"
)

// bench is a system in memory with one customer, who calls the API's handler without a socket. It
// watches the projector, so that it need not ask when a quote is there.
type bench struct {
	*system.System
	token, body string

	mu sync.Mutex
	// projected signals, by the quote's id, that the quote's offer is in the projections.
	projected map[string]chan struct{}
}

func openBench() (*bench, error) {
	b := &bench{body: system.Example(civil.DateOf(time.Now().UTC())), projected: map[string]chan struct{}{}}
	var err error
	if b.System, err = system.Open(system.Options{Template: "template.yaml", Parameters: system.Unbounded(), Faults: &fault.Plan{Invoke: b.watch}}); err != nil {
		return nil, err
	}
	if err := b.Start(); err != nil {
		return nil, err
	}
	b.token, err = b.Issuer.Token(issuer.Claims{Subject: "bench", Scopes: []string{"quotes"}, Audience: []string{system.Audience}})
	return b, err
}

// watch is between the runtime and the functions. It only observes.
func (b *bench) watch(ctx context.Context, function string, payload []byte, next func(context.Context, []byte) ([]byte, error)) ([]byte, error) {
	result, err := next(ctx, payload)
	if err == nil && function == "milepost-ProjectFunction" {
		var n notice.Delivery
		if json.Unmarshal(payload, &n) == nil && n.Detail.EventType == quote.TypeQuoteOffered {
			id, _ := quotestore.QuoteID(n.Detail.StreamID)
			b.done(id, func(c chan struct{}) {
				select {
				case <-c: // the event was delivered twice
				default:
					close(c)
				}
			})
		}
	}
	return result, err
}

// done finds the channel of a quote, or makes it.
func (b *bench) done(quoteID string, fn func(chan struct{})) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.projected[quoteID] == nil {
		b.projected[quoteID] = make(chan struct{})
	}
	fn(b.projected[quoteID])
}

func (b *bench) call(method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+b.token)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	b.API().ServeHTTP(w, r)
	return w
}

// quote submits a request, waits until the projector has its price, and reads the quote once to see that this is so. It
// returns the time from submission to projection.
func (b *bench) quote(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	w := b.call(http.MethodPost, "/quotes", b.body)
	if w.Code != http.StatusAccepted {
		return 0, fmt.Errorf("submit: status %d: %s", w.Code, w.Body)
	}
	location := w.Header().Get("Location")
	var projected chan struct{}
	b.done(strings.TrimPrefix(location, "/quotes/"), func(c chan struct{}) { projected = c })
	select {
	case <-projected:
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(time.Minute):
		return 0, fmt.Errorf("%s is not priced after a minute", location)
	}
	took := time.Since(began)
	var q struct{ Status quote.Status }
	if w := b.call(http.MethodGet, location, ""); json.Unmarshal(w.Body.Bytes(), &q) != nil || q.Status != quote.StatusQuoted {
		return 0, fmt.Errorf("%s: status %d: %s", location, w.Code, w.Body)
	}
	return took, nil
}

// quotes keeps a number of customers busy at the same time and counts their priced quotes.
func quotes(ctx context.Context) ([]figure, error) {
	const customers, warmUp, total = 32, 500, 4000
	b, err := openBench()
	if err != nil {
		return nil, err
	}
	defer b.Close()
	run := func(n int64) error {
		var next atomic.Int64
		var wg sync.WaitGroup
		errs := make(chan error, customers)
		for range customers {
			wg.Go(func() {
				for next.Add(1) <= n {
					if _, err := b.quote(ctx); err != nil {
						errs <- err
						return
					}
				}
			})
		}
		wg.Wait()
		close(errs)
		return <-errs
	}
	if err := run(warmUp); err != nil {
		return nil, err
	}
	began := time.Now()
	if err := run(total); err != nil {
		return nil, err
	}
	return []figure{rate("quotes, submit to projection, in memory", total, time.Since(began), 300)}, nil
}

// latency submits at a fixed rate and times each quote from submission to projection.
func latency(ctx context.Context) ([]figure, error) {
	const perSecond, seconds = 50, 10
	b, err := openBench()
	if err != nil {
		return nil, err
	}
	defer b.Close()
	times := make([]time.Duration, perSecond*seconds)
	errs := make([]error, len(times))
	tick := time.NewTicker(time.Second / perSecond)
	defer tick.Stop()
	var wg sync.WaitGroup
	for i := range times {
		<-tick.C
		wg.Go(func() { times[i], errs[i] = b.quote(ctx) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return []figure{
		{"latency at 50 quotes/s, p50", round(percentile(times, 50)).String(), noGoal, true},
		below("latency at 50 quotes/s, p99", percentile(times, 99), 250*time.Millisecond),
	}, nil
}
