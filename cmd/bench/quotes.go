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

	"milepost/cmd/internal/system"
	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/local/issuer"
)

// client is a customer of a system in memory. It calls the API's handler without a socket.
type client struct {
	api   http.Handler
	token string
	body  string
}

// inMemory starts a system in memory with a customer.
func inMemory() (*system.System, *client, error) {
	s, err := system.Open(system.Options{Template: "template.yaml"})
	if err != nil {
		return nil, nil, err
	}
	if err := s.Start(); err != nil {
		return nil, nil, err
	}
	token, err := s.Issuer.Token(issuer.Claims{Subject: "bench", Scopes: []string{"quotes"}, Audience: []string{system.Audience}})
	if err != nil {
		return nil, nil, err
	}
	return s, &client{s.API(), token, system.Example(civil.DateOf(time.Now().UTC()))}, nil
}

func (c *client) call(method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+c.token)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	c.api.ServeHTTP(w, r)
	return w
}

// quote submits a request and asks for the quote until it is in the projection with its price. It gives
// the time that this took.
func (c *client) quote(ctx context.Context, poll time.Duration) (time.Duration, error) {
	began := time.Now()
	w := c.call(http.MethodPost, "/quotes", c.body)
	if w.Code != http.StatusAccepted {
		return 0, fmt.Errorf("submit: status %d: %s", w.Code, w.Body)
	}
	location := w.Header().Get("Location")
	for {
		w := c.call(http.MethodGet, location, "")
		var q struct{ Status quote.Status }
		if w.Code == http.StatusOK {
			if err := json.Unmarshal(w.Body.Bytes(), &q); err != nil {
				return 0, err
			}
		}
		if q.Status == quote.StatusQuoted {
			return time.Since(began), nil
		}
		if q.Status != quote.StatusRequested && q.Status != "" {
			return 0, fmt.Errorf("the quote is %s", q.Status)
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(poll):
		}
	}
}

// quotes keeps so many customers busy at the same time and counts the quotes that they get priced.
func quotes(ctx context.Context) ([]figure, error) {
	const customers, warmUp, total = 32, 500, 4000
	s, c, err := inMemory()
	if err != nil {
		return nil, err
	}
	defer s.Close()
	run := func(n int64) error {
		var next atomic.Int64
		var wg sync.WaitGroup
		errs := make(chan error, customers)
		for range customers {
			wg.Go(func() {
				for next.Add(1) <= n {
					if _, err := c.quote(ctx, 50*time.Millisecond); err != nil {
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
	s, c, err := inMemory()
	if err != nil {
		return nil, err
	}
	defer s.Close()
	times := make([]time.Duration, perSecond*seconds)
	errs := make([]error, len(times))
	tick := time.NewTicker(time.Second / perSecond)
	defer tick.Stop()
	var wg sync.WaitGroup
	for i := range times {
		<-tick.C
		wg.Go(func() { times[i], errs[i] = c.quote(ctx, 2*time.Millisecond) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	p50 := percentile(times, 50)
	return []figure{
		{"latency at 50 quotes/s, p50", round(p50).String(), "-", true},
		below("latency at 50 quotes/s, p99", percentile(times, 99), 250*time.Millisecond),
	}, nil
}
