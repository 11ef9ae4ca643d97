package lambda

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"milepost/local/awsapi"
	"milepost/local/metrics"
)

// The limits of Lambda, in bytes. What a response may hold is a little more than a request.
const (
	maxRequest      = 6 << 20
	maxAsyncRequest = 1 << 20
	maxResponse     = 6_291_556
)

// Result is the result of an invocation. The function may have failed.
type Result struct {
	// Payload is the function's answer, or an error document {"errorMessage", "errorType", …}.
	Payload []byte
	// FunctionError is "Unhandled" when the function failed, and else "".
	FunctionError string
	// RequestID of the invocation, by which logs and destinations name it.
	RequestID string
	// ExecutedVersion is always "$LATEST".
	ExecutedVersion string
}

// Invoke calls a function and waits for its answer (invocation type RequestResponse). The function continues the trace
// header of ctx. It does not learn when ctx ends; Invoke then returns ctx's error while the function runs on. An error
// means that, as far as the caller can know, the function did not run: it is an *awsapi.Error such as
// ResourceNotFoundException, or ctx's.
func (s *Service) Invoke(ctx context.Context, arnOrName string, payload []byte) (Result, error) {
	f, err := s.find(arnOrName)
	if err != nil {
		return Result{}, err
	}
	if len(payload) > maxRequest {
		return Result{}, tooLarge(maxRequest)
	}
	return s.invoke(ctx, f, newRequestID(), payload)
}

func tooLarge(limit int) error {
	return &awsapi.Error{Code: "RequestTooLargeException", Status: 413, Fields: map[string]any{"Type": "User"},
		Message: fmt.Sprintf("Request must be smaller than %d bytes for the InvokeFunction operation", limit)}
}

// outcome is how a handler ended; failure is nil when it answered.
type outcome struct {
	payload []byte
	failure *failure
}

func (s *Service) invoke(ctx context.Context, f *function, requestID string, payload []byte) (Result, error) {
	if err := s.acquire(f); err != nil {
		s.traceThrottle(ctx, f, requestID)
		s.measure(f, metrics.Number("Throttles", 1))
		return Result{}, err
	}
	if !s.begin() {
		s.release(f)
		return Result{}, errClosing()
	}
	if len(payload) == 0 {
		payload = []byte("{}")
	}
	t := s.beginTrace(ctx, f, requestID)
	started := time.Now()
	deadline := started.Add(f.Timeout)
	hctx, cancel := context.WithDeadline(s.base, deadline)
	hctx = lambdacontext.NewContext(hctx, &lambdacontext.LambdaContext{AwsRequestID: requestID, InvokedFunctionArn: f.arn})
	hctx = t.handlerContext(hctx)
	if w := Tail(ctx); w != nil {
		hctx = withTail(hctx, w)
	}

	done := make(chan outcome, 1)
	s.work(func() {
		defer s.running.Done()
		s.call(hctx, f, payload, done)
	})

	// answer receives exactly once, when the handler or its time has ended.
	answer := func(o outcome) Result {
		cancel()
		s.release(f)
		result := Result{Payload: o.payload, RequestID: requestID, ExecutedVersion: latest}
		if o.failure != nil {
			result.Payload, result.FunctionError = o.failure.document(), "Unhandled"
		}
		t.end(o.failure)
		s.measure(f, metrics.Number("Invocations", 1), metrics.OneIf("Errors", o.failure != nil), metrics.Number("Throttles", 0),
			metrics.Took("Duration", time.Since(started)))
		return result
	}
	wait := func() (Result, error) {
		var o outcome
		select {
		case o = <-done:
		case <-hctx.Done():
		}
		// A handler that notices the deadline itself is as late as one that does not.
		switch {
		case !time.Now().Before(deadline):
			o = outcome{failure: timeout(requestID, f.Timeout)}
		case s.base.Err() != nil:
			err := errClosing()
			answer(outcome{failure: failed(err)})
			return Result{}, err
		}
		return answer(o), nil
	}
	if ctx.Done() == nil {
		return wait()
	}
	select {
	case o := <-done:
		done <- o
		return wait()
	case <-hctx.Done():
		return wait()
	case <-ctx.Done():
		if s.begin() {
			go func() {
				defer s.running.Done()
				_, _ = wait() // nobody waits for it any more
			}()
		} else {
			_, _ = wait() // returns at once: the Service is closing
		}
		return Result{}, context.Cause(ctx)
	}
}

// work runs fn on a goroutine that has run a handler before, if one is free: its stack has grown to what handlers need,
// and growing new stacks took a twentieth of all time.
func (s *Service) work(fn func()) {
	select {
	case s.free <- fn:
	default:
		go func() {
			for {
				fn()
				select {
				case fn = <-s.free:
				case <-s.base.Done():
					return
				}
			}
		}()
	}
}

func errClosing() error {
	return &awsapi.Error{Code: "ServiceException", Status: 500, Message: "the local Lambda is shutting down"}
}

// call runs the handler and always sends one outcome.
func (s *Service) call(ctx context.Context, f *function, payload []byte, done chan<- outcome) {
	var o outcome
	returned := false
	defer func() {
		if !returned {
			if value := recover(); value != nil {
				o = outcome{failure: panicked(value)}
			} else { // runtime.Goexit
				o = outcome{failure: &failure{errorType: "Runtime.ExitError", message: "the handler ended its goroutine"}}
			}
		}
		done <- o
	}()
	var err error
	if plan := s.cfg.Faults; plan != nil && plan.Invoke != nil {
		o.payload, err = plan.Invoke(ctx, f.Name, payload, f.Handler.Invoke)
	} else {
		o.payload, err = f.Handler.Invoke(ctx, payload)
	}
	switch {
	case err != nil:
		o = outcome{failure: failed(err)}
	case len(o.payload) > maxResponse:
		o = outcome{failure: &failure{errorType: "Function.ResponseSizeTooLarge",
			message: fmt.Sprintf("Response payload size exceeded maximum allowed payload size (%d bytes).", maxResponse)}}
	}
	returned = true
}

// newRequestID makes a random UUID.
func newRequestID() string {
	var id [16]byte
	binary.LittleEndian.PutUint64(id[:8], rand.Uint64())
	binary.LittleEndian.PutUint64(id[8:], rand.Uint64())
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return formatUUID(id)
}

func formatUUID(id [16]byte) string {
	var text [36]byte
	hex.Encode(text[0:], id[0:4])
	hex.Encode(text[9:], id[4:6])
	hex.Encode(text[14:], id[6:8])
	hex.Encode(text[19:], id[8:10])
	hex.Encode(text[24:], id[10:16])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return string(text[:])
}
