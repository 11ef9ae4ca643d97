package stepfunctions

import (
	"cmp"
	"container/list"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"milepost/local/awsapi"
	"milepost/local/metrics"
	"milepost/local/stepfunctions/asl"
	"milepost/local/storage"
)

// The states of an execution.
const (
	statusRunning   = "RUNNING"
	statusSucceeded = "SUCCEEDED"
	statusFailed    = "FAILED"
	statusTimedOut  = "TIMED_OUT"
	statusAborted   = "ABORTED"
)

// endings are the metrics of executions that ended, by their status.
var endings = map[string]string{
	statusSucceeded: "ExecutionsSucceeded", statusFailed: "ExecutionsFailed", statusTimedOut: "ExecutionsTimedOut", statusAborted: "ExecutionsAborted",
}

// measure publishes samples of the execution's machine.
func (e *execution) measure(samples ...metrics.Sample) {
	e.service.metrics.Put("AWS/States", []metrics.Dimension{{Name: "StateMachineArn", Value: awsapi.ARN("states", "stateMachine:"+e.Machine)}}, samples...)
}

// record is what is stored of an execution besides its history and its position.
type record struct {
	Machine     string    `json:"machine"`
	Name        string    `json:"name"`
	RoleARN     string    `json:"role"`
	Revision    string    `json:"revision"` // of the definition it follows
	Input       string    `json:"input"`
	TraceHeader string    `json:"trace,omitempty"`
	Tracing     bool      `json:"tracing,omitempty"`
	Started     time.Time `json:"started"`
	// MapRun is the Map Run that started it, nil if none did.
	MapRun       *childOf `json:"mapRun,omitempty"`
	RedriveCount int      `json:"redriveCount,omitempty"`
	// Redrives are the newest of its redrives, the last one at the end.
	Redrives []redrive `json:"redrives,omitempty"`

	Status  string    `json:"status"`
	Stopped time.Time `json:"stopped,omitzero"`
	Output  string    `json:"output,omitempty"`
	Error   *string   `json:"error,omitempty"`
	Cause   *string   `json:"cause,omitempty"`
	// Events is how many events the history of an ended execution has.
	Events int `json:"events,omitempty"`
}

// An execution runs in one goroutine, which alone changes its frames. It works in rounds: every frame advances until it
// waits for something; then all changes are stored in one write; only then are the tasks started and the answers sent
// that depend on them. So whatever the outside has seen of an execution is stored, and a restart continues from there.
type execution struct {
	service *Service
	machine *asl.Machine
	key     string // machine:name
	arn     string
	trace   *tracing // nil when the execution is not traced
	// stored is closed when the start has been written down.
	stored chan struct{}
	// finished is closed when it has ended and nothing more follows from it.
	finished chan struct{}

	mu      sync.Mutex
	record          // only Status and what follows it ever changes
	shown   []event // the history as far as it has been written down
	mailbox []message
	closed  error // set when the mailbox is no longer read: errEnded, or why it stopped
	stuck   error // why what has changed cannot be written down at the moment
	wake    chan struct{}

	begun   bool          // guarded by the service's mutex, as ending is
	ending  *list.Element // its place among the ended ones
	logging logging

	// The rest belongs to the goroutine.
	root     *frame
	events   []event
	queue    []*frame // to be advanced
	starting []*frame // their tasks have yet to be started
	calls    int
	over     bool
	final    record                  // once over
	left     map[string]*storedFrame // positions of the frames, by path, at a failed end; nil if there is nothing to redrive

	written  int                   // events that are stored
	dirty    map[*frame]bool       // frames whose stored position is old; nil without a store
	gone     []string              // paths of stored frames to delete
	runs     []mapRun              // Map Runs that have changed
	answered []func(failure error) // to be called when this round is written down
}

// message is what another goroutine sends to an execution.
type message struct {
	path   string
	call   int
	result *taskResult

	token     string
	answer    *answer
	heartbeat bool

	child *childEnd

	stop  *answer
	reply func(failure error)
}

