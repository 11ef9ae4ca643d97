package stepfunctions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"milepost/local/awsapi"
	"milepost/local/stepfunctions/asl"
)

// A frame is one run through a machine: through the whole definition, a branch or an item's processor.
//
// Its position is complete: stored and read again, the execution continues as if nothing had happened. All frames of an
// execution belong to its goroutine.
type frame struct {
	*execution
	parent  *frame
	path    string // "0" is the root, "0.2" its third branch or item, and so on
	index   int    // among the parent's children
	machine *asl.Machine
	state   *asl.State
	input   *asl.Data
	scope   asl.Scope
	position

	children map[int]*frame // by index, while the state is a Parallel or Map
	items    []any          // of a Map
	run      *activeRun     // while the state is a distributed Map
	running  int            // children that are not done

	call   int                // numbers the task that runs; a result of another one is too late
	cancel context.CancelFunc // ends it
}

// position is the position of a frame; with the state's name, input and variables it is what is stored.
type position struct {
	Stage      stage           `json:"stage"`
	Entered    time.Time       `json:"entered"`
	EventID    int             `json:"event"` // of the state's entry
	Prev       int             `json:"prev"`  // the newest event of this frame
	Retries    []int           `json:"retries,omitempty"`
	Retried    int             `json:"retried,omitempty"`
	Token      string          `json:"token,omitempty"`
	Parameters json.RawMessage `json:"parameters,omitempty"`
	Deadline   time.Time       `json:"deadline"` // zero when there is none
	Heartbeat  time.Duration   `json:"heartbeat,omitempty"`
	Answer     *answer         `json:"answer,omitempty"` // came before the task was handed over
	Concurrent int             `json:"concurrent,omitempty"`
	Started    int             `json:"started,omitempty"` // children
	Run        string          `json:"run,omitempty"`     // id of the Map Run

	heartbeatBy time.Time
}

type stage uint8

const (
	stageEnter    stage = iota // about to enter the state
	stageWork                  // entered
	stageCall                  // the task is being handed over or done
	stageToken                 // the task waits for its token to be answered
	stageWait                  // in a Wait state until Deadline
	stageBackoff               // waits until Deadline to try again
	stageChildren              // branches or items run
	stageDone                  // ended; input is the output
	stageRun                   // child executions run
	stageFailed                // failed, and nothing caught it
)

// answer is what a task token was answered with.
type answer struct {
	Output      string  `json:"output,omitempty"`
	Failed      bool    `json:"failed,omitempty"`
	Error       *string `json:"error,omitempty"`
	Description *string `json:"cause,omitempty"`
}

func (e *execution) newFrame(parent *frame, index int, m *asl.Machine, input *asl.Data) *frame {
	f := &frame{execution: e, parent: parent, index: index, machine: m, state: m.Start, input: input, path: "0"}
	if parent != nil {
		f.path = parent.path + "." + strconv.Itoa(index)
		f.scope.Outer = &parent.scope
	}
	return f
}

// advance runs until the frame waits for something or is done.
func (f *frame) advance() {
	for !f.over {
		f.changed(f)
		switch f.Stage {
		case stageEnter:
			f.enter()
		case stageWork:
			if err := f.work(); err != nil {
				f.fail(err)
			}
		case stageToken:
			if f.Answer == nil {
				return
			}
			f.settle()
		case stageRun:
			if err := f.mayRedrive(); err != nil {
				f.fail(f.failRun(err))
				continue
			}
			if !f.run.settled() {
				return
			}
			if err := f.endRun(); err != nil {
				f.fail(err)
			}
		default:
			return
		}
	}
}

func (f *frame) emit(kind string, ev event) {
	ev.Type, ev.Prev = kind, f.Prev
	f.Prev = f.add(ev)
}

// aside adds an event that later events of this frame do not follow.
func (f *frame) aside(kind string, ev event) int {
	ev.Type, ev.Prev = kind, f.Prev
	return f.add(ev)
}

func (f *frame) enter() {
	f.position = position{Stage: stageWork, Entered: time.Now(), Prev: f.Prev}
	f.emit(enteredEvent[f.state.Kind], event{Name: f.state.Name, Text: f.input.Text()})
	f.EventID = f.Prev
}

// env is what the state's expressions see, with in as the data.
func (f *frame) env(in *asl.Data) *asl.Env {
	return &asl.Env{Input: in, Context: f.contextObject, Vars: &f.scope}
}

