package effects

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
)

// MaxReply is the size of the largest answer that is read, in bytes.
const MaxReply = 1 << 20

// Config describes a party and how it is treated.
type Config struct {
	// Party is its name, in records, errors and traces: "accident-history".
	Party string
	// Client sends the requests.
	Client *http.Client
	// Deadline is how long a call may take, with waiting for its turn and with its retry.
	Deadline time.Duration
	// RetryDelay is the mean of the random wait before the one retry: it lies between half and one
	// and a half times this.
	RetryDelay time.Duration
	// MaxConcurrent is how many calls run at the same time; further ones wait for their turn.
	MaxConcurrent uint
	// BreakAfter is how many failures in a row make the gateway leave the party alone, for BreakFor;
	// then one call tries whether it is back.
	BreakAfter uint
	BreakFor   time.Duration
}

// Gateway makes the calls to one party. It is safe for concurrent use, and its memory of failures
// is worth keeping for as long as the process lives.
type Gateway struct {
	config   Config
	policies []failsafe.Policy[*attempt]
}

// New makes the gateway to a party. All fields of the Config are needed.
func New(config Config) *Gateway {
	return &Gateway{config: config, policies: []failsafe.Policy[*attempt]{ // the outermost first
		bulkhead.NewBuilder[*attempt](config.MaxConcurrent).WithMaxWaitTime(config.Deadline).Build(),
		retrypolicy.NewBuilder[*attempt]().
			HandleIf(func(a *attempt, _ error) bool { return a != nil && a.retry }).
			WithDelayFunc(func(e failsafe.ExecutionAttempt[*attempt]) time.Duration { return e.LastResult().wait }).
			WithMaxRetries(1).ReturnLastFailure().Build(),
		circuitbreaker.NewBuilder[*attempt]().
			HandleIf(func(a *attempt, _ error) bool { return a != nil && a.sick }).
			WithFailureThreshold(config.BreakAfter).WithSuccessThreshold(1).
			WithDelay(config.BreakFor).Build(),
	}}
}

// Call is one request to a party.
type Call struct {
	// Operation says what is asked, in records and traces.
	Operation string
	// IDs are recorded with the call. They must not name or describe a person.
	IDs map[string]string

	Method, URL string
	Header      http.Header
	Body        []byte
	// Retry says whether an answer is worth another try. Nil stands for Temporary. A call without
	// an answer is tried again too, so it must be safe to repeat.
	Retry func(*Answer) bool
}

// Answer is what a party answered. Beside an error it only has the Record.
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

// attempt is one request of a call and what is to be made of it.
type attempt struct {
	answer *Answer
	reason Reason // "" when there is an answer
	err    error
	sick   bool // the party is in trouble
	retry  bool
	wait   time.Duration // before the retry
}

// Do makes a call. The error is *Muted during a replay and *NoAnswer when there is no answer; an
// answer of any HTTP status is none. The Record is there in both cases, and without one only
// for *Muted.
func (g *Gateway) Do(ctx context.Context, call Call) (*Answer, error) {
	if err := Allow(ctx, g.config.Party); err != nil {
		return nil, err
	}
	began := time.Now()
	record := Record{Party: g.config.Party, Operation: call.Operation, IDs: call.IDs,
		RequestHash: hash(call.Body), AskedAt: began.UTC()}

	limited, cancel := context.WithTimeout(ctx, g.config.Deadline)
	defer cancel()
	limited, trace := beginTrace(limited, g.config.Party, call)
	var last *attempt
	_, err := failsafe.With(g.policies...).WithContext(limited).Get(func() (*attempt, error) {
		record.Attempts++
		a := g.try(ctx, limited, call)
		if last == nil || last.answer == nil || a.answer != nil {
			last = a // an answer to the first attempt stays when the second brings none
		}
		return a, nil
	})
	record.DurationMS = time.Since(began).Milliseconds()

	if last != nil && last.answer != nil {
		last.answer.Record = record.answered(last.answer)
		trace.end(last.answer.Status, len(last.answer.Body), nil)
		return last.answer, nil
	}
	failure := &NoAnswer{Party: g.config.Party}
	switch {
	case last != nil:
		failure.Reason, failure.Err = last.reason, last.err
	case errors.Is(err, circuitbreaker.ErrOpen):
		failure.Reason = CircuitOpen
	case ctx.Err() != nil:
		failure.Reason, failure.Err = goneReason(ctx), context.Cause(ctx)
	default:
		failure.Reason = Busy
	}
	record.NoAnswer = failure.Reason
	trace.end(0, 0, failure)
	return &Answer{Record: record}, failure
}

func (r Record) answered(a *Answer) Record {
	r.Status, r.Reply = a.Status, string(a.Body)
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
		a.reason, a.err = goneReason(caller), context.Cause(caller)
	case limited.Err() != nil:
		a.reason, a.sick = Timeout, true
	case errors.Is(err, errTooLarge):
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

var errTooLarge = errors.New("the answer is larger than " + strconv.Itoa(MaxReply) + " bytes")

func (g *Gateway) send(ctx context.Context, call Call) (*Answer, error) {
	req, err := http.NewRequestWithContext(ctx, call.Method, call.URL, bytes.NewReader(call.Body))
	if err != nil {
		return nil, withoutURL(err)
	}
	if call.Header != nil {
		req.Header = call.Header.Clone()
	}
	resp, err := g.config.Client.Do(req)
	if err != nil {
		return nil, withoutURL(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxReply+1))
	if err != nil {
		return nil, err
	}
	if len(body) > MaxReply {
		return nil, errTooLarge
	}
	return &Answer{Status: resp.StatusCode, Header: resp.Header, Body: body}, nil
}

func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