func (e *execution) post(m message) {
	e.mu.Lock()
	refused := e.closed
	if refused == nil && m.reply != nil {
		refused = e.stuck // requests do not wait; messages of tasks and children do
	}
	if refused == nil {
		e.mailbox = append(e.mailbox, m)
	}
	e.mu.Unlock()
	if refused != nil {
		if m.reply != nil {
			m.reply(refused)
		}
		return
	}
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// errEnded answers a message that came after the execution's end.
var errEnded = errors.New("the execution has ended")

func (e *execution) run() {
	e.emitBeginning()
	for {
		for len(e.queue) > 0 {
			f := e.queue[0]
			e.queue = e.queue[1:]
			f.advance()
		}
		if err := e.save(); err != nil {
			e.broken(err)
			return
		}
		if e.over {
			e.close(errEnded)
			e.emitSegment()
			e.measure(metrics.Number(endings[e.Status], 1), metrics.Took("ExecutionTime", e.Stopped.Sub(cmp.Or(e.redriven(), e.Started))))
			e.service.tellParent(e)
			e.service.finished(e)
			return
		}
		if err := e.startWaiting(); err != nil {
			e.broken(err)
			return
		}
		if !e.await() {
			e.close(storage.ErrClosed)
			return
		}
	}
}

// broken stops the execution until the service is opened again.
func (e *execution) broken(err error) {
	if !errors.Is(err, storage.ErrClosed) {
		e.service.logger.Error("an execution is broken; it continues after a restart", "execution", e.arn, "error", err)
	}
	e.close(err)
}

// startWaiting starts the tasks and child executions that had to wait until the position was written down.
func (e *execution) startWaiting() error {
	starting := e.starting
	e.starting = nil
	for _, f := range starting {
		switch {
		case f.Stage == stageCall && f.cancel == nil:
			f.start()
		case f.Stage == stageRun:
			if err := f.startChildren(); err != nil {
				return err
			}
		}
	}
	return nil
}

// await waits for a message or a deadline and acts on it. It returns false if the service closes.
func (e *execution) await() bool {
	var timeout <-chan time.Time
	if due := e.nextDue(); !due.IsZero() {
		timer := time.NewTimer(time.Until(due))
		defer timer.Stop()
		timeout = timer.C
	}
	select {
	case <-e.wake:
	case <-timeout:
	case <-e.service.ctx.Done():
		return false
	}
	e.mu.Lock()
	messages := e.mailbox
	e.mailbox = nil
	e.mu.Unlock()
	for _, m := range messages {
		e.receive(m)
	}
	now := time.Now()
	var due []*frame
	e.root.leaves(func(f *frame) { due = append(due, f) })
	for _, f := range due {
		if !e.over {
			f.due(now)
		}
	}
	if deadline := e.deadline(); !e.over && !deadline.IsZero() && !deadline.After(now) {
		e.cutShort(statusTimedOut, "ExecutionTimedOut", &detail{Error: new(asl.ErrTimeout)})
	}
	return true
}

func (e *execution) nextDue() time.Time { return e.root.nextDue(e.deadline()) }

// deadline is when the machine's own TimeoutSeconds are over.
func (e *execution) deadline() time.Time {
	if e.machine.TimeoutSeconds == 0 {
		return time.Time{}
	}
	return after(cmp.Or(e.redriven(), e.Started), e.machine.TimeoutSeconds)
}

func (e *execution) receive(m message) {
	reply := func(err error) {
		if m.reply != nil {
			e.answered = append(e.answered, func(failure error) { m.reply(errors.Join(err, failure)) })
		}
	}
	if e.over {
		reply(errEnded)
		return
	}
	if m.stop != nil {
		e.cutShort(statusAborted, "ExecutionAborted", &detail{Error: m.stop.Error, Cause: m.stop.Description})
		reply(nil)
		return
	}
	f := e.root.find(m.path)
	if m.child != nil {
		if f != nil && f.Stage == stageRun && f.Run == m.child.run {
			f.childRan(m.child)
			e.ready(f)
		}
		return
	}
	if m.result != nil {
		if f != nil && f.Stage == stageCall && f.call == m.call {
			f.returned(m.result)
			e.ready(f)
		}
		return
	}
	if f == nil || f.Token != m.token || f.Answer != nil || f.Stage != stageCall && f.Stage != stageToken {
		reply(errEnded)
		return
	}
	if m.heartbeat {
		if f.Stage == stageToken {
			f.beat()
		}
	} else {
		e.changed(f)
		f.answered(m.answer)
		e.ready(f)
	}
	reply(nil)
}

func (e *execution) ready(f *frame) { e.queue = append(e.queue, f) }

// changed notes that the stored position of a frame is old.
func (e *execution) changed(f *frame) {
	if e.dirty != nil {
		e.dirty[f] = true
	}
}

// dropped notes that a frame is no more.
func (e *execution) dropped(f *frame) {
	if e.dirty != nil {
		delete(e.dirty, f)
		e.gone = append(e.gone, f.path)
	}
}

// add appends an event to the history and returns its id. The last event that fits into a history is reserved for the
// failure that ends the execution.
func (e *execution) add(ev event) int {
	if e.over {
		return len(e.events)
	}
	if len(e.events) == maxEvents-1 && !strings.HasPrefix(ev.Type, "Execution") {
		err := &asl.Error{Name: asl.ErrRuntime, Cause: "The execution reached the maximum number of history events (25000)."}
		e.end(statusFailed, "ExecutionFailed", event{Prev: ev.Prev, Detail: errorDetail(err)})
		return len(e.events)
	}
	ev.Time = time.Now().UnixMilli()
	e.events = append(e.events, ev)
	return len(e.events)
}

// end ends the execution with its last event. Unless it succeeded its frames stay where they are, to be
// redriven; not with a history that has no room for more.
func (e *execution) end(status, kind string, ev event) {
	if e.over {
		return
	}
	ev.Type = kind
	e.add(ev)
	e.over = true
	e.final = e.record
	e.final.Status, e.final.Stopped, e.final.Output = status, time.Now(), ev.Text
	if ev.Detail != nil {
		e.final.Error, e.final.Cause = ev.Detail.Error, ev.Detail.Cause
	}
	e.final.Events = len(e.events)
	if status == statusSucceeded || e.final.full() {
		e.root.endTask()
		e.root.dropChildren()
		return
	}
	e.root.leaves((*frame).abandon)
	e.left = map[string]*storedFrame{}
	e.root.positions(e.left)
}

// cutShort ends the execution in the middle of its states, whose end is not in the history: as on AWS, its last event
// follows none of theirs.
func (e *execution) cutShort(status, kind string, d *detail) {
	e.root.leaves(func(open *frame) {
		if open.Stage == stageRun {
			open.emit("MapRunAborted", event{})
		}
	})
	e.end(status, kind, event{Detail: d})
	if status == statusTimedOut {
		e.final.Error = nil // only the event names it
	}
}

// save stores what has changed, publishes it, and sends the answers that waited for it.
func (e *execution) save() error {
	if e.dirty != nil {
		if err := e.commit(e.changes()); err != nil {
			return err
		}
	}
	e.service.log(e, len(e.shown))
	e.mu.Lock()
	e.shown = slices.Clip(e.events)
	if e.over { // what never changes is read without the lock, so it is not written here
		f := &e.final
		e.Status, e.Stopped, e.Output, e.Error, e.Cause, e.Events = f.Status, f.Stopped, f.Output, f.Error, f.Cause, f.Events
	}
	e.mu.Unlock()
	e.service.show(e.runs)
	e.runs = nil
	for _, reply := range e.answered {
		reply(nil)
	}
	e.answered = nil
	return nil
}

// The first and the longest pause between two attempts to write down what the store does not take.
const (
	shortestPause = time.Second
	longestPause  = 30 * time.Second
)

// commit stores ops. If the store fails, as on a full disk, commit retries until it succeeds or the store is closed;
// the execution does not advance meanwhile, and requests to it get the store's error.
func (e *execution) commit(ops []storage.Op) error {
	for pause := shortestPause; ; pause = min(2*pause, longestPause) {
		err := e.service.store.Commit(ops...)
		if err == nil || errors.Is(err, storage.ErrClosed) {
			e.setStuck(nil)
			return err
		}
		if pause == shortestPause {
			e.service.logger.Error("an execution cannot be stored; it continues as soon as it can", "execution", e.arn, "error", err)
		}
		e.setStuck(err)
		select {
		case <-e.service.ctx.Done():
			return storage.ErrClosed
		case <-time.After(pause):
		}
	}
}

// setStuck records why nothing can be stored, and answers those who wait for it.
func (e *execution) setStuck(err error) {
	e.mu.Lock()
	e.stuck = err
	var asking []message
	if err != nil {
		e.mailbox = slices.DeleteFunc(e.mailbox, func(m message) bool {
			if m.reply != nil {
				asking = append(asking, m)
			}
			return m.reply != nil
		})
	}
	e.mu.Unlock()
	if err == nil {
		return
	}
	for _, reply := range e.answered {
		reply(err)
	}
	e.answered = nil
	for _, m := range asking {
		m.reply(err)
	}
}

// close answers all who still wait.
func (e *execution) close(failure error) {
	e.mu.Lock()
	e.closed = failure
	messages := e.mailbox
	e.mailbox = nil
	e.mu.Unlock()
	if e.root != nil {
		e.root.leaves((*frame).endTask)
	}
	for _, reply := range e.answered {
		reply(failure)
	}
	for _, m := range messages {
		if m.reply != nil {
			m.reply(failure)
		}
	}
	e.root, e.queue, e.starting, e.answered = nil, nil, nil, nil
}

// executionContext is the part of the context object that all frames share.
func (e *execution) executionContext() map[string]any {
	input, _ := asl.Decode(e.Input)
	about := map[string]any{
		"Id": e.arn, "Input": input, "Name": e.Name, "RoleArn": e.RoleARN,
		"StartTime": timestamp(e.Started), "RedriveCount": json.Number(strconv.Itoa(e.RedriveCount)),
	}
	if e.RedriveCount > 0 {
		about["RedriveTime"] = timestamp(e.redriven())
	}
	return map[string]any{
		"Execution":    about,
		"StateMachine": map[string]any{"Id": machineARN(e.Machine), "Name": e.Machine},
	}
}

func machineARN(name string) string { return awsapi.ARN("states", "stateMachine:"+name) }

func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
