package stepfunctions

import (
	"bytes"
	"encoding/json"
	"fmt"

	"milepost/local/metrics"
	"milepost/local/stepfunctions/asl"
	"milepost/local/storage"
)

// The buckets of the store. Frames and events are kept under the key of their execution, a zero
// byte, and the frame's path or the id of the first event in the value.
const (
	bucketMachines    = "states-machines"
	bucketDefinitions = "states-definitions"
	bucketExecutions  = "states-executions"
	bucketFrames      = "states-frames"
	bucketEvents      = "states-events"
	bucketMapRuns     = "states-mapruns"
)

// storedFrame is a frame as it is stored.
type storedFrame struct {
	State     string          `json:"state"`
	Input     json.RawMessage `json:"input"`
	Variables map[string]any  `json:"variables,omitempty"`
	position
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("stepfunctions: %v", err)) // all of it has been JSON before
	}
	return b
}

func below(execution, rest string) []byte { return []byte(execution + "\x00" + rest) }

func eventsKey(execution string, first int) []byte {
	return below(execution, fmt.Sprintf("%05d", first))
}

func (e *execution) recordOp(r *record) storage.Op {
	return storage.Op{Bucket: bucketExecutions, Key: []byte(e.key), Value: mustJSON(r)}
}

func (e *execution) frameOp(path string, s *storedFrame) storage.Op {
	return storage.Op{Bucket: bucketFrames, Key: below(e.key, path), Value: mustJSON(s)}
}

// stored is the frame in its stored form.
func (f *frame) stored() *storedFrame {
	return &storedFrame{State: f.state.Name, Input: json.RawMessage(f.input.Text()), Variables: f.scope.Own, position: f.position}
}

// positions collects the positions of a frame and those below it, by their paths.
func (f *frame) positions(into map[string]*storedFrame) {
	into[f.path] = f.stored()
	for _, c := range f.children {
		c.positions(into)
	}
}

// changes returns what to write so that the store has the execution's position.
func (e *execution) changes() []storage.Op {
	var ops []storage.Op
	for _, path := range e.gone {
		ops = append(ops, storage.Op{Bucket: bucketFrames, Key: below(e.key, path)})
	}
	e.gone = e.gone[:0]
	switch {
	case !e.over:
		for f := range e.dirty {
			ops = append(ops, e.frameOp(f.path, f.stored()))
		}
	case e.left == nil:
		ops = append(ops, e.recordOp(&e.final), storage.Op{Bucket: bucketFrames, Key: below(e.key, e.root.path)})
	default:
		ops = append(ops, e.recordOp(&e.final))
		for path, s := range e.left {
			ops = append(ops, e.frameOp(path, s))
		}
	}
	clear(e.dirty)
	for i := range e.runs {
		ops = append(ops, e.runs[i].op())
	}
	if e.written < len(e.events) {
		ops = append(ops, storage.Op{Bucket: bucketEvents, Key: eventsKey(e.key, e.written+1), Value: mustJSON(e.events[e.written:])})
		e.written = len(e.events)
	}
	return ops
}

// loadBelow reads what a bucket holds under an execution's key, in the order of the keys.
func loadBelow(store *storage.Store, bucket, execution string, fn func(rest string, value []byte) error) error {
	prefix := below(execution, "")
	var failed error
	err := store.EachFrom(bucket, prefix, func(key, value []byte) bool {
		rest, ok := bytes.CutPrefix(key, prefix)
		if ok {
			failed = fn(string(rest), value)
		}
		return ok && failed == nil
	})
	if err == nil {
		err = failed
	}
	return err
}

func loadEvents(store *storage.Store, execution string) ([]event, error) {
	var events []event
	err := loadBelow(store, bucketEvents, execution, func(_ string, value []byte) error {
		var some []event
		err := json.Unmarshal(value, &some)
		events = append(events, some...)
		return err
	})
	return events, err
}

