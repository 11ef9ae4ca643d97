package platform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

// HandlerFunc is a function as a lambda.Handler.
type HandlerFunc func(ctx context.Context, payload []byte) ([]byte, error)

// Invoke calls the function.
func (f HandlerFunc) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	return f(ctx, payload)
}

// Handler frames fn as a Lambda handler: it decodes the payload, encodes the result, and logs one
// line with the outcome and what the payload says it is about. A payload that cannot be decoded is a *BadPayload.
func Handler[In, Out any](env Environment, fn func(context.Context, In) (Out, error)) lambda.Handler {
	begin := Frame(env)
	return HandlerFunc(func(ctx context.Context, payload []byte) ([]byte, error) {
		ctx, done := begin(ctx)
		var in In
		if err := json.Unmarshal(payload, &in); err != nil {
			bad := &BadPayload{Err: err}
			done(bad)
			return nil, bad
		}
		if s, ok := any(in).(subjected); ok {
			Note(ctx, s.Subject())
		}
		out, err := fn(ctx, in)
		done(err)
		if err != nil {
			return nil, Named(err)
		}
		return json.Marshal(out)
	})
}

// Frame returns what begins each invocation of one handler; the function that it returns logs how the invocation
// ended. Under its context, Note and Log say more.
func Frame(env Environment) func(context.Context) (context.Context, func(error)) {
	var invoked atomic.Bool
	return func(ctx context.Context) (context.Context, func(error)) {
		began := time.Now()
		l := &line{env: env, cold: !invoked.Swap(true)}
		ctx = context.WithValue(ctx, lineKey{}, l)
		return ctx, func(err error) {
			level, outcome := slog.LevelInfo, "done"
			attrs := append(l.attrs(ctx), slog.Duration("took", time.Since(began)))
			if err != nil {
				level, outcome = slog.LevelError, "failed"
				if errors.Is(ctx.Err(), context.Canceled) { // the machinery stops, and will call again
					level, outcome = slog.LevelInfo, "canceled"
				}
				attrs = append(attrs, slog.String("error", err.Error()), slog.String("error_type", ErrorType(Named(err))))
			}
			if located, ok := errors.AsType[Located](err); ok {
				attrs = append(attrs, located.LogAttrs()...)
			}
			env.Logger.LogAttrs(ctx, level, outcome, attrs...)
		}
	}
}

// machinery is what Lambda and X-Ray call the invocation.
func machinery(ctx context.Context) (attrs []slog.Attr) {
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		attrs = append(attrs, slog.String("request_id", lc.AwsRequestID))
	}
	if header := TraceHeader(ctx); header != "" {
		attrs = append(attrs, slog.String("trace", header))
	}
	return attrs
}

// spare is what a function that works in stretches leaves of its time: enough for a slow batch.
const spare = 30 * time.Second

// TimeIsUp reports whether a function should return its progress, because its time is nearly over. Without a deadline
// it never is.
func TimeIsUp(ctx context.Context) func() bool {
	return func() bool {
		deadline, ok := ctx.Deadline()
		return ok && time.Until(deadline) < spare
	}
}

// BadPayload says that a function was called with something it does not take.
type BadPayload struct{ Err error }

func (e *BadPayload) Error() string { return fmt.Sprintf("the payload cannot be read: %v", e.Err) }
func (e *BadPayload) Unwrap() error { return e.Err }

// ReportedByName marks the type as one that callers of the function check.
func (*BadPayload) ReportedByName() {}
