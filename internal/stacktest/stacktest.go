// Package stacktest opens template.yaml in the local runtime for the tests of single packages. A Stack has everything
// that the template declares, but nothing runs by itself before Start: a test makes the handlers it is about, each with
// the environment and the role of its function, and calls them.
package stacktest

import (
	"context"
	"log/slog"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"milepost/domain/quote/quotetest"
	"milepost/internal/log/eventstore"
	"milepost/internal/log/seal"
	"milepost/internal/platform"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/wiring"
	"milepost/local/awsapi"
	"milepost/local/lambda"
	"milepost/local/stack"
)

// Code makes handlers by the names in the template.
type Code map[string]func(platform.Environment) (lambda.Handler, error)

// Stack is the template in the local runtime.
type Stack struct {
	*stack.Stack
	functions map[string]stack.Function
}

// Open opens the template. Functions that code does not have fail when they are called.
func Open(tb testing.TB, code Code) *Stack {
	tb.Helper()
	s := &Stack{functions: map[string]stack.Function{}}
	given := parameters()
	given["QuotesPerDay"] = "0"
	given["BreakGlassRoleArn"] = awsapi.Root // tests damage what is stored
	var err error
	s.Stack, err = stack.Open(stack.Options{
		Template: filepath.Join(quotetest.Root(tb), "template.yaml"), StackName: "milepost",
		Parameters: given,
		Functions: func(f stack.Function) (lambda.Handler, error) {
			s.functions[f.Handler] = f
			if make := code[f.Handler]; make != nil {
				return make(s.Environment(f.Handler))
			}
			return absent(f.Handler), nil
		},
	})
	if err != nil {
		tb.Fatal(err)
	}
	NoneDenied(tb, s.Stack)
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// absent is the code of a function that the test is not about.
type absent string

func (a absent) Invoke(context.Context, []byte) ([]byte, error) {
	return nil, &NotHere{Handler: string(a)}
}

// NotHere is the failure of a function whose code was not given to Open.
type NotHere struct{ Handler string }

func (e *NotHere) Error() string { return "this test has no handler " + e.Handler }

// Function is the function with a handler.
func (s *Stack) Function(handler string) stack.Function { return s.functions[handler] }

// Environment is that of the function with a handler.
func (s *Stack) Environment(handler string) platform.Environment {
	f := s.functions[handler]
	return platform.Environment{
		Function: handler, Getenv: func(name string) string { return f.Environment[name] },
		AWS: f.AWS, HTTP: http.DefaultClient, Logger: slog.New(slog.DiscardHandler),
	}
}

// Config makes SDK clients that may do everything, and ask once.
func (s *Stack) Config() aws.Config {
	cfg := s.Stack.Config()
	cfg.RetryMaxAttempts = 1
	return cfg
}

// Of returns the parts of the system as the function with a handler has them: with its names, and under its role.
func (s *Stack) Of(handler string) *wiring.System { return wiring.Of(s.Environment(handler)) }

// Parts returns the parts of the system for a caller that may do everything.
func (s *Stack) Parts() *wiring.System { return s.PartsWith(s.Config()) }

// PartsWith returns the Parts whose clients cfg makes.
func (s *Stack) PartsWith(cfg aws.Config) *wiring.System {
	return wiring.New(cfg, slog.New(slog.DiscardHandler), wiring.Outputs(func(output string) (string, bool) {
		found, ok := s.Outputs()[output]
		return found.Value, ok
	}))
}

// Log is the log, which takes what fits the schemas.
func (s *Stack) Log() *eventstore.Store { return s.Parts().Log() }

// Keys are the customers' keys.
func (s *Stack) Keys() *seal.Keys { return s.Parts().Keys() }

// Quotes are the quotes of the log.
func (s *Stack) Quotes() *quotestore.Store { return s.Parts().Quotes() }