// deleteOps removes everything that is stored of an ended execution.
func deleteOps(store *storage.Store, execution string) ([]storage.Op, error) {
	ops := []storage.Op{{Bucket: bucketExecutions, Key: []byte(execution)}}
	for _, bucket := range []string{bucketEvents, bucketFrames} {
		err := loadBelow(store, bucket, execution, func(rest string, _ []byte) error {
			ops = append(ops, storage.Op{Bucket: bucket, Key: below(execution, rest)})
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return ops, nil
}

func loadFrames(store *storage.Store, execution string) (map[string]*storedFrame, error) {
	stored := map[string]*storedFrame{}
	err := loadBelow(store, bucketFrames, execution, func(path string, value []byte) error {
		f := &storedFrame{}
		dec := json.NewDecoder(bytes.NewReader(value))
		dec.UseNumber()
		stored[path] = f
		return dec.Decode(f)
	})
	return stored, err
}

// resume rebuilds a running execution from the store.
func (e *execution) resume() error {
	var err error
	if e.events, err = loadEvents(e.service.store, e.key); err != nil {
		return err
	}
	e.written, e.shown = len(e.events), e.events
	stored, err := loadFrames(e.service.store, e.key)
	if err != nil {
		return err
	}
	return e.restoreFrames(stored)
}

// restoreFrames makes the frames, at their positions.
func (e *execution) restoreFrames(stored map[string]*storedFrame) error {
	e.begin()
	if stored[e.root.path] == nil {
		return nil // it had only been acknowledged
	}
	e.queue = nil
	return e.root.restore(stored)
}

// restore puts a frame and its children at their positions.
func (f *frame) restore(stored map[string]*storedFrame) error {
	s := stored[f.path]
	f.state = f.machine.States[s.State]
	if f.state == nil {
		return fmt.Errorf("%s: the definition has no state %q", f.arn, s.State)
	}
	f.input, f.scope.Own, f.position = asl.FromText(string(s.Input)), s.Variables, s.position
	switch f.Stage {
	case stageEnter, stageWork:
		f.ready(f)
	case stageCall:
		if f.Answer == nil {
			f.starting = append(f.starting, f)
			return nil
		}
		// The task had been handed over, or there were no answer. What follows from it has to wait until
		// all frames are back.
		f.Stage = stageToken
		f.ready(f)
	case stageToken:
		f.beat()
	case stageChildren:
		return f.restoreChildren(stored)
	case stageRun:
		return f.restoreRun()
	}
	return nil
}

func (f *frame) restoreChildren(stored map[string]*storedFrame) error {
	f.children = map[int]*frame{}
	if body, ok := f.state.Body.(*asl.Map); ok {
		if err := f.restoreItems(body); err != nil {
			return err
		}
	}
	for i := range f.Started {
		var m *asl.Machine
		switch body := f.state.Body.(type) {
		case *asl.Parallel:
			m = body.Branches[i]
		case *asl.Map:
			m = body.Processor
		}
		c := f.newFrame(f, i, m, nil)
		if stored[c.path] == nil {
			return fmt.Errorf("%s: frame %s is missing", f.arn, c.path)
		}
		f.children[i] = c
		if stored[c.path].Stage != stageDone {
			f.running++
		}
	}
	for i := range f.Started {
		if err := f.children[i].restore(stored); err != nil {
			return err
		}
	}
	return nil
}

// restoreItems finds the items of a Map again.
func (f *frame) restoreItems(body *asl.Map) error {
	in, err := f.selected(f.input, f.state.Input, "InputPath")
	if err == nil {
		err = f.findItems(body, in)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", f.arn, err)
	}
	return nil
}

// begin makes the root frame and the event that opens the history.
func (e *execution) begin() {
	e.root = e.newFrame(nil, 0, e.machine, asl.FromText(e.Input))
	e.ready(e.root)
	if len(e.events) == 0 {
		e.measure(metrics.Number("ExecutionsStarted", 1))
		e.events = append(make([]event, 0, 8), event{Type: "ExecutionStarted", Time: e.Started.UnixMilli(),
			Text: e.Input, Detail: &detail{RoleARN: e.RoleARN}})
	}
}
