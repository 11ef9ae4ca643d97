// Package workflow starts executions of the state machines that do an operator's work in the stack, and follows them.
package workflow

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"milepost/internal/platform"
)

// Machine is a state machine.
type Machine struct {
	SFN *sfn.Client
	ARN string
}

// Begin starts an execution with an input, or joins a running one with the same input. One that runs with another input
// is an error. same compares the inputs as far as they must agree.
func Begin[Input any](ctx context.Context, m *Machine, input Input, same func(a, b Input) bool) (arn string, err error) {
	for pages := sfn.NewListExecutionsPaginator(m.SFN, &sfn.ListExecutionsInput{
		StateMachineArn: &m.ARN, StatusFilter: types.ExecutionStatusRunning,
	}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return "", err
		}
		for _, e := range page.Executions {
			running, err := m.SFN.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: e.ExecutionArn})
			if err != nil {
				return "", err
			}
			var of Input
			if err := json.Unmarshal([]byte(aws.ToString(running.Input)), &of); err != nil || !same(of, input) {
				return "", &Busy{m.ARN, *e.Name}
			}
			return *e.ExecutionArn, nil
		}
	}
	text, err := json.Marshal(input)
	if err != nil {
		return "", err
	}
	// Two that start at the same moment with the same input start one execution.
	started, err := m.SFN.StartExecution(ctx, &sfn.StartExecutionInput{
		StateMachineArn: &m.ARN, Input: aws.String(string(text)), Name: aws.String(time.Now().UTC().Format("20060102T150405Z")),
	})
	if err != nil {
		return "", err
	}
	return *started.ExecutionArn, nil
}

// Equal compares two inputs in all that they have.
func Equal[Input any](a, b Input) bool { return reflect.DeepEqual(a, b) }

// pollInterval is how often a workflow is asked how far it is. AWS answers 15 such calls in a second.
const pollInterval = 2 * time.Second

// Follow waits for the end of an execution and decodes its output. Meanwhile it calls show.
func (m *Machine) Follow(ctx context.Context, arn string, show func() error, output any) error {
	for {
		e, err := m.SFN.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: &arn})
		if err == nil {
			err = show()
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return err
		case e.Status == types.ExecutionStatusSucceeded:
			return json.Unmarshal([]byte(*e.Output), output)
		case e.Status != types.ExecutionStatusRunning:
			return &Ended{e.Status, Reason(e)}
		}
		select {
		case <-time.After(pollInterval):
		case <-ctx.Done():
		}
	}
}

// Reason says in one line why an execution ended.
func Reason(e *sfn.DescribeExecutionOutput) string {
	text := aws.ToString(e.Error)
	if cause := aws.ToString(e.Cause); cause != "" {
		text += ": " + strings.Join(strings.Fields(cause), " ")
	}
	if text == "" {
		return "it stated no reason"
	}
	return text
}

// Busy is the error of a state machine that already does something else.
type Busy struct {
	// Machine is the ARN, Execution the name of what it does.
	Machine, Execution string
}

func (e *Busy) Error() string {
	return fmt.Sprintf("%s already does something else: wait for the end of its execution %s, or stop that", platform.NameIn(e.Machine), e.Execution)
}

// Ended is the error of an execution that ended without success.
type Ended struct {
	Status types.ExecutionStatus
	Reason string
}

func (e *Ended) Error() string { return fmt.Sprintf("the workflow %s: %s", e.Status, e.Reason) }

// Parts are those of a map state: how many there are, and their states.
type Parts struct{ Total, Done, Failed int64 }

// String says how many are done, "" before the first is begun.
func (p Parts) String() string {
	if p.Total == 0 {
		return ""
	}
	line := fmt.Sprintf("%d of %d parts done", p.Done, p.Total)
	if p.Failed > 0 {
		line += fmt.Sprintf(", %d failed", p.Failed)
	}
	return line
}

// Parts returns those of the first map state of an execution, none before it is begun.
func (m *Machine) Parts(ctx context.Context, arn string) (Parts, error) {
	runs, err := m.SFN.ListMapRuns(ctx, &sfn.ListMapRunsInput{ExecutionArn: &arn})
	if err != nil || len(runs.MapRuns) == 0 {
		return Parts{}, err
	}
	run, err := m.SFN.DescribeMapRun(ctx, &sfn.DescribeMapRunInput{MapRunArn: runs.MapRuns[0].MapRunArn})
	if err != nil {
		return Parts{}, err
	}
	n := run.ItemCounts
	return Parts{n.Total, n.Succeeded, n.Failed + n.TimedOut + n.Aborted}, nil
}

// Last decodes what the last call of an execution's function returned; ok is false before the first has ended.
func (m *Machine) Last(ctx context.Context, arn string, output any) (ok bool, err error) {
	history, err := m.SFN.GetExecutionHistory(ctx, &sfn.GetExecutionHistoryInput{
		ExecutionArn: &arn, ReverseOrder: true, MaxResults: 20, IncludeExecutionData: aws.Bool(true),
	})
	if err != nil {
		return false, err
	}
	for _, e := range history.Events {
		if e.Type == types.HistoryEventTypeTaskStateExited {
			err := json.Unmarshal([]byte(aws.ToString(e.StateExitedEventDetails.Output)), output)
			return err == nil, err
		}
	}
	return false, nil
}
