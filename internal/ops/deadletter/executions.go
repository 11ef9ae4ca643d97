package deadletter

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"milepost/internal/ops/workflow"
	"milepost/internal/platform"
)

// redrivable is how long an execution that failed can be redriven.
const redrivable = 14 * 24 * time.Hour

// Executions are the executions of a state machine that ended without success and can be redriven, as far as
// their age goes: they failed, timed out, or were stopped.
type Executions struct {
	SFN *sfn.Client
	ARN string
}

// Name returns the name of the state machine.
func (f *Executions) Name() string { return platform.NameIn(f.ARN) }

// ended are the ways in which an execution ends without success.
var ended = []types.ExecutionStatus{types.ExecutionStatusFailed, types.ExecutionStatusTimedOut, types.ExecutionStatusAborted}

// list returns the executions, the first to fail first.
func (f *Executions) list(ctx context.Context) ([]types.ExecutionListItem, error) {
	oldest := time.Now().Add(-redrivable)
	var found []types.ExecutionListItem
	for _, status := range ended {
		for pages := sfn.NewListExecutionsPaginator(f.SFN, &sfn.ListExecutionsInput{StateMachineArn: &f.ARN, StatusFilter: status}); pages.HasMorePages(); {
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

// Depth returns how many executions failed and can still be redriven.
func (f *Executions) Depth(ctx context.Context) (int, error) {
	found, err := f.list(ctx)
	return len(found), err
}

// now is zero: the executions are listed before the first of them is redriven.
func (f *Executions) now(context.Context) (time.Time, error) { return time.Time{}, nil }

// Letters returns a letter for each failed execution, the first to fail first.
func (f *Executions) Letters(ctx context.Context) iter.Seq2[*Letter, error] {
	return func(yield func(*Letter, error) bool) {
		found, err := f.list(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		for _, item := range found {
			e, err := f.SFN.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: item.ExecutionArn})
			if err != nil {
				yield(nil, err)
				return
			}
			l := &Letter{
				ID: *item.Name, Sent: item.StopDate.UTC(), Kind: FailedExecution, Execution: *item.ExecutionArn,
				Condition: string(item.Status), Attempts: int(aws.ToInt32(item.RedriveCount)) + 1, Error: workflow.Reason(e),
			}
			if !yield(l, nil) {
				return
			}
		}
	}
}

// delete has nothing to do: an execution that was redriven is no longer one that failed.
func (f *Executions) delete(context.Context, *Letter) error { return nil }

// again continues an execution where it failed. A dry run only checks whether it can.
func (r *Redriver) again(ctx context.Context, execution string) error {
	if !r.DryRun {
		_, err := r.Executions.RedriveExecution(ctx, &sfn.RedriveExecutionInput{ExecutionArn: &execution})
		return err
	}
	e, err := r.Executions.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: &execution})
	if err == nil && e.RedriveStatus != types.ExecutionRedriveStatusRedrivable {
		err = fmt.Errorf("it cannot be redriven: %s", aws.ToString(e.RedriveStatusReason))
	}
	return err
}
