package lambda_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"milepost/local/awsapi"
	"milepost/local/fault"
	"milepost/local/lambda"
	"milepost/local/xray"
)

// handlerFunc is a Handler made of a function.
type handlerFunc func(ctx context.Context, payload []byte) ([]byte, error)

func (f handlerFunc) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	return f(ctx, payload)
}

func echo(_ context.Context, payload []byte) ([]byte, error) { return payload, nil }

func newService(t testing.TB, c lambda.Config, functions ...lambda.Function) *lambda.Service {
	t.Helper()
	s, err := lambda.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, f := range functions {
		if err := s.CreateFunction(f); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func mustInvoke(t testing.TB, s *lambda.Service, name, payload string) lambda.Result {
	t.Helper()
	result, err := s.Invoke(t.Context(), name, []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	return result
}

type quoteExpired struct{ at string }

func (e *quoteExpired) Error() string { return "expired at " + e.at }

type panicValue struct{}

func TestInvokeAnswersAsLambdaDoes(t *testing.T) {
	t.Parallel()
	sentinel := errors.New("no such thing")
	tests := []struct {
		name      string
		handler   handlerFunc
		wantError string // errorType; "" for success
		want      string // payload, or errorMessage
	}{
		{"the answer is passed through", echo, "", `{"n":1}`},
		{"a typed error is named by its type", func(context.Context, []byte) ([]byte, error) { return nil, &quoteExpired{"noon"} },
			"quoteExpired", "expired at noon"},
		{"a sentinel is an errorString", func(context.Context, []byte) ([]byte, error) { return nil, sentinel },
			"errorString", "no such thing"},
		{"only the outermost error counts", func(context.Context, []byte) ([]byte, error) {
			return nil, fmt.Errorf("look up: %w", &quoteExpired{"noon"})
		}, "wrapError", "look up: expired at noon"},
		{"a ready error response is passed on", func(context.Context, []byte) ([]byte, error) {
			return nil, messages.InvokeResponse_Error{Type: "Custom", Message: "as it is"}
		}, "Custom", "as it is"},
		{"a panic is named by its value's type", func(context.Context, []byte) ([]byte, error) { panic(panicValue{}) },
			"panicValue", "{}"},
		{"an answer above 6 MB is an error", func(context.Context, []byte) ([]byte, error) { return make([]byte, 7<<20), nil },
			"Function.ResponseSizeTooLarge", "Response payload size exceeded maximum allowed payload size (6291556 bytes)."},
		{"a goroutine that ends is an exit", func(context.Context, []byte) ([]byte, error) { runtime.Goexit(); return nil, nil },
			"Runtime.ExitError", "the handler ended its goroutine"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newService(t, lambda.Config{}, lambda.Function{Name: "f", Handler: test.handler})
			result := mustInvoke(t, s, "f", `{"n":1}`)
			if result.ExecutedVersion != "$LATEST" || len(result.RequestID) != 36 {
				t.Errorf("result = %+v", result)
			}
			if test.wantError == "" {
				if string(result.Payload) != test.want || result.FunctionError != "" {
					t.Errorf("result = %s %q, want %s", result.Payload, result.FunctionError, test.want)
				}
				return
			}
			var doc messages.InvokeResponse_Error
			if err := json.Unmarshal(result.Payload, &doc); err != nil {
				t.Fatalf("%s: %v", result.Payload, err)
			}
			if result.FunctionError != "Unhandled" || doc.Type != test.wantError || doc.Message != test.want {
				t.Errorf("FunctionError=%q document=%s, want %s: %s", result.FunctionError, result.Payload, test.wantError, test.want)
			}
		})
	}
}

func explode() { panic("boom") }

func TestPanicShowsWhereItHappened(t *testing.T) {
	t.Parallel()
	s := newService(t, lambda.Config{}, lambda.Function{Name: "f", Handler: handlerFunc(func(context.Context, []byte) ([]byte, error) {
		explode()
		return nil, nil
	})})
	var doc messages.InvokeResponse_Error
	result := mustInvoke(t, s, "f", "")
	if err := json.Unmarshal(result.Payload, &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Type != "string" || len(doc.StackTrace) < 3 {
		t.Fatalf("document = %s", result.Payload)
	}
	labels := make([]string, 0, len(doc.StackTrace))
	for _, f := range doc.StackTrace {
		labels = append(labels, f.Label)
	}
	if all := strings.Join(labels, " "); !strings.Contains(all, "explode") || strings.Contains(all, "(*Service)") {
		t.Errorf("stack = %s, want the handler's frames alone", all)
	}
}

func TestHandlerContextIsThatOfAWSLambdaGo(t *testing.T) {
	t.Parallel()
	var lc *lambdacontext.LambdaContext
	var left time.Duration
	handler := awslambda.NewHandler(func(ctx context.Context, in struct{ N int }) (int, error) {
		lc, _ = lambdacontext.FromContext(ctx)
		deadline, _ := ctx.Deadline()
		left = time.Until(deadline)
		return in.N + 1, nil
	})
	s := newService(t, lambda.Config{}, lambda.Function{Name: "f", Handler: handler, Timeout: 7 * time.Second})
	for _, name := range []string{"f", "f:$LATEST", "arn:aws:lambda:us-east-1:000000000000:function:f", "000000000000:function:f"} {
		result := mustInvoke(t, s, name, `{"N":1}`)
		if string(result.Payload) != "2" {
			t.Errorf("%s: payload = %s", name, result.Payload)
		}
		if lc.AwsRequestID != result.RequestID || lc.InvokedFunctionArn != awsapi.ARN("lambda", "function:f") {
			t.Errorf("%s: context = %+v", name, lc)
		}
		if left < 6*time.Second || left > 7*time.Second {
			t.Errorf("%s: time left = %v", name, left)
		}
	}
}

func TestInvokeRefuses(t *testing.T) {
	t.Parallel()
	zero := 0
	s := newService(t, lambda.Config{},
		lambda.Function{Name: "f", Handler: handlerFunc(echo)},
		lambda.Function{Name: "off", Handler: handlerFunc(echo), ReservedConcurrency: &zero})
	tests := []struct {
		name, function string
		size           int
		code           string
		status         int
	}{
		{"an unknown function", "g", 2, "ResourceNotFoundException", 404},
		{"an unknown version", "f:7", 2, "ResourceNotFoundException", 404},
		{"a function of another account", "arn:aws:lambda:us-east-1:111111111111:function:f", 2, "ResourceNotFoundException", 404},
		{"a payload above 6 MB", "f", 6<<20 + 1, "RequestTooLargeException", 413},
		{"a function without concurrency", "off", 2, "TooManyRequestsException", 429},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := s.Invoke(t.Context(), test.function, make([]byte, test.size))
			if e := awsapi.AsError(err); err == nil || e.Code != test.code || e.StatusCode() != test.status {
				t.Errorf("error = %v, want %s", err, test.code)
			}
		})
	}
	if err := s.InvokeAsync(t.Context(), "f", make([]byte, 1<<20+1)); err == nil {
		t.Error("an asynchronous payload above 1 MB was accepted")
	}
}

func TestReservedConcurrencyThrottlesTheSecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		one := 1
		s := newService(t, lambda.Config{}, lambda.Function{Name: "f", ReservedConcurrency: &one,
			Handler: handlerFunc(func(ctx context.Context, _ []byte) ([]byte, error) { time.Sleep(time.Second); return nil, nil })})
		go func() { _, _ = s.Invoke(t.Context(), "f", nil) }()
		synctest.Wait()
		if _, err := s.Invoke(t.Context(), "f", nil); err == nil || awsapi.AsError(err).Code != "TooManyRequestsException" {
			t.Errorf("error = %v", err)
		}
		time.Sleep(2 * time.Second)
		mustInvoke(t, s, "f", "")
	})
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	handlers := map[string]handlerFunc{
		"a handler that heeds its context": func(ctx context.Context, _ []byte) ([]byte, error) { <-ctx.Done(); return nil, ctx.Err() },
		"a handler that does not":          func(context.Context, []byte) ([]byte, error) { time.Sleep(time.Minute); return nil, nil },
	}
	for name, handler := range handlers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newService(t, lambda.Config{}, lambda.Function{Name: "f", Handler: handler})
				start := time.Now()
				result := mustInvoke(t, s, "f", "")
				if took := time.Since(start); took != 3*time.Second {
					t.Errorf("it took %v, want 3s", took)
				}
				want := `{"errorMessage":"RequestId: ` + result.RequestID + ` Error: Task timed out after 3.00 seconds","errorType":"Sandbox.Timedout"}`
				if string(result.Payload) != want {
					t.Errorf("payload = %s, want %s", result.Payload, want)
				}
			})
		})
	}
}