func (f *frame) contextObject() map[string]any {
	object := f.executionContext()
	state := map[string]any{"Name": f.state.Name, "EnteredTime": timestamp(f.Entered)}
	switch f.state.Kind {
	case asl.KindTask, asl.KindParallel, asl.KindMap:
		state["RetryCount"] = json.Number(strconv.Itoa(f.Retried))
	}
	object["State"] = state
	if f.Token != "" {
		object["Task"] = map[string]any{"Token": f.Token}
	}
	for up := f; up != nil; up = up.parent {
		if up.parent != nil && up.parent.items != nil {
			object["Map"] = mapContext(up.index, up.parent.items[up.index])
			break
		}
	}
	return object
}

func mapContext(index int, item any) map[string]any {
	return map[string]any{"Item": map[string]any{"Index": json.Number(strconv.Itoa(index)), "Value": item}}
}

// selected returns the part of d that an InputPath or OutputPath selects.
func (f *frame) selected(d *asl.Data, p *asl.Path, field string) (*asl.Data, error) {
	if p == nil {
		return asl.EmptyObject, nil
	}
	if p.String() == "$" {
		return d, nil
	}
	v, err := p.Eval(f.env(d), field)
	return asl.FromValue(v), err
}

func (f *frame) shaped(t *asl.Template, d *asl.Data) (*asl.Data, error) {
	if t == nil {
		return d, nil
	}
	v, err := t.Eval(f.env(d))
	return asl.FromValue(v), err
}

// work does what the state is there for, as far as it goes without waiting.
func (f *frame) work() error {
	in, err := f.selected(f.input, f.state.Input, "InputPath")
	if err != nil {
		return err
	}
	switch body := f.state.Body.(type) {
	case *asl.Task:
		return f.schedule(body, in)
	case *asl.Choice:
		return f.choose(body, in)
	case *asl.Wait:
		return f.beginWait(body, in)
	case *asl.Fail:
		return f.giveUp(body, in)
	case *asl.Parallel:
		in, err := f.shaped(f.state.Parameters, in)
		if err != nil {
			return err
		}
		f.emit("ParallelStateStarted", event{})
		f.begin(len(body.Branches), func(i int) (*frame, error) {
			return f.newFrame(f, i, body.Branches[i], in), nil
		})
		return nil
	case *asl.Map:
		return f.beginMap(body, in)
	case *asl.Data:
		if _, err := f.shaped(f.state.Parameters, in); err != nil {
			return err
		}
		return f.finish(body)
	}
	if f.state.Kind == asl.KindPass {
		if in, err = f.shaped(f.state.Parameters, in); err != nil {
			return err
		}
	}
	if f.state.Kind == asl.KindSucceed {
		return f.exit(in, f.state.Assign, in, nil)
	}
	return f.finish(in)
}

// finish ends the state with a result.
func (f *frame) finish(result *asl.Data) error {
	result, err := f.shaped(f.state.Selector, result)
	if err != nil {
		return err
	}
	output, err := f.state.Result.Apply(f.input, result)
	if err != nil {
		return err
	}
	return f.exit(output, f.state.Assign, result, f.state.Next)
}

// exit leaves the state through its OutputPath. The variables are assigned from the content of from.
func (f *frame) exit(output *asl.Data, assign *asl.Template, from *asl.Data, next *asl.State) error {
	variables, err := f.assigned(assign, from)
	if err != nil {
		return err
	}
	if output, err = f.selected(output, f.state.Output, "OutputPath"); err != nil {
		return err
	}
	return f.leave(output, variables, next)
}

func (f *frame) assigned(t *asl.Template, from *asl.Data) (map[string]any, error) {
	if t == nil {
		return nil, nil
	}
	v, err := t.Eval(f.env(from))
	if err != nil {
		return nil, err
	}
	return v.(map[string]any), nil
}

func (f *frame) leave(output *asl.Data, variables map[string]any, next *asl.State) error {
	if len(output.Text()) > asl.MaxData {
		return dataLimit(f.state.Name)
	}
	ev := event{Name: f.state.Name, Text: output.Text()}
	if len(variables) > 0 {
		texts := make(map[string]string, len(variables))
		for name, v := range variables {
			texts[name] = asl.Encode(v)
		}
		ev.Detail = &detail{Variables: texts}
		f.scope.Set(variables)
	}
	f.emit(exitedEvent[f.state.Kind], ev)
	f.dropChildren()
	f.input = output
	if next != nil {
		f.state, f.Stage = next, stageEnter
		return nil
	}
	f.Stage = stageDone
	f.ended()
	return nil
}

func dataLimit(name string) *asl.Error {
	return &asl.Error{Name: asl.ErrDataLimit,
		Cause: fmt.Sprintf("The state/task '%s' returned a result with a size exceeding the maximum number of bytes service limit.", name)}
}

