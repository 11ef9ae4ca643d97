package stepfunctions

import (
	"cmp"
	"context"
	"slices"
	"time"

	"milepost/local/awsapi"
	"milepost/local/stepfunctions/asl"
	"milepost/local/storage"
)

const (
	redrivablePeriod = 14 * 24 * time.Hour
	maxOpen          = 365 * 24 * time.Hour
	// How long, and among how many, a client's token is valid.
	tokenAge  = 15 * time.Minute
	maxTokens = 10
)

// statusPendingRedrive is that of a child execution that did not succeed and that its Map Run will redrive.
const statusPendingRedrive = "PENDING_REDRIVE"

const reasonRunning = "Execution is RUNNING and cannot be redriven"

// redrive is one redrive of an execution.
type redrive struct {
	Token string    `json:"token,omitempty"` // of its request
	At    time.Time `json:"at"`
}

// redriven is when an execution was last redriven; zero when it never was.
func (r *record) redriven() time.Time {
	if len(r.Redrives) == 0 {
		return time.Time{}
	}
	return r.Redrives[len(r.Redrives)-1].At
}

// full reports whether the history has no room for a redrive and another event.
func (r *record) full() bool { return r.Events >= maxEvents-1 }

// notRedrivable says in the words of AWS why an execution cannot be redriven; "" when it can. The caller
// holds s.mu.
func (s *Service) notRedrivable(r *record) string {
	now := time.Now()
	switch {
	case r.Status == statusRunning:
		return reasonRunning
	case r.Status == statusSucceeded:
		return "Execution is SUCCEEDED and cannot be redriven"
	case s.machines[machineOf(r.Machine)] == nil:
		return "State machine is in DELETING status"
	case r.Events == 0: // a version that could not redrive ended it
		return "Execution was started before the launch of RedriveExecution"
	case r.full():
		return "Execution history event limit exceeded"
	case now.Sub(r.Started) > maxOpen:
		return "Execution has exceeded the max execution time"
	case now.Sub(r.Stopped) > redrivablePeriod:
		return "Execution redrivable period exceeded"
	}
	return ""
}

// RedriveExecution continues an execution that ended without success where it ended, and returns the time of the
// redrive, which is stored by then. A token that redrove it in the last 15 minutes returns that redrive.
//
// What cannot be redriven is ExecutionNotRedrivable; so is a child execution, which the execution with its
// Map state redrives.
func (s *Service) RedriveExecution(ctx context.Context, arn, token string) (time.Time, error) {
	e, err := s.execution(ctx, "RedriveExecution", arn)
	if err != nil {
		return time.Time{}, err
	}
	quiet, err := s.quiet(ctx, e)
	if err != nil {
		return time.Time{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return time.Time{}, awsapi.AsError(context.Canceled)
	}
	now := s.executions[e.key]
	if now == nil {
		return time.Time{}, notThere(arn)
	}
	now.mu.Lock()
	r := now.record
	now.mu.Unlock()
	for _, before := range r.Redrives {
		if token != "" && before.Token == token && time.Since(before.At) < tokenAge {
			return before.At, nil
		}
	}
	reason := s.notRedrivable(&r)
	switch {
	case !quiet || now != e: // it ran a moment ago, or somebody has redriven it in this one
		reason = cmp.Or(reason, reasonRunning)
	case reason == "" && r.MapRun != nil:
		reason = "Execution is redriven by its Map Run"
	}
	if reason != "" {
		return time.Time{}, awsapi.Errorf("ExecutionNotRedrivable", "Execution Not Redrivable: '%s'", reason)
	}
	again, ops, err := e.again(token, nil)
	if err != nil {
		return time.Time{}, err
	}
	if err := s.store.Commit(ops...); err != nil {
		return time.Time{}, err
	}
	again.logging = s.machines[r.Machine].logging()
	s.replace(e, again)
	s.launch(again)
	return again.redriven(), nil
}

// quiet waits until nothing more follows from an execution that ended, nor from those of its child executions that are
// being stopped. It returns false for a running one.
func (s *Service) quiet(ctx context.Context, e *execution) (bool, error) {
	e.mu.Lock()
	status := e.Status
	e.mu.Unlock()
	if status == statusRunning {
		return false, nil
	}
	ending := []*execution{e}
	s.mu.RLock()
	for key, run := range s.mapRuns {
		if run.Execution != e.key {
			continue
		}
		for child := range s.executionsOf(run.children()) {
			if child.MapRun.Run == key {
				ending = append(ending, child)
			}
		}
	}
	s.mu.RUnlock()
	for _, e := range ending {
		select {
		case <-e.finished:
		case <-ctx.Done():
			return false, ctx.Err()
		case <-s.ctx.Done():
			return false, awsapi.AsError(context.Canceled)
		}
	}
	return true, nil
}

// again makes the execution that continues where e ended, and returns what to store of it. Its part in a Map Run is nil
// unless that redrives it. The caller holds s.mu.
func (e *execution) again(token string, part *childOf) (*execution, []storage.Op, error) {
	r, events, err := e.snapshot(true)
	if err != nil {
		return nil, nil, err
	}
	stored := e.left
	if e.service.store != nil {
		if stored, err = loadFrames(e.service.store, e.key); err != nil {
			return nil, nil, err
		}
	}
	for _, f := range stored {
		f.rewind()
	}
	r.Status, r.Stopped, r.Error, r.Cause, r.Events = statusRunning, time.Time{}, nil, nil, 0
	r.MapRun = part
	r.RedriveCount++
	r.Redrives = append(slices.Clone(r.Redrives), redrive{token, time.Now().Truncate(time.Millisecond)})
	r.Redrives = r.Redrives[max(0, len(r.Redrives)-maxTokens):]

	again := e.service.newExecution(r, e.machine)
	close(again.stored)
	again.events, again.shown, again.written = slices.Clip(events), events, len(events)
	again.add(event{Type: "ExecutionRedriven", Prev: len(events), Detail: &detail{RedriveCount: r.RedriveCount}})
	if err := again.restoreFrames(stored); err != nil {
		return nil, nil, err
	}
	again.root.leaves(again.changed)
	return again, append(again.changes(), again.recordOp(&r)), nil
}

// rewind puts a frame that was open when its execution ended back to where it continues: to its children or its Map
// Run, or else to the beginning of its state. What happens there follows the entry of the state.
func (f *storedFrame) rewind() {
	if f.Stage == stageDone || f.Stage == stageEnter {
		return
	}
	f.Retries, f.Retried, f.Prev = nil, 0, f.EventID
	switch {
	case f.Run != "":
		f.Stage = stageRun
	case f.Started > 0:
		f.Stage = stageChildren
	default:
		f.position = position{Stage: stageWork, Entered: f.Entered, EventID: f.EventID, Prev: f.Prev}
	}
}

// replace puts an execution in the place of the one that it continues. The caller holds s.mu.
func (s *Service) replace(old, e *execution) {
	s.ended.Remove(old.ending)
	s.executions[e.key] = e
	s.places[e] = s.places[old]
	s.places[e].Value = e
	delete(s.places, old)
}

// mayRedrive checks that the role of the state machine may redrive the child executions that wait for it.
func (f *frame) mayRedrive() *asl.Error {
	if f.run.Executions.PendingRedrive == 0 {
		return nil
	}
	first := slices.IndexFunc(f.run.children, func(c child) bool { return c.status == statusPendingRedrive })
	return f.service.authorize(f.RoleARN, "states:RedriveExecution", awsapi.ARN("states", "execution:"+f.childKey(first)))
}
