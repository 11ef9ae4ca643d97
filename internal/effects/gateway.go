package effects

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/retrypolicy"

	"milepost/internal/bounds"
)

// Config describes a party and how it is treated.
type Config struct {
	// Party is its name, in records, errors and traces: "accident-history".
	Party string
	// Endpoint is the base URL of the party. Calls go there and nowhere else, by https; http is for a party
	// on the same machine.
	Endpoint string
	// Client sends the requests. Its redirects and cookies are not used.
	Client *http.Client
	// Deadline is how long a call may take, including the wait for its turn and its retry.
	Deadline time.Duration
	// RetryDelay is the mean of the random wait before the one retry: it is between half and one and a half times this.
	RetryDelay time.Duration
	// MaxConcurrent is how many calls run at the same time; further ones wait for their turn.
	MaxConcurrent uint
	// BreakAfter is how many outcomes, of as many subjects, the gateway needs within BreakWindow to judge the
	// party. If half of them are failures it leaves the party alone for BreakFor; then one call tries whether
	// the party is back.
	BreakAfter            uint
	BreakWindow, BreakFor time.Duration
}

// Gateway makes the calls to one party. It is safe for concurrent use, and its memory of failures
// is worth keeping for as long as the process lives.
type Gateway struct {
	config   Config
	client   *http.Client
	policies []failsafe.Policy[*attempt]
	breaker  *breaker
}

// New makes the gateway to a party. All fields of the Config are needed. It fails for an Endpoint that may not be
// called.
func New(config Config) (*Gateway, error) {
	if err := checkEndpoint(config.Endpoint); err != nil {
		return nil, fmt.Errorf("%s: the endpoint %w", config.Party, err)
	}
	client := *config.Client
	client.Jar = nil
	client.CheckRedirect = func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // a redirect counts as no answer
	}
	return &Gateway{config: config, client: &client, breaker: newBreaker(config), policies: []failsafe.Policy[*attempt]{
		// the outermost first
		bulkhead.NewBuilder[*attempt](config.MaxConcurrent).WithMaxWaitTime(config.Deadline).Build(),
		retrypolicy.NewBuilder[*attempt]().
			HandleIf(func(a *attempt, _ error) bool { return a != nil && a.retry }).
			WithDelayFunc(func(e failsafe.ExecutionAttempt[*attempt]) time.Duration { return e.LastResult().wait }).
			WithMaxRetries(1).ReturnLastFailure().Build(),
	}}, nil
}

// checkEndpoint refuses a base URL that would expose personal data to others, or to a place that is not plain from the
// URL.
func checkEndpoint(endpoint string) error {
	u, err := url.Parse(endpoint)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return errors.New("is no URL with a host")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return errors.New("has more than a scheme, a host and a path")
	case u.Scheme == "https", u.Scheme == "http" && thisMachine(u.Hostname()):
		return nil
	}
	return fmt.Errorf("begins with %s://, not with https://", u.Scheme)
}