func (f *frame) choose(body *asl.Choice, in *asl.Data) error {
	rule, err := body.Select(f.env(in))
	switch {
	case err != nil:
		return err
	case rule != nil:
		return f.exit(in, rule.Assign, in, rule.Next)
	case body.Default != nil:
		return f.exit(in, f.state.Assign, in, body.Default)
	}
	return &asl.Error{Name: asl.ErrNoChoice, Cause: "No choice rule matched, and there is no Default", Located: true}
}

func (f *frame) giveUp(body *asl.Fail, in *asl.Data) error {
	err := &asl.Error{NoName: body.Error == nil, NoCause: body.Cause == nil}
	if body.Error != nil {
		err.Name = *body.Error
	}
	if body.Cause != nil {
		err.Cause = *body.Cause
	}
	for _, text := range []struct {
		from    asl.Expression
		field   string
		to      *string
		missing *bool
	}{{body.ErrorPath, "ErrorPath", &err.Name, &err.NoName}, {body.CausePath, "CausePath", &err.Cause, &err.NoCause}} {
		if text.from == nil || text.from == asl.Expression((*asl.Path)(nil)) {
			continue
		}
		v, failed := text.from.Eval(f.env(in), text.field)
		if failed != nil {
			return failed
		}
		s, ok := v.(string)
		if !ok {
			return &asl.Error{Name: asl.ErrRuntime, Located: true,
				Cause: fmt.Sprintf("The %s field refers to value \"%s\" which is not a string: %s", text.field, asl.Encode(v), text.from)}
		}
		*text.to, *text.missing = s, false
	}
	return err
}

func (f *frame) beginWait(body *asl.Wait, in *asl.Data) error {
	now := time.Now()
	until := now
	switch {
	case body.Seconds != nil:
		until = after(now, *body.Seconds)
	case body.SecondsPath != nil:
		v, err := body.SecondsPath.Eval(f.env(in), "SecondsPath")
		if err != nil {
			return err
		}
		n, _ := v.(json.Number)
		seconds, err := n.Int64()
		if err != nil || seconds < 0 {
			return f.badValue("The SecondsPath parameter cannot be parsed as a long value: %s == %s", body.SecondsPath, v)
		}
		until = after(now, seconds)
	case body.TimestampPath != nil:
		v, err := body.TimestampPath.Eval(f.env(in), "TimestampPath")
		if err != nil {
			return err
		}
		text, _ := v.(string)
		if until, err = asl.ParseTimestamp(text); err != nil {
			return f.badValue("The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time format string: %s == %s", body.TimestampPath, v)
		}
	default:
		until, _ = asl.ParseTimestamp(body.Timestamp) // checked when it was compiled
	}
	if !until.After(now) {
		return f.endWait()
	}
	f.Stage, f.Deadline = stageWait, until
	return nil
}

// after adds seconds, however many, to t.
func after(t time.Time, seconds int64) time.Time {
	const most = math.MaxInt64 / int64(time.Second)
	return t.Add(time.Duration(min(seconds, most)) * time.Second)
}

func (f *frame) badValue(format string, path *asl.Path, v any) error {
	text, ok := v.(string)
	if !ok {
		text = asl.Encode(v)
	}
	return &asl.Error{Name: asl.ErrRuntime, Cause: fmt.Sprintf(format, path, text), Located: true}
}

func (f *frame) endWait() error {
	in, err := f.selected(f.input, f.state.Input, "InputPath")
	if err != nil {
		return err
	}
	return f.exit(in, f.state.Assign, in, f.state.Next)
}

// fail lets Retry and Catch handle an error, and otherwise fails the frame with it. What is below the frame
// stays then, for the execution to be redriven there.
func (f *frame) fail(failed error) {
	err, ok := errors.AsType[*asl.Error](failed)
	if !ok {
		err = &asl.Error{Name: asl.ErrRuntime, Cause: failed.Error()}
	}
	if err.Located {
		located := *err
		located.Located = false
		located.Cause = fmt.Sprintf("An error occurred while executing the state '%s' (entered at the event id #%d). %s",
			f.state.Name, f.EventID, err.Cause)
		err = &located
	}
	f.endTask()
	if f.retry(err) {
		return
	}
	switch f.state.Kind {
	case asl.KindMap, asl.KindParallel:
		if f.Stage == stageChildren || f.Stage == stageRun {
			f.emit(string(f.state.Kind)+"StateFailed", event{})
		}
	}
	for i := range f.state.Catch {
		c := &f.state.Catch[i]
		if !asl.Matches(c.Errors, err) {
			continue
		}
		f.dropChildren()
		if failed := f.caught(c, err); failed != nil {
			err = failed
			break
		}
		return
	}
	if !f.failedBelow() {
		f.dropChildren()
	}
	f.Stage = stageFailed
	f.failed(err)
}

