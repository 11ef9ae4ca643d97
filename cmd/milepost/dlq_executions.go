package main

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
)

// redrivable is how long an execution that failed can be redriven.
const redrivable = 14 * 24 * time.Hour

// failedExecutions are the executions of a state machine that ended without success and can be redriven, as far as
// their age goes: they failed, timed out, or were stopped.
type failedExecutions struct {
	sfn       *sfn.Client
	shortName string
	arn       string
}

// failedExecutions are those of all state machines of the stack.
func (st *stack) failedExecutions() (found []deadLetters) {
	client := sfn.NewFromConfig(st.aws)
	for _, machine := range st.outputsEnding("WorkflowArn") {
		found = append(found, &failedExecutions{client, machine.name, machine.value})
	}
	return found
}

func (f *failedExecutions) name() string { return nameIn(f.arn) }

func (f *failedExecutions) short() string { return f.shortName }

// ended are the ways in which an execution ends without success.
var ended = []types.ExecutionStatus{types.ExecutionStatusFailed, types.ExecutionStatusTimedOut, types.ExecutionStatusAborted}

// list gives the executions, the one that failed first at the beginning.
func (f *failedExecutions) list(ctx context.Context) ([]types.ExecutionListItem, error) {
	oldest := time.Now().Add(-redrivable)
	var found []types.ExecutionListItem
	for _, status := range ended {
		for pages := sfn.NewListExecutionsPaginator(f.sfn, &sfn.ListExecutionsInput{StateMachineArn: &f.arn, StatusFilter: status}); pages.HasMorePages(); {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, err
			}
			for _, e := range page.Executions {
				if aws.ToTime(e.StopDate).After(oldest) {
					found = append(found, e)
				}
			}
		}
	}
	slices.SortStableFunc(found, func(a, b types.ExecutionListItem) int { return a.StopDate.Compare(*b.StopDate) })
	return found, nil
}

func (f *failedExecutions) depth(ctx context.Context) (int, error) {
	found, err := f.list(ctx)
	return len(found), err
}

// now is zero: the executions are listed before the first of them goes on.
func (f *failedExecutions) now(context.Context) (time.Time, error) { return time.Time{}, nil }

func (f *failedExecutions) letters(ctx context.Context) iter.Seq2[*letter, error] {
	return func(yield func(*letter, error) bool) {
		found, err := f.list(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		for _, item := range found {
			e, err := f.sfn.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: item.ExecutionArn})
			if err != nil {
				yield(nil, err)
				return
			}
			l := &letter{
				ID: *item.Name, Sent: item.StopDate.UTC(), Kind: failedExecution, Execution: *item.ExecutionArn,
				Condition: string(item.Status), Attempts: int(aws.ToInt32(item.RedriveCount)) + 1, Error: reason(e),
			}
			if !yield(l, nil) {
				return
			}
		}
	}
}

// delete has nothing to do: an execution that was redriven is no longer one that failed.
func (f *failedExecutions) delete(context.Context, *letter) error { return nil }

// again lets an execution go on where it failed. In a dry run it is only asked whether it can.
func (r *redriver) again(ctx context.Context, execution string) error {
	if !r.dryRun {
		_, err := r.executions.RedriveExecution(ctx, &sfn.RedriveExecutionInput{ExecutionArn: &execution})
		return err
	}
	e, err := r.executions.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: &execution})
	if err == nil && e.RedriveStatus != types.ExecutionRedriveStatusRedrivable {
		err = fmt.Errorf("it cannot be redriven: %s", aws.ToString(e.RedriveStatusReason))
	}
	return err
}
