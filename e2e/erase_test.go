package e2e_test

import (
	"testing"
	"time"

	sfntypes "github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"milepost/domain/quote"
	"milepost/local/fault"
	"milepost/system"
)

// TestAQuoteThatWasSubmittedAsTheKeyWent: submit still holds the key, and no later function does. The quote has no
// effect, calls and notifies nobody, and fills no queue; the erasure is recorded when the command runs again.
func TestAQuoteThatWasSubmittedAsTheKeyWent(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{Faults: &fault.Plan{
			Event: func(string, string, []byte) []time.Duration { return []time.Duration{10 * time.Minute} },
		}})
		before := s.submit("ada", example())
		s.erase(chance(1).of("erasure"), "ada")
		after := s.submit("ada", example())
		s.settle()
		s.assertQueuesEmpty()
		for name, status := range s.executions() {
			if status != sfntypes.ExecutionStatusSucceeded {
				t.Errorf("workflow %s: %s", name, status)
			}
		}
		if n := s.bureau.requests.Load(); n > 0 || len(s.sent()) > 0 {
			t.Errorf("%d questions, sent %v", n, s.sent())
		}
		s.erase(chance(1).of("erasure"), "ada", before, after)
		s.settle()
		for _, id := range []string{before, after} {
			if v := s.read("ada", id); v.Status != string(quote.StatusWithdrawn) || v.Version != 2 {
				t.Errorf("quote=%+v, want it withdrawn by the erasure", v)
			}
		}
		s.assertQueuesEmpty()
	})
}