func thisMachine(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Call is one request to a party.
type Call struct {
	// Operation says what is asked, in records and traces.
	Operation string
	// IDs are recorded with the call. They must not identify or describe a person.
	IDs map[string]string

	// Subject is whom the call is made for: a customer. One subject's failures do not open the circuit.
	Subject string

	Method string
	// Path is added to the party's Endpoint. It may have a query.
	Path   string
	Header http.Header
	Body   []byte
	// Retry says whether an answer is worth another try. Nil means Temporary. A call without
	// an answer is tried again too, so it must be safe to repeat.
	Retry func(*Answer) bool
}

// Answer is what a party answered. If there is an error it only has the Record.
type Answer struct {
	Record Record
	Status int
	Header http.Header
	Body   []byte
}

// Temporary reports whether the answer is one that may be better at the next try: 429, 502, 503
// or 504.
func Temporary(a *Answer) bool {
	switch a.Status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// RetryAfter is how long the party asks to be left alone, 0 when it does not say.
func (a *Answer) RetryAfter() time.Duration {
	text := a.Header.Get("Retry-After")
	if seconds, err := strconv.Atoi(text); err == nil {
		return max(0, time.Duration(seconds)*time.Second)
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}

// Decode reads the body, which must be JSON and be declared as JSON. The error quotes no part of it.
func (a *Answer) Decode(into any) error {
	kind, _, err := mime.ParseMediaType(a.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" && !strings.HasSuffix(kind, "+json") {
		return errors.New("the body is not declared as JSON")
	}
	if !utf8.Valid(a.Body) || json.Unmarshal(a.Body, into) != nil {
		return errors.New("the body cannot be decoded")
	}
	return nil
}

// attempt is one request of a call and what to do with it.
type attempt struct {
	answer *Answer
	reason Reason // "" when there is an answer
	err    error
	sick   bool // the party is in trouble
	gone   bool // the caller no longer waits, which says nothing of the party
	retry  bool
	wait   time.Duration // before the retry
}

// Do makes a call. The error is *Muted during a replay and *NoAnswer if there is no answer; an answer of any HTTP
// status is not an error. There is always a Record, except for *Muted.
func (g *Gateway) Do(ctx context.Context, call Call) (*Answer, error) {
	if err := Allow(ctx, g.config.Party); err != nil {
		return nil, err
	}
	began := time.Now()
	record := Record{Party: g.config.Party, Operation: call.Operation, IDs: call.IDs,
		RequestHash: hash(call.Body), AskedAt: began.UTC()}

	limited, cancel := context.WithTimeout(ctx, g.config.Deadline)
	defer cancel()
	var last *attempt
	_, err := failsafe.With(g.policies...).WithContext(limited).Get(func() (*attempt, error) {
		if !g.breaker.TryAcquirePermit() {
			return nil, circuitbreaker.ErrOpen
		}
		record.Attempts++
		attemptCtx, trace := beginTrace(limited, g.config, call, record.Attempts)
		a := g.try(ctx, attemptCtx, call)
		g.breaker.record(call.Subject, a)
		trace.end(a)
		if last == nil || last.answer == nil || a.answer != nil {
			last = a // an answer to the first attempt stays if the second has none
		}
		return a, nil
	})
	record.DurationMS = time.Since(began).Milliseconds()

	if last != nil && last.answer != nil {
		last.answer.Record = record.answered(last.answer)
		return last.answer, nil
	}
	failure := &NoAnswer{Party: g.config.Party}
	switch {
	case last != nil:
		failure.Reason, failure.Err = last.reason, last.err
		if e, ok := errors.AsType[*tooLarge](last.err); ok {
			record.ReplyHash = e.hash
		}
	case errors.Is(err, circuitbreaker.ErrOpen):
		failure.Reason = CircuitOpen
	case ctx.Err() != nil:
		failure.Reason, failure.Err = goneReason(ctx), context.Cause(ctx)
	default:
		failure.Reason = Busy
	}
	record.NoAnswer = failure.Reason
	if record.Attempts == 0 {
		_, trace := beginTrace(ctx, g.config, call, 0)
		trace.end(&attempt{err: failure})
	}
	return &Answer{Record: record}, failure
}

func (r Record) answered(a *Answer) Record {
	r.Status = a.Status
	if utf8.Valid(a.Body) {
		r.Reply = string(a.Body)
	} else {
		r.ReplyHash = hash(a.Body) // a text cannot keep it word for word
	}
	return r
}

// try sends the request once. caller is the context of the call without the gateway's deadline.
func (g *Gateway) try(caller, limited context.Context, call Call) *attempt {
	answer, err := g.send(limited, call)
	a := &attempt{answer: answer, err: err}
	again := call.Retry
	if again == nil {
		again = Temporary
	}
	switch {
	case err == nil:
		a.sick = answer.Status >= http.StatusInternalServerError
		a.retry, a.wait = again(answer), answer.RetryAfter()
	case caller.Err() != nil:
		a.reason, a.err, a.gone = goneReason(caller), context.Cause(caller), true
	case limited.Err() != nil:
		a.reason, a.sick = Timeout, true
	case errors.As(err, new(*tooLarge)):
		a.reason = TooLarge
	default:
		a.reason, a.sick, a.retry = Network, true, true
	}
	a.wait = max(a.wait, g.config.RetryDelay/2) + rand.N(g.config.RetryDelay)
	if deadline, ok := limited.Deadline(); ok && time.Now().Add(a.wait).After(deadline) {
		a.retry = false // nothing could come of it
	}
	return a
}

// goneReason is why a caller no longer waits.
func goneReason(caller context.Context) Reason {
	if errors.Is(caller.Err(), context.DeadlineExceeded) {
		return Timeout
	}
	return Canceled
}

func (g *Gateway) send(ctx context.Context, call Call) (*Answer, error) {
	address := strings.TrimSuffix(g.config.Endpoint, "/") + "/" + strings.TrimPrefix(call.Path, "/")
	req, err := http.NewRequestWithContext(ctx, call.Method, address, bytes.NewReader(call.Body))
	if err != nil {
		return nil, withoutURL(err)
	}
	if call.Header != nil {
		req.Header = call.Header.Clone()
	}
	resp, err := g.client.Do(req)
	if err != nil {
		return nil, withoutURL(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, bounds.Reply+1))
	if err != nil {
		return nil, err
	}
	if len(body) <= bounds.Reply {
		return &Answer{Status: resp.StatusCode, Header: resp.Header, Body: body}, nil
	}
	rest := sha256.New()
	rest.Write(body)
	if n, err := io.Copy(rest, io.LimitReader(resp.Body, mostHashed)); err != nil || n == mostHashed {
		return nil, &tooLarge{} // who knows how much is still to come
	}
	return nil, &tooLarge{hash: text(rest.Sum(nil))}
}

// mostHashed is how much of a reply that is too large is read for its hash.
const mostHashed = 16 * bounds.Reply

// tooLarge says that a reply is larger than bounds.Reply.
type tooLarge struct {
	// hash is that of the whole reply, "" if it has no end that was reached.
	hash string
}

func (e *tooLarge) Error() string {
	return "the answer is larger than " + strconv.Itoa(bounds.Reply) + " bytes"
}

func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
