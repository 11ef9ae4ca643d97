package workflow_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"milepost/internal/ops/workflow"
	"milepost/internal/platform"
	"milepost/internal/stacktest"
	"milepost/local/lambda"
)

// task is what the state machine of the playback hands to its function and gets back, until it is done.
type task struct {
	Name   string `json:"name"`
	Played int    `json:"played"`
	Done   bool   `json:"done"`
}

// stretch plays ten events a minute until there are forty, and fails for the name broken.
type stretch struct{}

func (stretch) Invoke(_ context.Context, payload []byte) ([]byte, error) {
	var t task
	if err := json.Unmarshal(payload, &t); err != nil {
		return nil, err
	}
	if t.Name == "broken" {
		return nil, &Failure{}
	}
	time.Sleep(time.Minute)
	t.Played += 10
	t.Done = t.Played == 40
	return json.Marshal(t)
}

// Failure is an error after which the machine does not try again.
type Failure struct{}

func (*Failure) Error() string { return "nothing\ncan be played" }

// machine runs a test with a state machine.
func machine(t *testing.T, test func(t *testing.T, m *workflow.Machine)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := stacktest.Open(t, stacktest.Code{"playback": func(platform.Environment) (lambda.Handler, error) { return stretch{}, nil }})
		if err := s.Start(); err != nil {
			t.Fatal(err)
		}
		test(t, &workflow.Machine{SFN: sfn.NewFromConfig(s.Config()), ARN: s.Outputs()["PlaybackWorkflowArn"].Value})
	})
}

// mustBegin starts an execution, or joins one.
func mustBegin(t *testing.T, m *workflow.Machine, of task) string {
	t.Helper()
	arn, err := workflow.Begin(t.Context(), m, of, workflow.Equal)
	if err != nil {
		t.Fatal(err)
	}
	return arn
}

func TestAnExecutionIsFollowedToItsEnd(t *testing.T) {
	machine(t, func(t *testing.T, m *workflow.Machine) {
		arn := mustBegin(t, m, task{Name: "may"})
		var done, last task
		var seen []int
		err := m.Follow(t.Context(), arn, func() error {
			if ok, err := m.Last(t.Context(), arn, &last); !ok || err != nil {
				return err
			}
			if len(seen) == 0 || seen[len(seen)-1] != last.Played {
				seen = append(seen, last.Played)
			}
			return nil
		}, &done)
		if want := (task{"may", 40, true}); err != nil || done != want {
			t.Errorf("%+v, %v, want %+v", done, err, want)
		}
		if len(seen) < 3 || seen[0] != 10 {
			t.Errorf("it was seen at %v", seen)
		}
		if parts, err := m.Parts(t.Context(), arn); err != nil || parts != (workflow.Parts{}) {
			t.Errorf("%+v, %v: a machine without a map state has no parts", parts, err)
		}
	})
}

func TestAnExecutionIsJoinedByTheSameInputAndNoOther(t *testing.T) {
	machine(t, func(t *testing.T, m *workflow.Machine) {
		arn := mustBegin(t, m, task{Name: "may"})
		time.Sleep(time.Second)
		if again := mustBegin(t, m, task{Name: "may"}); again != arn {
			t.Errorf("%s, want %s joined", again, arn)
		}
		_, err := workflow.Begin(t.Context(), m, task{Name: "june"}, workflow.Equal)
		if busy, ok := errors.AsType[*workflow.Busy](err); !ok || !strings.HasSuffix(arn, ":"+busy.Execution) || busy.Machine != m.ARN {
			t.Errorf("%v, want that it does something else", err)
		}
		if err := m.Follow(t.Context(), arn, func() error { return nil }, &task{}); err != nil {
			t.Fatal(err)
		}
		if next := mustBegin(t, m, task{Name: "june"}); next == arn {
			t.Error("an execution that has ended was joined")
		}
	})
}

func TestAnExecutionThatFailsSaysWhy(t *testing.T) {
	machine(t, func(t *testing.T, m *workflow.Machine) {
		err := m.Follow(t.Context(), mustBegin(t, m, task{Name: "broken"}), func() error { return nil }, &task{})
		ended, ok := errors.AsType[*workflow.Ended](err)
		if !ok || ended.Status != types.ExecutionStatusFailed || !strings.HasPrefix(ended.Reason, "Failure: ") || strings.Contains(ended.Reason, "\n") {
			t.Errorf("%v, want why it failed, in a line", err)
		}
	})
}

func TestWhoStopsFollowingLeavesTheExecutionAlone(t *testing.T) {
	machine(t, func(t *testing.T, m *workflow.Machine) {
		arn := mustBegin(t, m, task{Name: "may"})
		ctx, cut := context.WithTimeout(t.Context(), 90*time.Second)
		defer cut()
		if err := m.Follow(ctx, arn, func() error { return nil }, &task{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want the end of the context", err)
		}
		broken := errors.New("it cannot be shown")
		if err := m.Follow(t.Context(), arn, func() error { return broken }, &task{}); !errors.Is(err, broken) {
			t.Errorf("%v, want the error of show", err)
		}
		var done task
		if err := m.Follow(t.Context(), arn, func() error { return nil }, &done); err != nil || !done.Done {
			t.Errorf("%+v, %v", done, err)
		}
	})
}
