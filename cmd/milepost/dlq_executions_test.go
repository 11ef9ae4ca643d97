package main

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"milepost/internal/ops/deadletter"
	"milepost/local/fault"
)

func TestFailedExecutionsAreRedriven(t *testing.T) {
	function := &breakable{function: "RateFunction"}
	inMemory(t, &fault.Plan{Invoke: function.invoke}, func(t *testing.T, s *running) {
		quotes := []string{s.submit(), s.submit()}
		time.Sleep(20 * time.Minute) // before anybody finds that their outcomes are overdue
		s.assertDepths(map[string]int{"quote": 2})

		var letters []deadletter.Letter
		s.mustJSON(&letters, "dlq", "show", "quote")
		if len(letters) != 2 || letters[0].Kind != deadletter.FailedExecution || !strings.Contains(quotes[0]+quotes[1], strings.TrimSuffix(letters[0].ID, "-1")) {
			t.Fatalf("letters=%+v, want the executions of both quotes", letters)
		}
		out := s.must("dlq", "show", "milepost-quote", "--max=1")
		for _, want := range []string{letters[0].ID + "  2026-05-01T00:", "\n  what      execution of milepost-quote\n", "\n  given up  FAILED, attempts: 1\n", "\n  error     broken: "} {
			if !strings.Contains(out, want) {
				t.Errorf("show:\n%s\nwant %q", out, want)
			}
		}

		if out := s.must("dlq", "redrive", "quote", "--all", "--dry-run"); !strings.HasSuffix(out, "\nmilepost-quote: 2 could be redriven\n") {
			t.Errorf("dry run: %q", out)
		}
		s.assertDepths(map[string]int{"quote": 2})
		s.must("dlq", "redrive", "quote", "--id", letters[0].ID)
		time.Sleep(20 * time.Minute)
		s.assertDepths(map[string]int{"quote": 2}) // because it was not fixed

		function.mend()
		if out := s.must("dlq", "redrive", "quote", "--id", letters[1].ID); out != letters[1].ID+"  execution of milepost-quote\nmilepost-quote: 1 redriven\n" {
			t.Errorf("redrive: %q", out)
		}
		settle()
		s.assertDepths(map[string]int{"quote": 1})
		s.must("dlq", "redrive", "quote", "--all")
		settle()
		s.assertPriced(quotes...)
		s.assertDepths(nil)
	})
}

func TestWhatIsTooOldToBeRedrivenIsNotListed(t *testing.T) {
	function := &breakable{function: "RateFunction"}
	inMemory(t, &fault.Plan{Invoke: function.invoke}, func(t *testing.T, s *running) {
		s.submit()
		time.Sleep(20 * time.Minute)
		s.assertDepths(map[string]int{"quote": 1})
		time.Sleep(15 * 24 * time.Hour)
		if n := s.depths()["quote"]; n != 0 {
			t.Errorf("%d executions, want none that cannot be redriven", n)
		}
	})
}

func TestStoppedExecutionsAreListedAndRedriven(t *testing.T) {
	function := &breakable{function: "VinLookup"} // so that the workflow waits
	inMemory(t, &fault.Plan{Invoke: function.invoke}, func(t *testing.T, s *running) {
		id := strings.TrimPrefix(s.submit(), "/quotes/")
		time.Sleep(10 * time.Minute)
		arn := strings.Replace(s.Outputs()["QuoteWorkflowArn"].Value, ":stateMachine:", ":execution:", 1) + ":" + id + "-1"
		if _, err := sfn.NewFromConfig(s.Config()).StopExecution(t.Context(), &sfn.StopExecutionInput{ExecutionArn: &arn}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		s.assertDepths(map[string]int{"quote": 1, "failed-invocations": 1})
		if out := s.must("dlq", "show", "quote"); !strings.Contains(out, "given up  ABORTED") {
			t.Errorf("show:\n%s", out)
		}
		function.mend()
		s.must("dlq", "redrive", "quote", "--all")
		s.must("dlq", "redrive", "failed-invocations", "--all")
		time.Sleep(10 * time.Minute)
		s.assertPriced("/quotes/" + id)
		s.assertDepths(nil)
	})
}
