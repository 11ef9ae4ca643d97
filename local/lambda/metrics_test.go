package lambda_test

import (
	"context"
	"errors"
	"testing"

	"milepost/local/lambda"
	"milepost/local/metrics"
)

type failing struct{}

func (failing) Invoke(context.Context, []byte) ([]byte, error) { return nil, errors.New("broken") }

// TestFailuresAndThrottlesAreCounted invokes a function that fails, and one that may not run.
func TestFailuresAndThrottlesAreCounted(t *testing.T) {
	t.Parallel()
	sums := map[string]float64{}
	s, err := lambda.New(lambda.Config{Metrics: func(namespace string, dimensions []metrics.Dimension, samples ...metrics.Sample) {
		for _, m := range samples {
			sums[namespace+" "+dimensions[0].Value+" "+m.Name] += m.Value
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	for _, f := range []lambda.Function{{Name: "fails", Handler: failing{}}, {Name: "stopped", Handler: failing{}, ReservedConcurrency: new(int)}} {
		if err := s.CreateFunction(f); err != nil {
			t.Fatal(err)
		}
		_, _ = s.Invoke(t.Context(), f.Name, nil)
	}
	for name, want := range map[string]float64{
		"AWS/Lambda fails Invocations": 1, "AWS/Lambda fails Errors": 1, "AWS/Lambda fails Throttles": 0,
		"AWS/Lambda stopped Invocations": 0, "AWS/Lambda stopped Throttles": 1,
	} {
		if sums[name] != want {
			t.Errorf("%s: %v, want %v", name, sums[name], want)
		}
	}
}
