package stepfunctions

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"milepost/local/stepfunctions/asl"
)

// schedule begins an attempt at a Task state. The task itself is started once the position has
// been written down.
func (f *frame) schedule(t *asl.Task, in *asl.Data) error {
	f.Token, f.Answer = "", nil
	if t.WaitForToken {
		f.Token = newToken(f.key, f.path)
	}
	parameters, err := f.shaped(f.state.Parameters, in)
	if err != nil {
		return err
	}
	timeout, err := f.number(t.Timeout, in)
	if err != nil {
		return err
	}
	heartbeat, err := f.number(t.Heartbeat, in)
	if err != nil {
		return err
	}
	if len(parameters.Text()) > asl.MaxData {
		return dataLimit(f.state.Name)
	}
	f.Stage, f.Parameters = stageCall, json.RawMessage(parameters.Text())
	f.Deadline, f.Heartbeat, f.heartbeatBy = time.Time{}, time.Duration(heartbeat)*time.Second, time.Time{}
	if timeout > 0 {
		f.Deadline = after(time.Now(), timeout)
	}
	f.starting = append(f.starting, f)
	resource, service := taskResource(t)
	scheduled := event{Text: parameters.Text(), Detail: &detail{Resource: resource, ResourceType: service, Timeout: timeout, Heartbeat: heartbeat}}
	if t.Action == "" {
		f.emit("LambdaFunctionScheduled", scheduled)
		f.emit("LambdaFunctionStarted", event{})
		return nil
	}
	f.emit("TaskScheduled", scheduled)
	f.emit("TaskStarted", event{Detail: &detail{Resource: resource, ResourceType: service}})
	return nil
}

// taskResource is how history events name a task's resource.
func taskResource(t *asl.Task) (resource, service string) {
	if t.Action == "" {
		return t.Resource, ""
	}
	return t.Name(), t.Service
}

// number evaluates a timeout or another limit; 0 means none.
func (f *frame) number(n asl.Number, in *asl.Data) (int64, error) {
	if n.Path == nil {
		return n.Value, nil
	}
	v, err := n.Path.Eval(f.env(in), n.Field+"Path")
	if err != nil {
		return 0, err
	}
	number, _ := v.(json.Number)
	value, err := number.Int64()
	if err != nil || value <= 0 {
		return 0, f.badValue("The "+n.Field+"Path parameter cannot be parsed as a positive long value: %s == %s", n.Path, v)
	}
	return value, nil
}

// start hands the task to the runner. Its result comes as a message.
func (f *frame) start() {
	t := f.state.Body.(*asl.Task)
	ctx, cancel := context.WithCancel(f.service.ctx)
	f.cancel = cancel
	call := TaskCall{
		Resource: t.Resource, Service: t.Service, Action: t.Action, RoleARN: f.RoleARN,
		Parameters: f.Parameters, TaskToken: f.Token, ExecutionARN: f.arn, State: f.state.Name,
	}
	ctx = f.traceContext(ctx)
	f.execution.calls++
	f.call = f.execution.calls
	e, path, number := f.execution, f.path, f.call
	e.service.running.Go(func() {
		output, err := e.service.tasks.Run(ctx, call)
		e.post(message{path: path, call: number, result: &taskResult{output, err}})
	})
}

type taskResult struct {
	output json.RawMessage
	err    error
}

// returned takes the result of the runner.
func (f *frame) returned(r *taskResult) {
	t := f.state.Body.(*asl.Task)
	f.endTask()
	switch {
	case r.err != nil && f.Answer != nil:
		f.settle() // the token was answered first
		return
	case r.err != nil:
		f.taskFailed(taskError(r.err))
		return
	case !json.Valid(r.output):
		f.taskFailed(&asl.Error{Name: asl.ErrRuntime, Cause: fmt.Sprintf("The task returned what is not JSON: %.100q", r.output)})
		return
	}
	if len(r.output) > asl.MaxData {
		name := t.Service
		if t.Action == "" {
			name = t.Resource
		}
		f.taskFailed(dataLimit(name))
		return
	}
	output := asl.FromText(string(r.output))
	if f.Token == "" {
		f.succeed(output)
		return
	}
	resource, service := taskResource(t)
	f.emit("TaskSubmitted", event{Text: output.Text(), Detail: &detail{Resource: resource, ResourceType: service}})
	f.Stage = stageToken
	f.beat()
	if f.Answer != nil {
		f.settle()
	}
}

// answered takes the answer to the task's token. An answer that comes while the task is still being
// handed over is kept until that is done, so that the history has its order.
func (f *frame) answered(a *answer) {
	f.Answer = a
	if f.Stage == stageToken {
		f.settle()
	}
}

func (f *frame) settle() {
	a := f.Answer
	if !a.Failed {
		f.succeed(asl.FromText(a.Output))
		return
	}
	err := &asl.Error{NoName: a.Error == nil, NoCause: a.Description == nil}
	if a.Error != nil {
		err.Name = *a.Error
	}
	if a.Description != nil {
		err.Cause = *a.Description
	}
	f.taskFailed(err)
}

// beat begins the time until the next heartbeat.
func (f *frame) beat() {
	if f.Heartbeat > 0 {
		f.heartbeatBy = time.Now().Add(f.Heartbeat)
	}
}

func (f *frame) succeed(output *asl.Data) {
	f.taskEvent("Succeeded", event{Text: output.Text(), Detail: &detail{}})
	if err := f.finish(output); err != nil {
		f.fail(err)
	}
}

func (f *frame) taskFailed(err *asl.Error) {
	t := f.state.Body.(*asl.Task)
	if t.Action != "" && t.Service == "lambda" {
		var compact bytes.Buffer
		if json.Compact(&compact, []byte(err.Cause)) == nil {
			err.Cause = compact.String()
		}
	}
	f.taskEvent("Failed", event{Detail: errorDetail(err)})
	f.fail(err)
}

func (f *frame) timedOut(heartbeat bool) {
	err := &asl.Error{Name: asl.ErrTimeout, NoCause: true, Heartbeat: heartbeat}
	f.taskEvent("TimedOut", event{Detail: errorDetail(err)})
	f.fail(err)
}

// taskEvent writes down how a task ended.
func (f *frame) taskEvent(how string, ev event) {
	f.endTask()
	f.Token, f.Answer, f.Deadline, f.heartbeatBy = "", nil, time.Time{}, time.Time{}
	t := f.state.Body.(*asl.Task)
	if t.Action == "" {
		f.emit("LambdaFunction"+how, ev)
		return
	}
	ev.Detail.Resource, ev.Detail.ResourceType = taskResource(t)
	f.emit("Task"+how, ev)
}

// endTask tells the runner that nothing waits for the task any more.
func (f *frame) endTask() {
	if f.cancel != nil {
		f.cancel()
		f.cancel = nil
	}
}
