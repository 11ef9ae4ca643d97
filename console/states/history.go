package states

import (
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
)

// Status says how far a visit, or a state, has got.
type Status string

// The statuses. A state that was not visited has none.
const (
	Running   Status = "running"
	Waiting   Status = "waiting"
	Succeeded Status = "succeeded"
	Caught    Status = "caught"
	Failed    Status = "failed"
	Aborted   Status = "aborted"
)

// Visit is one time that an execution was in a state.
type Visit struct {
	Name, Type string
	// Inside is the visit of the Parallel or Map that this one is in, nil in the machine itself. Item is the index of a
	// Map's item.
	Inside *Visit
	Item   int
	// After is the visit from which this one was entered, nil for the first of its machine.
	After *Visit
	Status
	Entered, Left time.Time
	Input, Output string
	Error, Cause  string
	// Attempts are the tries of a Task, one after the other.
	Attempts []Attempt
	// Items counts the items of a Map that have begun, succeeded and failed.
	Items struct{ Begun, Succeeded, Failed int }
	// MapRun is the ARN of a distributed Map's run.
	MapRun string
	// Events are the ids of the events of this visit.
	Events []int64
}

// Attempt is one try of a Task.
type Attempt struct {
	Scheduled, Started, Ended time.Time
	Resource, Parameters      string
	// Timeout and Heartbeat are in seconds, 0 if there is none.
	Timeout, Heartbeat  int64
	Output              string
	Error, Cause        string
	Succeeded, TimedOut bool
}

// Until is when an attempt that waits is given up, zero if never.
func (a Attempt) Until() time.Time {
	if a.Timeout == 0 {
		return time.Time{}
	}
	return a.Scheduled.Add(time.Duration(a.Timeout) * time.Second)
}

// Duration is how long a visit took, or takes until now.
func (v *Visit) Duration(now time.Time) time.Duration {
	if v.Left.IsZero() {
		return now.Sub(v.Entered)
	}
	return v.Left.Sub(v.Entered)
}

// Retries counts the attempts after the first.
func (v *Visit) Retries() int { return max(0, len(v.Attempts)-1) }

// Token reports whether a visit waits for somebody to answer with a task token.
func (v *Visit) Token() bool {
	return v.Status == Waiting && len(v.Attempts) > 0
}

// Run is what an execution did so far.
type Run struct {
	// Visits are in the order in which states were entered.
	Visits []*Visit
	// of has the visit that each event belongs to, kinds its type, and items the index of each Map iteration that began.
	of    map[int64]*Visit
	kinds map[int64]types.HistoryEventType
	items map[int64]int
	// ended are the visits that were open when the execution ended, which a redrive continues.
	ended []*Visit
}

// Read follows a history, whose events are in their order. It may be called again with the events that came after.
func (r *Run) Read(events []types.HistoryEvent) {
	if r.of == nil {
		r.of, r.kinds, r.items = map[int64]*Visit{}, map[int64]types.HistoryEventType{}, map[int64]int{}
	}
	for i := range events {
		r.read(&events[i])
	}
}

// VisitOf returns the visit that an event belongs to, nil if it is the machine's own.
func (r *Run) VisitOf(event int64) *Visit { return r.of[event] }

func (r *Run) read(e *types.HistoryEvent) {
	before := r.of[e.PreviousEventId]
	kind := string(e.Type)
	r.kinds[e.Id] = e.Type
	v := before
	switch {
	case strings.HasSuffix(kind, "StateEntered"):
		v = r.enter(e, before)
	case strings.HasSuffix(kind, "StateExited"):
		v = r.exit(e, before)
	case strings.HasSuffix(kind, "StateAborted"):
		if before != nil {
			before.Status, before.Left = Aborted, aws.ToTime(e.Timestamp)
		}
	case strings.HasPrefix(kind, "Parallel") || strings.HasPrefix(kind, "Map"):
		v = r.container(e, before)
	case strings.HasPrefix(kind, "Execution"):
		r.finish(e)
		return
	case before != nil:
		before.task(e)
	}
	if v == nil {
		return
	}
	r.of[e.Id] = v
	v.Events = append(v.Events, e.Id)
}

// enter begins a visit. The event before says where: after a state that was left, or inside one that has begun.
func (r *Run) enter(e *types.HistoryEvent, before *Visit) *Visit {
	d := e.StateEnteredEventDetails
	v := &Visit{Name: aws.ToString(d.Name), Type: strings.TrimSuffix(string(e.Type), "StateEntered"), Status: Running, Entered: aws.ToTime(e.Timestamp), Input: aws.ToString(d.Input)}
	switch r.kinds[e.PreviousEventId] {
	case types.HistoryEventTypeParallelStateStarted:
		v.Inside = before
	case types.HistoryEventTypeMapIterationStarted:
		v.Inside, v.Item = before, r.items[e.PreviousEventId]
	default:
		if before != nil {
			v.Inside, v.Item, v.After = before.Inside, before.Item, before
		}
	}
	r.Visits = append(r.Visits, v)
	return v
}

