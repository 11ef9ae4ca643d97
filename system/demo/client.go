package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// API calls the API as its customers and employees do.
type API struct {
	// URL is where it is served, and HTTP carries the requests.
	URL  string
	HTTP interface {
		Do(*http.Request) (*http.Response, error)
	}
	// Token returns a token of a subject with scopes.
	Token func(ctx context.Context, subject string, scopes []string) (string, error)

	mu     sync.Mutex
	tokens map[string]string
}

// employees are those who act, with their scopes. Everybody else is a customer.
var employees = map[string][]string{
	"uwe": {"staff"}, "sue": {"staff", "senior"}, "sam": {"staff"},
}

// Refusal is an answer of the API that is not 200 or 202.
type Refusal struct {
	Method, Path string
	Status       int
	Body         string
}

func (e *Refusal) Error() string {
	return fmt.Sprintf("%s %s: %d %s", e.Method, e.Path, e.Status, e.Body)
}

// problem reports whether err is the API's problem of a type.
func problem(err error, status int, of string) bool {
	refused, ok := errors.AsType[*Refusal](err)
	return ok && refused.Status == status && strings.Contains(refused.Body, `"/problems/`+of+`"`)
}

func (a *API) token(ctx context.Context, subject string) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if token := a.tokens[subject]; token != "" {
		return token, nil
	}
	scopes := employees[subject]
	if scopes == nil {
		scopes = []string{"quotes"}
	}
	token, err := a.Token(ctx, subject, scopes)
	if err != nil {
		return "", err
	}
	if a.tokens == nil {
		a.tokens = map[string]string{}
	}
	a.tokens[subject] = token
	return token, nil
}

// call sends a request of somebody, and decodes the answer into v if that is not nil.
func (a *API) call(ctx context.Context, who, method, path, body string, v any, headers ...string) error {
	token, err := a.token(ctx, who)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, method, a.URL+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := a.HTTP.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK && answer.StatusCode != http.StatusAccepted {
		return &Refusal{method, path, answer.StatusCode, string(text)}
	}
	if v == nil {
		return nil
	}
	return json.Unmarshal(text, v)
}

// view is a quote as the API shows it.
type view struct {
	Version      int
	Status       string
	Reasons      []struct{ Code string }
	Conditions   []string
	TotalPremium string
	Correction   json.RawMessage
	Rejections   []struct{ Code, Version, Text string }

	AdverseActionNotice bool
	Reported            *struct{ Reasons []struct{ Code string } }
}

// codes are the reasons of the outcome, as employees see them.
func (v view) codes() []string {
	reasons := v.Reasons
	if v.Reported != nil && v.Reported.Reasons != nil {
		reasons = v.Reported.Reasons
	}
	codes := make([]string, len(reasons))
	for i, r := range reasons {
		codes[i] = r.Code
	}
	return codes
}

// read returns a quote; found is false if there is none.
func (a *API) read(ctx context.Context, id string) (v view, found bool, err error) {
	err = a.call(ctx, reader, http.MethodGet, "/quotes/"+id, "", &v)
	if problem(err, http.StatusNotFound, "not-found") {
		return v, false, nil
	}
	return v, err == nil, err
}

// reader is the employee who looks at the quotes.
const reader = "sam"

// patience is how long a quote may take to get its price, and pace how often it is looked at.
const (
	patience = time.Minute
	pace     = 50 * time.Millisecond
)

// await waits until a condition is met.
func await(ctx context.Context, what string, met func() (bool, error)) error {
	for deadline := time.Now().Add(patience); ; {
		done, err := met()
		if done || err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: not within %v", what, patience)
		}
		select {
		case <-time.After(pace):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// rated waits until a quote has an outcome.
func (a *API) rated(ctx context.Context, id string) error {
	return await(ctx, "the price of "+id, func() (bool, error) {
		v, _, err := a.read(ctx, id)
		return v.Status != "" && v.Status != "REQUESTED", err
	})
}

// found waits until the search finds a quote by its VIN.
func (a *API) found(ctx context.Context, id, vin string) error {
	return await(ctx, "the search for a vehicle", func() (bool, error) {
		var page struct{ Quotes []struct{ QuoteID string } }
		err := a.call(ctx, reader, http.MethodGet, "/quotes?vin="+url.QueryEscape(vin), "", &page)
		return slices.ContainsFunc(page.Quotes, func(q struct{ QuoteID string }) bool { return q.QuoteID == id }), err
	})
}
