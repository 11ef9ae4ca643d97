package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"milepost/local/awsapi"
	"milepost/local/storage"
)

// asyncBucket holds the accepted events that are not done, by request id.
const asyncBucket = "lambda.async"

const (
	defaultAsyncRetries = 2
	maxEventAge         = 6 * time.Hour
	minEventAge         = time.Minute
	firstRetryDelay     = time.Minute // the second is twice as long
	throttleDelay       = time.Second
	maxThrottleDelay    = 5 * time.Minute
)

// AsyncConfig is what happens to an asynchronous event that fails. The zero value retries twice
// and keeps an event for six hours.
type AsyncConfig struct {
	MaximumRetryAttempts *int          // 0 to 2; nil means 2
	MaximumEventAge      time.Duration // 1 minute to 6 hours; 0 means 6 hours
	OnFailure            string        // ARN of the destination of events that were given up
	OnSuccess            string        // ARN of the destination of events that were processed
}

func (c *AsyncConfig) check() error {
	if n := c.MaximumRetryAttempts; n != nil && (*n < 0 || *n > defaultAsyncRetries) {
		return fmt.Errorf("MaximumRetryAttempts %d is not between 0 and 2", *n)
	}
	if age := c.MaximumEventAge; age != 0 && (age < minEventAge || age > maxEventAge) {
		return fmt.Errorf("MaximumEventAge %v is not between 1 minute and 6 hours", age)
	}
	return nil
}

func (c *AsyncConfig) retries() int {
	if c.MaximumRetryAttempts == nil {
		return defaultAsyncRetries
	}
	return *c.MaximumRetryAttempts
}

func (c *AsyncConfig) maxAge() time.Duration {
	if c.MaximumEventAge == 0 {
		return maxEventAge
	}
	return c.MaximumEventAge
}

// asyncEvent is an accepted event as it is stored.
type asyncEvent struct {
	RequestID   string          `json:"requestId"`
	Function    string          `json:"function"`
	Payload     json.RawMessage `json:"payload"`
	TraceHeader string          `json:"traceHeader,omitempty"`
	Accepted    time.Time       `json:"accepted"`
	// Attempts that failed; the next one is not before Next.
	Attempts int       `json:"attempts,omitempty"`
	Next     time.Time `json:"next,omitzero"`
}

// InvokeAsync accepts an event for a function (invocation type Event) and returns once it is safe
// in the store. The function then gets it at least once; when it fails, again after a minute and
// after two more, as its AsyncConfig says. The payload must be JSON and not be changed afterwards.
func (s *Service) InvokeAsync(ctx context.Context, arnOrName string, payload []byte) error {
	_, err := s.accept(ctx, arnOrName, payload)
	return err
}

// accept returns the request id under which the event is known from now on.
func (s *Service) accept(ctx context.Context, arnOrName string, payload []byte) (string, error) {
	f, err := s.find(arnOrName)
	if err != nil {
		return "", err
	}
	if len(payload) > maxAsyncRequest {
		return "", tooLarge(maxAsyncRequest)
	}
	if len(payload) == 0 {
		payload = []byte("{}")
	}
	e := &asyncEvent{
		RequestID: newRequestID(), Function: f.Name, Payload: payload,
		TraceHeader: awsapi.TraceHeader(ctx), Accepted: time.Now(),
	}
	if err := s.save(e); err != nil {
		return "", err
	}
	if !s.begin() {
		return "", errClosing() // the caller tries again; that the event may come twice is allowed
	}
	go func() {
		defer s.running.Done()
		s.process(f, e)
	}()
	return e.RequestID, nil
}

func (s *Service) save(e *asyncEvent) error {
	if s.cfg.Store == nil {
		return nil
	}
	value, err := json.Marshal(e)
	if err != nil {
		return awsapi.Errorf("InvalidRequestContentException", "Could not parse request body into json: %v", err)
	}
	return s.cfg.Store.Commit(storage.Op{Bucket: asyncBucket, Key: []byte(e.RequestID), Value: value})
}

// resumeAsync continues the events that an earlier run left.
func (s *Service) resumeAsync() error {
	var left []*asyncEvent
	err := s.cfg.Store.Each(asyncBucket, func(key, value []byte) error {
		e := &asyncEvent{}
		if err := json.Unmarshal(value, e); err != nil {
			return fmt.Errorf("read the event %s: %w", key, err)
		}
		left = append(left, e)
		return nil
	})
	if err != nil {
		return err
	}
	for _, e := range left {
		f, err := s.find(e.Function)
		if err != nil {
			s.log.Warn("an accepted event waits for its function", "function", e.Function, "request_id", e.RequestID)
			continue
		}
		if s.begin() {
			go func() {
				defer s.running.Done()
				s.process(f, e)
			}()
		}
	}
	return nil
}