func (r *Run) exit(e *types.HistoryEvent, before *Visit) *Visit {
	d := e.StateExitedEventDetails
	v := before
	for v != nil && v.Name != aws.ToString(d.Name) {
		v = v.Inside
	}
	if v == nil {
		return before
	}
	v.Left, v.Output = aws.ToTime(e.Timestamp), aws.ToString(d.Output)
	v.Status = Succeeded
	if v.Error != "" {
		v.Status = Caught
	}
	return v
}

// container follows a Parallel or a Map: the events of its branches lead back to it.
func (r *Run) container(e *types.HistoryEvent, before *Visit) *Visit {
	kind := string(e.Type)
	typ := "Parallel"
	if strings.HasPrefix(kind, "Map") {
		typ = "Map"
	}
	v := before
	for v != nil && v.Type != typ {
		v = v.Inside
	}
	if v == nil {
		return before
	}
	if d := e.MapIterationStartedEventDetails; d != nil {
		r.items[e.Id] = int(d.Index)
	}
	if d := e.MapRunStartedEventDetails; d != nil {
		v.MapRun = aws.ToString(d.MapRunArn)
	}
	switch e.Type {
	case types.HistoryEventTypeMapIterationStarted:
		v.Items.Begun++
	case types.HistoryEventTypeMapIterationSucceeded:
		v.Items.Succeeded++
	case types.HistoryEventTypeMapIterationFailed, types.HistoryEventTypeMapIterationAborted:
		v.Items.Failed++
	case types.HistoryEventTypeMapRunFailed:
		if d := e.MapRunFailedEventDetails; d != nil {
			v.fail(aws.ToString(d.Error), aws.ToString(d.Cause))
		}
	case types.HistoryEventTypeParallelStateFailed, types.HistoryEventTypeMapStateFailed:
		for _, inner := range r.Visits {
			if inner.Inside == v && inner.Status == Failed {
				v.fail(inner.Error, inner.Cause)
			}
		}
		if v.Error == "" {
			v.fail("States.BranchFailed", "")
		}
	}
	return v
}

// fail ends a visit with an error, which a catch may still handle.
func (v *Visit) fail(code, cause string) { v.Status, v.Error, v.Cause = Failed, code, cause }

// task follows a Task, whichever way it calls.
func (v *Visit) task(e *types.HistoryEvent) {
	at := aws.ToTime(e.Timestamp)
	if a, ok := scheduled(e); ok {
		a.Scheduled = at
		v.Attempts = append(v.Attempts, a)
		v.Status = Running
		return
	}
	if len(v.Attempts) == 0 {
		v.otherwise(e)
		return
	}
	a := &v.Attempts[len(v.Attempts)-1]
	switch e.Type {
	case types.HistoryEventTypeTaskStarted, types.HistoryEventTypeLambdaFunctionStarted, types.HistoryEventTypeActivityStarted:
		a.Started = at
	case types.HistoryEventTypeTaskSubmitted:
		v.Status = Waiting
	case types.HistoryEventTypeTaskSucceeded, types.HistoryEventTypeLambdaFunctionSucceeded, types.HistoryEventTypeActivitySucceeded:
		a.Ended, a.Succeeded, a.Output, v.Status = at, true, output(e), Running
		v.Error, v.Cause = "", ""
	default:
		code, cause, failed := failure(e)
		if !failed {
			return
		}
		a.Ended, a.Error, a.Cause = at, code, cause
		a.TimedOut = strings.HasSuffix(string(e.Type), "TimedOut")
		v.fail(code, cause)
	}
}

// otherwise follows what ends without a task: a Fail, and a state whose paths cannot be evaluated.
func (v *Visit) otherwise(e *types.HistoryEvent) {
	if d := e.EvaluationFailedEventDetails; d != nil {
		v.fail(aws.ToString(d.Error), aws.ToString(d.Cause))
	}
}

// scheduled returns the attempt that an event begins.
func scheduled(e *types.HistoryEvent) (Attempt, bool) {
	switch {
	case e.TaskScheduledEventDetails != nil:
		d := e.TaskScheduledEventDetails
		return Attempt{
			Resource: aws.ToString(d.ResourceType) + ":" + aws.ToString(d.Resource), Parameters: aws.ToString(d.Parameters),
			Timeout: aws.ToInt64(d.TimeoutInSeconds), Heartbeat: aws.ToInt64(d.HeartbeatInSeconds),
		}, true
	case e.LambdaFunctionScheduledEventDetails != nil:
		d := e.LambdaFunctionScheduledEventDetails
		return Attempt{Resource: aws.ToString(d.Resource), Parameters: aws.ToString(d.Input), Timeout: aws.ToInt64(d.TimeoutInSeconds)}, true
	case e.ActivityScheduledEventDetails != nil:
		d := e.ActivityScheduledEventDetails
		return Attempt{
			Resource: aws.ToString(d.Resource), Parameters: aws.ToString(d.Input),
			Timeout: aws.ToInt64(d.TimeoutInSeconds), Heartbeat: aws.ToInt64(d.HeartbeatInSeconds),
		}, true
	}
	return Attempt{}, false
}

