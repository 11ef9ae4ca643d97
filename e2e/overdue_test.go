package e2e_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"milepost/domain/quote"
	"milepost/local/fault"
	"milepost/system"
)

// stop stops an execution of the quote's workflow.
func (s *running) stop(name string) {
	s.t.Helper()
	arn := strings.Replace(s.Outputs()["QuoteWorkflowArn"].Value, ":stateMachine:", ":execution:", 1) + ":" + name
	if _, err := s.workflows.StopExecution(s.t.Context(), &sfn.StopExecutionInput{ExecutionArn: aws.String(arn)}); err != nil {
		s.t.Fatal(err)
	}
}

// TestEveryQuoteEnds whatever happens to its workflow: it is never started, or somebody stops it, once or twice, or the
// rating fails each time.
func TestEveryQuoteEnds(t *testing.T) {
	t.Parallel()
	deaf := func(names ...string) *fault.Plan {
		return &fault.Plan{Invoke: func(ctx context.Context, name string, payload []byte, next func(context.Context, []byte) ([]byte, error)) ([]byte, error) {
			if slices.ContainsFunc(names, func(n string) bool { return strings.Contains(name, n) }) {
				return nil, errors.New("it does not work")
			}
			return next(ctx, payload)
		}}
	}
	for name, row := range map[string]struct {
		plan       *fault.Plan
		stops      int
		days       int
		status     string
		executions []string
	}{
		"a workflow that was never started":      {deaf("StartWorkflow"), 0, 0, "QUOTED", []string{"-1"}},
		"one that somebody stopped":              {deaf("VinLookup"), 1, 0, "REFERRED", []string{"-1", "-1-again"}},
		"one that was stopped twice":             {deaf("VinLookup"), 2, 0, "REFERRED", []string{"-1", "-1-again"}},
		"a rating that fails in the workflow":    {deaf("RateFunction"), 0, 0, "QUOTED", []string{"-1", "-1-again"}},
		"a quote that nothing and nobody can do": {deaf("RateFunction", "Overdue", "Expire"), 0, 31, "EXPIRED", []string{"-1"}},
	} {
		t.Run(name, func(t *testing.T) {
			onDay(t, today, func(t *testing.T) {
				s := mustRun(t, system.Options{Faults: row.plan})
				id := s.submit("ada", example())
				time.Sleep(time.Minute)
				for i := range row.stops {
					s.stop(id + []string{"-1", "-1-again"}[i])
					time.Sleep(time.Hour + 10*time.Minute)
				}
				time.Sleep(4*time.Hour + time.Duration(row.days)*24*time.Hour)
				if q := s.read("ada", id); q.Status != row.status {
					t.Errorf("%s, reasons %v", q.Status, q.reasons())
				}
				for name := range s.executions() {
					if !slices.Contains(row.executions, strings.TrimPrefix(name, id)) {
						t.Errorf("execution %s", name)
					}
				}
				if len(s.executions()) != len(row.executions) {
					t.Errorf("executions %v, want %v", s.executions(), row.executions)
				}
				outcomes := s.count(id, quote.TypeQuoteOffered) + s.count(id, quote.TypeQuoteReferred)
				if row.days == 0 && outcomes != 1 {
					t.Errorf("%d outcomes", outcomes)
				}
			})
		})
	}
}

// TestAWorkflowAtWorkIsLeftAlone for as long as it takes.
func TestAWorkflowAtWorkIsLeftAlone(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		id := s.submit("ada", example("RS000001", "DOWN0503"))
		time.Sleep(5 * time.Hour)
		if executions := s.executions(); len(executions) != 1 || executions[id+"-1"] != "RUNNING" {
			t.Errorf("executions %v", executions)
		}
	})
}