// process sees one event to its end, or until the Service is closed.
func (s *Service) process(f *function, e *asyncEvent) {
	ctx := s.base
	if e.TraceHeader != "" {
		ctx = awsapi.WithTraceHeader(ctx, e.TraceHeader)
	}
	var last *Result
	for throttles := 0; ; {
		if !e.Next.IsZero() && !sleep(ctx, time.Until(e.Next)) {
			return
		}
		if time.Since(e.Accepted) > f.Async.maxAge() {
			s.finish(f, e, "EventAgeExceeded", f.Async.OnFailure, last)
			return
		}
		result, err := s.invoke(ctx, f, e.RequestID, e.Payload)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			// The function was not run, so this is not an attempt.
			e.Next = time.Now().Add(backoff(throttles, throttleDelay, maxThrottleDelay))
			throttles++
			continue
		case result.FunctionError == "":
			e.Attempts++
			s.finish(f, e, "Success", f.Async.OnSuccess, &result)
			return
		}
		last = &result
		e.Attempts++
		if e.Attempts > f.Async.retries() {
			s.finish(f, e, "RetriesExhausted", f.Async.OnFailure, last)
			return
		}
		e.Next = time.Now().Add(backoff(e.Attempts-1, firstRetryDelay, time.Hour))
		if err := s.save(e); err != nil {
			s.log.Error("save a failed attempt", "function", f.Name, "request_id", e.RequestID, "error", err)
		}
	}
}

// invocationRecord is what a destination gets about an asynchronous invocation.
type invocationRecord struct {
	Version        string          `json:"version"`
	Timestamp      string          `json:"timestamp"`
	RequestContext requestContext  `json:"requestContext"`
	RequestPayload json.RawMessage `json:"requestPayload"`
	// Absent when the event grew too old before the function first ran.
	ResponseContext *responseContext `json:"responseContext,omitempty"`
	ResponsePayload json.RawMessage  `json:"responsePayload,omitempty"`
}

type requestContext struct {
	RequestID              string `json:"requestId"`
	FunctionARN            string `json:"functionArn"`
	Condition              string `json:"condition"`
	ApproximateInvokeCount int    `json:"approximateInvokeCount"`
}

type responseContext struct {
	StatusCode      int    `json:"statusCode"`
	ExecutedVersion string `json:"executedVersion"`
	FunctionError   string `json:"functionError,omitempty"`
}

const recordTime = "2006-01-02T15:04:05.000Z"

// finish informs the destination how an event ended, and forgets it. An event that is killed in between is processed
// again.
func (s *Service) finish(f *function, e *asyncEvent, condition, destination string, last *Result) {
	if destination != "" {
		record := invocationRecord{
			Version: "1.0", Timestamp: time.Now().UTC().Format(recordTime),
			RequestContext: requestContext{e.RequestID, f.arn + ":" + latest, condition, e.Attempts},
			RequestPayload: e.Payload,
		}
		if last != nil {
			record.ResponseContext = &responseContext{200, last.ExecutedVersion, last.FunctionError}
			record.ResponsePayload = last.Payload
			if !json.Valid(last.Payload) { // a handler may answer any bytes
				record.ResponsePayload, _ = json.Marshal(string(last.Payload))
			}
		}
		if err := s.deliver(f, destination, record); err != nil && s.base.Err() != nil {
			return // it stays in the store
		}
	} else if condition != "Success" {
		s.log.Warn("an event is given up", "function", f.Name, "request_id", e.RequestID, "condition", condition)
	}
	if err := s.cfg.Store.Commit(storage.Op{Bucket: asyncBucket, Key: []byte(e.RequestID)}); err != nil {
		s.log.Error("forget an event", "function", f.Name, "request_id", e.RequestID, "error", err)
	}
}

// deliveryTries is how often a destination is tried before its record is dropped with an error in
// the log, as Lambda does.
const deliveryTries = 5

func (s *Service) deliver(f *function, destination string, record any) error {
	body, err := json.Marshal(record)
	if err != nil {
		return fmt.Errorf("encode a record for %s: %w", destination, err)
	}
	for try := range deliveryTries {
		if try > 0 && !sleep(s.base, backoff(try-1, time.Second, time.Minute)) {
			break
		}
		var failure error
		if failure = s.cfg.DeadLetters(s.base, f.RoleARN, destination, body); failure == nil {
			return nil
		}
		err = errors.Join(err, failure)
	}
	s.log.Error("deliver to a destination", "destination", destination, "error", err)
	return err
}