func output(e *types.HistoryEvent) string {
	switch {
	case e.TaskSucceededEventDetails != nil:
		return aws.ToString(e.TaskSucceededEventDetails.Output)
	case e.LambdaFunctionSucceededEventDetails != nil:
		return aws.ToString(e.LambdaFunctionSucceededEventDetails.Output)
	case e.ActivitySucceededEventDetails != nil:
		return aws.ToString(e.ActivitySucceededEventDetails.Output)
	}
	return ""
}

// failure returns the error of an event that ends an attempt.
func failure(e *types.HistoryEvent) (code, cause string, ok bool) {
	text := func(c, why *string) (string, string, bool) { return aws.ToString(c), aws.ToString(why), true }
	switch {
	case e.TaskFailedEventDetails != nil:
		return text(e.TaskFailedEventDetails.Error, e.TaskFailedEventDetails.Cause)
	case e.TaskTimedOutEventDetails != nil:
		return text(e.TaskTimedOutEventDetails.Error, e.TaskTimedOutEventDetails.Cause)
	case e.TaskStartFailedEventDetails != nil:
		return text(e.TaskStartFailedEventDetails.Error, e.TaskStartFailedEventDetails.Cause)
	case e.TaskSubmitFailedEventDetails != nil:
		return text(e.TaskSubmitFailedEventDetails.Error, e.TaskSubmitFailedEventDetails.Cause)
	case e.LambdaFunctionFailedEventDetails != nil:
		return text(e.LambdaFunctionFailedEventDetails.Error, e.LambdaFunctionFailedEventDetails.Cause)
	case e.LambdaFunctionTimedOutEventDetails != nil:
		return text(e.LambdaFunctionTimedOutEventDetails.Error, e.LambdaFunctionTimedOutEventDetails.Cause)
	case e.LambdaFunctionScheduleFailedEventDetails != nil:
		return text(e.LambdaFunctionScheduleFailedEventDetails.Error, e.LambdaFunctionScheduleFailedEventDetails.Cause)
	case e.ActivityFailedEventDetails != nil:
		return text(e.ActivityFailedEventDetails.Error, e.ActivityFailedEventDetails.Cause)
	case e.ActivityTimedOutEventDetails != nil:
		return text(e.ActivityTimedOutEventDetails.Error, e.ActivityTimedOutEventDetails.Cause)
	}
	return "", "", false
}

// finish ends what is still open when the execution ends, and opens it again when it is redriven.
func (r *Run) finish(e *types.HistoryEvent) {
	status, code, cause := Status(""), "", ""
	switch e.Type {
	case types.HistoryEventTypeExecutionFailed:
		status = Failed
		if d := e.ExecutionFailedEventDetails; d != nil {
			code, cause = aws.ToString(d.Error), aws.ToString(d.Cause)
		}
	case types.HistoryEventTypeExecutionTimedOut, types.HistoryEventTypeExecutionAborted:
		status = Aborted
	case types.HistoryEventTypeExecutionRedriven:
		for _, v := range r.ended {
			v.Left, v.Status, v.Error, v.Cause = time.Time{}, Running, "", ""
		}
		r.ended = nil
		return
	default:
		return
	}
	for _, v := range r.Visits {
		if !v.Left.IsZero() {
			continue
		}
		if v.Status != Failed {
			v.Status = Aborted
			if status == Failed && v.Type == "Fail" {
				v.fail(code, cause)
			}
		}
		v.Left = aws.ToTime(e.Timestamp)
		r.ended = append(r.ended, v)
	}
}

// StatusOf sums up the visits of a state: the latest one counts, and one that is open before any other.
func (r *Run) StatusOf(state string) Status {
	status := Status("")
	for _, v := range r.Visits {
		if v.Name != state {
			continue
		}
		if status != Running && status != Waiting || v.Left.IsZero() {
			status = v.Status
		}
	}
	return status
}

// Took reports whether an execution went from one state to another.
func (r *Run) Took(from, to string) bool {
	for _, v := range r.Visits {
		if v.Name == to && v.After != nil && v.After.Name == from {
			return true
		}
	}
	return false
}

// Of returns the visits of a state.
func (r *Run) Of(state string) (all []*Visit) {
	for _, v := range r.Visits {
		if v.Name == state {
			all = append(all, v)
		}
	}
	return all
}

// Place says where a visit is, such as "Look up each (item 3)".
func (v *Visit) Place() string {
	if v.Inside == nil {
		return ""
	}
	if v.Inside.Type == "Map" {
		return v.Inside.Name + ", item " + strconv.Itoa(v.Item)
	}
	return v.Inside.Name
}
