package stepfunctions

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"time"

	"milepost/local/awsapi"
	"milepost/local/stepfunctions/asl"
	"milepost/local/storage"
)

// maxChildren is how many child executions of a Map Run may run at a time.
const maxChildren = 10_000

// activeRun is the Map Run of a state that is under way.
type activeRun struct {
	mapRun
	children []child
	next     int // the first child that has not been started
}

// child is one child execution of a Map Run, or is to become one.
type child struct {
	input  *asl.Data
	items  int
	status string // "" before it is started, statusPendingRedrive before it is redriven
	output string
}

// childEnd says how a child execution ended.
type childEnd struct {
	run    string
	index  int
	status string
	output string
}

// beginRun begins a Map Run. Its child executions are started once it has been written down.
func (f *frame) beginRun(d *asl.Distributed, in *asl.Data) error {
	count, err := f.tolerance(d.ToleratedCount, in)
	if err == nil && count != nil && *count < 0 {
		err = &asl.Error{Name: asl.ErrRuntime, Cause: "ToleratedFailureCount cannot be negative.", Located: true}
	}
	if err != nil {
		return err
	}
	percentage, err := f.tolerance(d.ToleratedPercentage, in)
	if err == nil && percentage != nil && (*percentage < 0 || *percentage > 100) {
		err = &asl.Error{Name: asl.ErrRuntime, Cause: "ToleratedFailurePercentage must be between 0 and 100.", Located: true}
	}
	if err != nil {
		return err
	}
	children, err := f.plan(d, in)
	if err != nil {
		return err
	}
	run := &activeRun{children: children, mapRun: mapRun{
		ID: randomName(), Machine: f.Machine, Label: d.Label, Execution: f.key, Status: statusRunning, Started: time.Now().Truncate(time.Millisecond),
		MaxConcurrency: f.Concurrent, ToleratedCount: count, ToleratedPercentage: percentage,
	}}
	for _, c := range children {
		run.count(&c, 1)
	}
	f.run, f.Run, f.Stage = run, run.key(), stageRun
	f.emit("MapRunStarted", event{Detail: &detail{MapRunARN: run.arn()}})
	f.runChanged()
	if err := f.service.authorize(f.RoleARN, "states:StartExecution", machineARN(f.Machine)); err != nil {
		return f.failRun(err)
	}
	f.starting = append(f.starting, f)
	return nil
}

// tolerance evaluates a threshold; nil means none.
func (f *frame) tolerance(t asl.Tolerance, in *asl.Data) (*float64, error) {
	if t.Path == nil {
		return t.Value, nil
	}
	v, err := t.Path.Eval(f.env(in), t.Field+"Path")
	if err != nil {
		return nil, err
	}
	text, ok := v.(string)
	if !ok {
		text = asl.Encode(v)
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil, &asl.Error{Name: asl.ErrRuntime, Located: true,
			Cause: fmt.Sprintf("The %sPath field refers to value \"%s\" which is not a valid integer: %s", t.Field, text, t.Path)}
	}
	value := float64(n)
	return &value, nil
}

// plan returns the inputs of the child executions.
func (f *frame) plan(d *asl.Distributed, in *asl.Data) ([]child, error) {
	inputs := make([]*asl.Data, len(f.items))
	for i := range inputs {
		var err error
		if inputs[i], err = f.itemInput(i); err != nil {
			return nil, err
		}
	}
	if d.Batcher != nil {
		return f.batches(d.Batcher, inputs, in)
	}
	children := make([]child, len(inputs))
	for i, input := range inputs {
		children[i] = child{input: input, items: 1}
	}
	return children, nil
}

// batches puts items together, as many in each batch as its limits allow.
func (f *frame) batches(b *asl.Batcher, inputs []*asl.Data, in *asl.Data) ([]child, error) {
	maxItems, err := f.number(b.MaxItems, in)
	if err != nil {
		return nil, err
	}
	maxBytes, err := f.number(b.MaxBytes, in)
	if err != nil {
		return nil, err
	}
	if maxBytes == 0 || maxBytes > asl.MaxData {
		maxBytes = asl.MaxData
	}
	frame := map[string]any{}
	if b.Input != nil {
		if frame["BatchInput"], err = b.Input.Eval(f.env(in)); err != nil {
			return nil, err
		}
	}
	frame["Items"] = []any{}
	empty := len(asl.Encode(frame))
	var children []child
	var items []any
	size := empty
	flush := func() {
		if len(items) == 0 {
			return
		}
		input := map[string]any{"Items": items}
		if b.Input != nil {
			input["BatchInput"] = frame["BatchInput"]
		}
		children = append(children, child{input: asl.FromValue(input), items: len(items)})
		items, size = nil, empty
	}
	for i, input := range inputs {
		bytes := len(input.Text()) + 1 // and a comma
		if maxItems > 0 && int64(len(items)) == maxItems || int64(size+bytes) > maxBytes+1 {
			flush()
		}
		if int64(size+bytes) > maxBytes+1 {
			return nil, &asl.Error{Name: asl.ErrDataLimit, Cause: fmt.Sprintf("Item %d alone is larger than a batch of %d bytes may be.", i, maxBytes)}
		}
		items, size = append(items, input.Value()), size+bytes
	}
	flush()
	return children, nil
}

