package stepfunctions

import (
	"encoding/json"
	"fmt"

	"milepost/local/stepfunctions/asl"
)

// begin starts count branches or items, as many at a time as the state allows.
func (f *frame) begin(count int, child func(i int) (*frame, error)) {
	f.Stage, f.Started, f.running = stageChildren, 0, 0
	f.children = make(map[int]*frame, count)
	f.more(count, child)
}

// more starts children while there are some left and room for them.
func (f *frame) more(count int, child func(i int) (*frame, error)) {
	for !f.over && f.Started < count && (f.Concurrent == 0 || f.running < f.Concurrent) {
		c, err := child(f.Started)
		if err != nil {
			f.fail(err)
			return
		}
		c.Prev = f.Prev
		f.children[f.Started] = c
		f.Started++
		f.running++
		if f.state.Kind == asl.KindMap {
			c.emit("MapIterationStarted", f.iteration(c.index))
		}
		f.ready(c)
	}
	f.changed(f)
}

func (f *frame) iteration(index int) event {
	return event{Name: f.state.Name, Detail: &detail{Index: &index}}
}

func (f *frame) beginMap(body *asl.Map, in *asl.Data) error {
	limit := body.MaxConcurrency
	if body.MaxConcurrencyPath != nil {
		v, err := body.MaxConcurrencyPath.Eval(f.env(in), "MaxConcurrencyPath")
		if err != nil {
			return err
		}
		n, _ := v.(json.Number)
		if limit, err = n.Int64(); err != nil || limit < 0 {
			text, ok := v.(string)
			if !ok {
				text = asl.Encode(v)
			}
			return &asl.Error{Name: asl.ErrRuntime, Located: true,
				Cause: fmt.Sprintf("The MaxConcurrencyPath field refers to value \"%s\" which is not a valid integer: %s", text, body.MaxConcurrencyPath)}
		}
	}
	if err := f.findItems(body, in); err != nil {
		return err
	}
	count := len(f.items)
	f.Concurrent = int(limit)
	f.emit("MapStateStarted", event{Detail: &detail{Length: &count}})
	if body.Distributed != nil {
		return f.beginRun(body.Distributed, in)
	}
	f.begin(count, f.item)
	if count == 0 {
		return f.join()
	}
	return nil
}

func (f *frame) findItems(body *asl.Map, in *asl.Data) error {
	v, err := body.Items.Eval(f.env(in), "ItemsPath")
	if err != nil {
		return err
	}
	items, ok := v.([]any)
	if !ok {
		return &asl.Error{Name: asl.ErrRuntime, Located: true,
			Cause: fmt.Sprintf("Reference path %q must point to array.", body.Items)}
	}
	f.items = items
	return nil
}

// item makes the frame that works on item i of a Map.
func (f *frame) item(i int) (*frame, error) {
	input, err := f.itemInput(i)
	if err != nil {
		return nil, err
	}
	return f.newFrame(f, i, f.state.Body.(*asl.Map).Processor, input), nil
}

// itemInput is item i of a Map as ItemSelector shapes it.
func (f *frame) itemInput(i int) (*asl.Data, error) {
	if f.state.Parameters == nil {
		return asl.FromValue(f.items[i]), nil
	}
	in, err := f.selected(f.input, f.state.Input, "InputPath")
	if err != nil {
		return nil, err
	}
	env := f.env(in)
	env.Context = func() map[string]any {
		object := f.contextObject()
		object["Map"] = mapContext(i, f.items[i])
		return object
	}
	v, err := f.state.Parameters.Eval(env)
	return asl.FromValue(v), err
}

func (f *frame) childEnded(c *frame) {
	last := c.Prev
	f.running--
	f.changed(c)
	count := len(f.children)
	if f.state.Kind == asl.KindMap {
		f.Prev = c.aside("MapIterationSucceeded", f.iteration(c.index))
		count = len(f.items)
		if f.Started < count {
			joined := f.Prev
			f.Prev = last // what starts now follows the item's last event
			f.more(count, f.item)
			f.Prev = joined
		}
	} else {
		f.Prev = last
	}
	if f.Stage == stageChildren && f.running == 0 && f.Started == count {
		if err := f.join(); err != nil {
			f.fail(err)
		}
		f.ready(f)
	}
}

// join ends the state with the outputs of its children, in their order.
func (f *frame) join() error {
	outputs := make([]any, len(f.children))
	for i := range outputs {
		outputs[i] = f.children[i].input.Value()
	}
	f.aside(string(f.state.Kind)+"StateSucceeded", event{})
	return f.finish(asl.FromValue(outputs))
}

// childFailed ends all children, since one of them failed, and fails with its error.
func (f *frame) childFailed(c *frame, err *asl.Error) {
	f.Prev = c.Prev
	if f.state.Kind == asl.KindMap {
		c.aside("MapIterationFailed", f.iteration(c.index))
	} else if kind, ok := abortedEvent[c.state.Kind]; ok {
		c.aside(kind, event{})
	}
	for i := range f.Started {
		other := f.children[i]
		if other == nil || other == c || other.Stage == stageDone { // nil once the history is full
			continue
		}
		if f.state.Kind == asl.KindMap {
			other.aside("MapIterationAborted", f.iteration(i))
		} else {
			other.abort()
		}
	}
	f.fail(err)
	f.ready(f)
}

// abort writes down that the states that are open in f and below it end here.
func (f *frame) abort() {
	f.leaves(func(open *frame) {
		if open.Stage == stageRun {
			open.emit("MapRunAborted", event{})
		}
		if kind, ok := abortedEvent[open.state.Kind]; ok && open.Stage != stageEnter {
			open.aside(kind, event{})
		}
	})
}

// dropChildren forgets the children, and lets their tasks go.
func (f *frame) dropChildren() {
	f.abandonRun()
	for _, c := range f.children {
		c.endTask()
		c.Stage = stageDone
		c.dropChildren()
		f.dropped(c)
	}
	f.children, f.items, f.Started, f.running, f.Concurrent = nil, nil, 0, 0, 0
}
