package e2e_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	sfntypes "github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"milepost/local/fault"
	"milepost/system"
)

// brokenUntil fails all calls of functions, separated by |, with a part in the payload until it is fixed.
func brokenUntil(mended *atomic.Bool, functions, part string) *fault.Plan {
	return &fault.Plan{Invoke: func(ctx context.Context, name string, payload []byte, next func(context.Context, []byte) ([]byte, error)) ([]byte, error) {
		if slices.ContainsFunc(strings.Split(functions, "|"), func(f string) bool { return strings.Contains(name, f) }) &&
			strings.Contains(string(payload), part) && !mended.Load() {
			return nil, errors.New("broken")
		}
		return next(ctx, payload)
	}}
}

// redrive redrives an execution.
func (s *running) redrive(arn string) {
	s.t.Helper()
	if _, err := s.workflows.RedriveExecution(s.t.Context(), &sfn.RedriveExecutionInput{ExecutionArn: &arn}); err != nil {
		s.t.Fatal(err)
	}
}

func TestAQuoteWhoseRatingFailedForGoodIsRedriven(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		var mended atomic.Bool
		s := mustRun(t, system.Options{Faults: brokenUntil(&mended, "RateFunction|OverdueFunction", "")})
		id := s.submit("ada", example())
		s.settle()
		if v := s.read("ada", id); v.Status != "REQUESTED" {
			t.Errorf("status %s of a quote that cannot be rated, want REQUESTED", v.Status)
		}
		list, err := s.workflows.ListExecutions(t.Context(), &sfn.ListExecutionsInput{
			StateMachineArn: aws.String(s.Outputs()["QuoteWorkflowArn"].Value), StatusFilter: sfntypes.ExecutionStatusFailed,
		})
		if err != nil || len(list.Executions) != 1 {
			t.Fatalf("%d executions failed, want 1: %v", len(list.Executions), err)
		}
		arn := *list.Executions[0].ExecutionArn
		s.redrive(arn) // too early
		s.settle()
		mended.Store(true)
		s.redrive(arn)
		s.settle()
		s.assertSound(id)
		if v := s.read("ada", id); v.Status != "QUOTED" || v.TotalPremium != "486.00" {
			t.Errorf("quote %+v, want QUOTED for 486.00", v)
		}
		if n := s.bureau.requests.Load(); n != 1 {
			t.Errorf("the bureau was asked %d times, want once", n)
		}
		_, err = s.workflows.RedriveExecution(t.Context(), &sfn.RedriveExecutionInput{ExecutionArn: &arn})
		if _, ok := errors.AsType[*sfntypes.ExecutionNotRedrivable](err); !ok {
			t.Errorf("a redrive of what has succeeded: %v, want ExecutionNotRedrivable", err)
		}
	})
}