// failedBelow reports whether a child or the Map Run failed, and not the state itself.
func (f *frame) failedBelow() bool {
	if f.run != nil {
		return f.run.Status == statusFailed
	}
	for _, c := range f.children {
		if c.Stage == stageFailed {
			return true
		}
	}
	return false
}

func (f *frame) caught(c *asl.Catcher, err *asl.Error) *asl.Error {
	result := asl.FromValue(err.Output())
	variables, failed := f.assigned(c.Assign, result)
	var output *asl.Data
	if failed == nil {
		output, failed = c.Result.Apply(f.input, result)
	}
	if failed == nil {
		failed = f.leave(output, variables, c.Next)
	}
	if failed == nil {
		return nil
	}
	return failed.(*asl.Error) //nolint:errorlint // what was called above returns no other
}

// retry reports whether a Retrier has the state tried again.
func (f *frame) retry(err *asl.Error) bool {
	for i := range f.state.Retry {
		r := &f.state.Retry[i]
		if !asl.Matches(r.Errors, err) {
			continue
		}
		if f.Retries == nil {
			f.Retries = make([]int, len(f.state.Retry))
		}
		if int64(f.Retries[i]) >= r.MaxAttempts {
			return false
		}
		delay := float64(r.IntervalSeconds) * math.Pow(r.BackoffRate, float64(f.Retries[i]))
		if r.MaxDelaySeconds > 0 {
			delay = min(delay, float64(r.MaxDelaySeconds))
		}
		if r.FullJitter {
			delay *= rand.Float64()
		}
		f.Retries[i]++
		f.Retried++
		f.dropChildren()
		f.Stage = stageBackoff
		f.Deadline = time.Now().Add(time.Duration(min(delay, math.MaxInt64/1e10) * float64(time.Second)))
		return true
	}
	return false
}

// ended passes the output to whatever waits for this frame.
func (f *frame) ended() {
	if f.parent == nil {
		f.end(statusSucceeded, "ExecutionSucceeded", event{Text: f.input.Text(), Prev: f.Prev})
		return
	}
	f.parent.childEnded(f)
}

func (f *frame) failed(err *asl.Error) {
	if f.parent == nil {
		f.end(statusFailed, "ExecutionFailed", event{Prev: f.Prev, Detail: errorDetail(err)})
		return
	}
	f.parent.childFailed(f, err)
}

// due acts on a deadline that has passed.
func (f *frame) due(now time.Time) {
	switch f.Stage {
	case stageWait:
		if !f.Deadline.After(now) {
			f.Deadline = time.Time{}
			if err := f.endWait(); err != nil {
				f.fail(err)
			}
			f.advance()
		}
	case stageBackoff:
		if !f.Deadline.After(now) {
			f.Deadline = time.Time{}
			f.Stage = stageWork
			f.advance()
		}
	case stageCall, stageToken:
		if f.Answer != nil {
			return
		}
		missed := !f.heartbeatBy.IsZero() && !f.heartbeatBy.After(now)
		if missed || !f.Deadline.IsZero() && !f.Deadline.After(now) {
			f.timedOut(missed)
			f.advance()
		}
	}
}

// nextDue is the earliest deadline of the frame and what is below it.
func (f *frame) nextDue(earliest time.Time) time.Time {
	sooner := func(t time.Time) {
		if !t.IsZero() && (earliest.IsZero() || t.Before(earliest)) {
			earliest = t
		}
	}
	switch f.Stage {
	case stageWait, stageBackoff:
		sooner(f.Deadline)
	case stageCall, stageToken:
		if f.Answer == nil {
			sooner(f.Deadline)
			sooner(f.heartbeatBy)
		}
	case stageChildren:
		for _, child := range f.children {
			earliest = child.nextDue(earliest)
		}
	}
	return earliest
}

// find returns the frame below f with the path, or nil.
func (f *frame) find(path string) *frame {
	if path == f.path {
		return f
	}
	rest, ok := strings.CutPrefix(path, f.path+".")
	if !ok {
		return nil
	}
	index, _, _ := strings.Cut(rest, ".")
	i, err := strconv.Atoi(index)
	if err != nil || f.children[i] == nil {
		return nil
	}
	return f.children[i].find(path)
}

// leaves calls fn for every frame below f that is not done, the innermost first.
func (f *frame) leaves(fn func(*frame)) {
	for i := range f.Started {
		if child := f.children[i]; child != nil {
			child.leaves(fn)
		}
	}
	if f.Stage != stageDone {
		fn(f)
	}
}

func (f *frame) traceContext(ctx context.Context) context.Context {
	header := f.TraceHeader
	if f.trace != nil {
		header = f.trace.header(spanID(f.arn, f.EventID))
	}
	return awsapi.WithTraceHeader(ctx, header)
}