// count adds a child to the figures, or takes it away with -1.
func (r *activeRun) count(c *child, n int) {
	r.Items.Total += c.items * n
	r.Executions.Total += n
	*r.Items.of(c.status) += c.items * n
	*r.Executions.of(c.status) += n
}

// move sets the status of a child.
func (r *activeRun) move(i int, status string) {
	r.count(&r.children[i], -1)
	r.children[i].status = status
	r.count(&r.children[i], 1)
}

// exceeded reports whether more children failed or timed out than is tolerated. Without a threshold none are. A child
// that somebody stopped has not failed.
func (r *activeRun) exceeded() bool {
	failed := float64(r.Items.Failed + r.Items.TimedOut)
	if r.ToleratedCount == nil && r.ToleratedPercentage == nil {
		return failed > 0
	}
	return r.ToleratedCount != nil && failed > *r.ToleratedCount ||
		r.ToleratedPercentage != nil && failed > *r.ToleratedPercentage/100*float64(r.Items.Total)
}

// settled reports whether nothing is left to wait for.
func (r *activeRun) settled() bool {
	return r.exceeded() || r.Executions.Pending+r.Executions.Running+r.Executions.PendingRedrive == 0
}

// runChanged records that the Map Run must be stored and published.
func (f *frame) runChanged() { f.runs = append(f.runs, f.run.mapRun) }

// endRun ends the state with the outputs of the child executions that succeeded, in the order of the items.
func (f *frame) endRun() error {
	if f.run.exceeded() {
		return f.failRun(&asl.Error{Name: asl.ErrTolerance, Cause: "The specified tolerated failure threshold was exceeded"})
	}
	f.run.Status, f.run.Stopped = statusSucceeded, time.Now()
	f.runChanged()
	// What follows the state follows the beginning of the Map Run.
	ended := f.aside("MapRunSucceeded", event{})
	f.add(event{Type: "MapStateSucceeded", Prev: ended})
	outputs := make([]any, 0, len(f.run.children))
	for _, c := range f.run.children {
		if c.status == statusSucceeded {
			outputs = append(outputs, asl.FromText(c.output).Value())
		}
	}
	return f.finish(asl.FromValue(outputs))
}

func (f *frame) failRun(err *asl.Error) *asl.Error {
	f.emit("MapRunFailed", event{Detail: errorDetail(err)})
	f.stopRun(statusFailed)
	return err
}

// abandonRun ends a Map Run whose state ends in another way.
func (f *frame) abandonRun() {
	if f.run != nil && f.run.Status == statusRunning {
		f.stopRun(statusAborted)
	}
	f.run, f.Run = nil, ""
}

// abandon releases what works for a frame whose execution has ended.
func (f *frame) abandon() {
	f.endTask()
	if f.run != nil && f.run.Status == statusRunning {
		f.stopRun(statusAborted)
	}
}

// stopRun ends a Map Run before its time. Its child executions are stopped once that is written down.
func (f *frame) stopRun(status string) {
	var running []*execution
	f.service.mu.RLock()
	for i := range f.run.children {
		if f.run.children[i].status == statusRunning {
			running = append(running, f.service.executions[f.childKey(i)])
			f.run.move(i, statusAborted)
		}
	}
	f.service.mu.RUnlock()
	f.run.Status, f.run.Stopped = status, time.Now()
	f.runChanged()
	f.execution.answered = append(f.execution.answered, func(failure error) {
		for _, e := range running {
			if e != nil && failure == nil {
				e.post(message{stop: &answer{}})
			}
		}
	})
}