func TestCallerThatLeavesDoesNotStopTheFunction(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		done := false
		s := newService(t, lambda.Config{}, lambda.Function{Name: "f", Handler: handlerFunc(func(ctx context.Context, _ []byte) ([]byte, error) {
			time.Sleep(2 * time.Second)
			done = ctx.Err() == nil
			return nil, nil
		})})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Invoke(ctx, "f", nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error = %v", err)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if !done {
			t.Error("the function was stopped")
		}
	})
}

func TestFaultsStandAroundTheHandler(t *testing.T) {
	t.Parallel()
	plan := &fault.Plan{Invoke: func(ctx context.Context, function string, payload []byte, next func(context.Context, []byte) ([]byte, error)) ([]byte, error) {
		if _, err := next(ctx, payload); err != nil {
			return nil, err
		}
		panic(function + " crashed after its work")
	}}
	s := newService(t, lambda.Config{Faults: plan}, lambda.Function{Name: "f", Handler: handlerFunc(echo)})
	if r := mustInvoke(t, s, "f", "{}"); r.FunctionError == "" || !strings.Contains(string(r.Payload), "f crashed after its work") {
		t.Errorf("result = %s", r.Payload)
	}
}

func TestCreateFunctionRefuses(t *testing.T) {
	t.Parallel()
	three := 3
	ok := lambda.Function{Name: "f", Handler: handlerFunc(echo)}
	tests := map[string]func(*lambda.Function){
		"a name that is not one":    func(f *lambda.Function) { f.Name = "a/b" },
		"no handler":                func(f *lambda.Function) { f.Handler = nil },
		"a timeout of 16 minutes":   func(f *lambda.Function) { f.Timeout = 16 * time.Minute },
		"64 MB":                     func(f *lambda.Function) { f.MemorySize = 64 },
		"three retries":             func(f *lambda.Function) { f.Async.MaximumRetryAttempts = &three },
		"a seven hour event age":    func(f *lambda.Function) { f.Async.MaximumEventAge = 7 * time.Hour },
		"a destination to nowhere":  func(f *lambda.Function) { f.Async.OnFailure = "arn:aws:sqs:us-east-1:000000000000:q" },
		"a name that is taken":      func(f *lambda.Function) { f.Name = "taken" },
		"negative reserved numbers": func(f *lambda.Function) { n := -1; f.ReservedConcurrency = &n },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			taken := ok
			taken.Name = "taken"
			s := newService(t, lambda.Config{}, taken)
			f := ok
			spoil(&f)
			if err := s.CreateFunction(f); err == nil {
				t.Error("it was accepted")
			}
		})
	}
}

func BenchmarkInvoke(b *testing.B) {
	payload := []byte(`{"id":1}`)
	for _, bench := range []struct {
		name    string
		tracing bool
		rate    float64
	}{{"untraced", false, 0}, {"not sampled", true, 0}, {"sampled", true, 1}} {
		b.Run(bench.name, func(b *testing.B) {
			x, err := xray.New(xray.Config{Capacity: 1_000})
			if err != nil {
				b.Fatal(err)
			}
			x.SetRule(0, bench.rate)
			s := newService(b, lambda.Config{XRay: x}, lambda.Function{Name: "f", Handler: handlerFunc(echo), Tracing: bench.tracing})
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Invoke(context.Background(), "f", payload); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
