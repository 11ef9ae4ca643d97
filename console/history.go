package console

import (
	"context"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"milepost/console/states"
)

// histories keeps those of the executions that were looked at last, so that following one costs a call and not the whole
// history.
type histories struct {
	mu  sync.Mutex
	all []*history // the latest one last
}

// The bounds of what is kept: of executions, and of the texts of each event. Whole texts are in the export.
const (
	maxHistories = 16
	maxText      = 16 << 10
)

// history is that of one execution as far as it was read.
type history struct {
	arn string

	mu     sync.Mutex
	events []types.HistoryEvent
	run    states.Run
}

// of returns the kept history of an execution, or an empty one.
func (h *histories) of(arn string) *history {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := slices.IndexFunc(h.all, func(one *history) bool { return one.arn == arn })
	if i < 0 {
		h.all = append(h.all, &history{arn: arn})
		if len(h.all) > maxHistories {
			h.all = slices.Delete(h.all, 0, 1)
		}
		return h.all[len(h.all)-1]
	}
	one := h.all[i]
	h.all = append(slices.Delete(h.all, i, i+1), one)
	return one
}

// read reads what has happened since the last time. The caller holds mu.
func (h *history) read(ctx context.Context, client *sfn.Client) error {
	if len(h.events) == 0 {
		return h.from(ctx, client)
	}
	last := h.events[len(h.events)-1].Id
	var fresh []types.HistoryEvent
	in := &sfn.GetExecutionHistoryInput{ExecutionArn: &h.arn, ReverseOrder: true, MaxResults: 20, IncludeExecutionData: aws.Bool(true)}
	for {
		out, err := client.GetExecutionHistory(ctx, in)
		if err != nil {
			return err
		}
		for _, e := range out.Events {
			if e.Id <= last {
				h.append(fresh)
				return nil
			}
			fresh = append(fresh, e)
		}
		if out.NextToken == nil { // another history than before, such as that of another system at the same address
			h.events, h.run = nil, states.Run{}
			return h.from(ctx, client)
		}
		in.NextToken = out.NextToken
	}
}

// from reads a whole history.
func (h *history) from(ctx context.Context, client *sfn.Client) error {
	pages := sfn.NewGetExecutionHistoryPaginator(client, &sfn.GetExecutionHistoryInput{ExecutionArn: &h.arn, MaxResults: 1000, IncludeExecutionData: aws.Bool(true)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for i := range page.Events {
			trim(&page.Events[i])
		}
		h.run.Read(page.Events)
		h.events = append(h.events, page.Events...)
	}
	return nil
}

// append adds events, the newest first.
func (h *history) append(fresh []types.HistoryEvent) {
	slices.Reverse(fresh)
	for i := range fresh {
		trim(&fresh[i])
	}
	h.run.Read(fresh)
	h.events = append(h.events, fresh...)
}

// trim cuts the texts of an event that may be long.
func trim(e *types.HistoryEvent) {
	for _, text := range texts(e) {
		if *text != nil && len(**text) > maxText {
			*text = aws.String((**text)[:maxText] + " … (cut: the export has all of it)")
		}
	}
}

// texts are the inputs, outputs and causes of an event.
func texts(e *types.HistoryEvent) (all []**string) {
	if d := e.StateEnteredEventDetails; d != nil {
		all = append(all, &d.Input)
	}
	if d := e.StateExitedEventDetails; d != nil {
		all = append(all, &d.Output)
	}
	if d := e.TaskScheduledEventDetails; d != nil {
		all = append(all, &d.Parameters)
	}
	if d := e.TaskSubmittedEventDetails; d != nil {
		all = append(all, &d.Output)
	}
	if d := e.TaskSucceededEventDetails; d != nil {
		all = append(all, &d.Output)
	}
	if d := e.TaskFailedEventDetails; d != nil {
		all = append(all, &d.Cause)
	}
	if d := e.LambdaFunctionScheduledEventDetails; d != nil {
		all = append(all, &d.Input)
	}
	if d := e.LambdaFunctionSucceededEventDetails; d != nil {
		all = append(all, &d.Output)
	}
	if d := e.LambdaFunctionFailedEventDetails; d != nil {
		all = append(all, &d.Cause)
	}
	if d := e.ExecutionStartedEventDetails; d != nil {
		all = append(all, &d.Input)
	}
	if d := e.ExecutionSucceededEventDetails; d != nil {
		all = append(all, &d.Output)
	}
	if d := e.ExecutionFailedEventDetails; d != nil {
		all = append(all, &d.Cause)
	}
	return all
}