// childName is the name of a child execution. It is computed, so that it stays the same after a restart.
func (f *frame) childName(i int) string {
	sum := sha256.Sum256([]byte(f.Run + "\x00" + strconv.Itoa(i)))
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

func (f *frame) childKey(i int) string { return f.run.mapRun.children() + ":" + f.childName(i) }

// startChildren starts child executions while there are some left and room for them.
func (f *frame) startChildren() error {
	r, s := f.run, f.service
	most := maxChildren
	if r.MaxConcurrency > 0 {
		most = min(most, r.MaxConcurrency)
	}
	var started []*execution
	var ops []storage.Op
	for ; r.next < len(r.children) && r.Executions.Running < most; r.next++ {
		if status := r.children[r.next].status; status != "" && status != statusPendingRedrive {
			continue // it was started before a restart or a redrive
		}
		e, changes, err := f.childExecution(r.next)
		if err != nil {
			return err
		}
		e.logging = f.logging
		started, ops = append(started, e), append(ops, changes...)
		r.move(r.next, statusRunning)
	}
	if len(started) == 0 {
		return nil
	}
	f.runChanged()
	if s.store != nil {
		if err := f.commit(append(ops, r.mapRun.op())); err != nil {
			return err
		}
	}
	s.mu.Lock()
	for _, e := range started {
		if old := s.executions[e.key]; old != nil {
			s.replace(old, e)
		} else {
			s.insert(e)
			close(e.stored)
			e.begin()
		}
		s.launch(e)
	}
	s.mu.Unlock()
	s.show(f.runs)
	f.runs = nil
	return nil
}

// childExecution makes a child execution, or the one that continues where it ended, and returns what to store of it.
func (f *frame) childExecution(i int) (*execution, []storage.Op, error) {
	c := &f.run.children[i]
	part := &childOf{Run: f.Run, Parent: f.key, Path: f.path, Index: i, Items: c.items, Redrive: f.run.RedriveCount}
	f.service.mu.Lock()
	defer f.service.mu.Unlock()
	if ended := f.service.executions[f.childKey(i)]; ended != nil {
		return ended.again("", part)
	}
	r := record{
		Machine: f.run.mapRun.children(), Name: f.childName(i), RoleARN: f.RoleARN, Revision: f.Revision, TraceHeader: f.TraceHeader,
		Input: c.input.Text(), Started: time.Now().Truncate(time.Millisecond), Status: statusRunning, MapRun: part,
	}
	e := f.service.newExecution(r, f.state.Body.(*asl.Map).Processor)
	return e, []storage.Op{e.recordOp(&r)}, nil
}

// childRan records that a child execution has ended.
func (f *frame) childRan(end *childEnd) {
	c := &f.run.children[end.index]
	if c.status != statusRunning {
		return
	}
	f.run.move(end.index, end.status)
	c.output = end.output
	f.runChanged()
	f.starting = append(f.starting, f)
}

// restoreRun resumes a Map Run: its child executions continue by themselves, or have ended. One that had ended is
// redriven, with those of its child executions that did not succeed.
func (f *frame) restoreRun() error {
	body := f.state.Body.(*asl.Map)
	if err := f.restoreItems(body); err != nil {
		return err
	}
	in, err := f.selected(f.input, f.state.Input, "InputPath")
	if err != nil {
		return fmt.Errorf("%s: %w", f.arn, err)
	}
	kept := f.service.mapRuns[f.Run]
	if kept == nil {
		return fmt.Errorf("%s: map run %s is missing", f.arn, f.Run)
	}
	f.run = &activeRun{mapRun: *kept}
	if f.run.children, err = f.plan(body.Distributed, in); err != nil {
		return fmt.Errorf("%s: %w", f.arn, err)
	}
	ended := f.run.Status != statusRunning
	if ended {
		f.run.Status, f.run.Stopped, f.run.Redriven = statusRunning, time.Time{}, time.Now().Truncate(time.Millisecond)
		f.run.RedriveCount++
	}
	f.run.Items, f.run.Executions = counts{}, counts{}
	for i := range f.run.children {
		c := &f.run.children[i]
		if e := f.service.executions[f.childKey(i)]; e != nil {
			r, _, err := e.snapshot(false)
			if err != nil {
				return err
			}
			c.status, c.output = r.Status, r.Output
			if r.MapRun.Redrive < f.run.RedriveCount && f.service.notRedrivable(&r) == "" {
				c.status = statusPendingRedrive
			}
		}
		f.run.count(c, 1)
	}
	if ended {
		f.emit("MapRunRedriven", event{Detail: &detail{MapRunARN: f.run.arn(), RedriveCount: f.run.RedriveCount}})
		f.runChanged()
	}
	f.starting = append(f.starting, f)
	f.ready(f)
	return nil
}

// authorize checks that a role allows an action.
func (s *Service) authorize(roleARN, action, resource string) *asl.Error {
	if s.assume == nil {
		return nil
	}
	caller, err := s.assume(roleARN)
	if err == nil {
		err = awsapi.Authorize(awsapi.WithCaller(s.ctx, caller), action, resource)
	}
	if err == nil {
		return nil
	}
	return &asl.Error{Name: asl.ErrPermission, Cause: awsapi.AsError(err).Message}
}
