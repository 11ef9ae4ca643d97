package stepfunctions

import (
	"strconv"
	"strings"
	"time"

	"milepost/local/awsapi"
	"milepost/local/stepfunctions/asl"
)

// maxEvents is how many events the history of an execution may have.
const maxEvents = 25_000

// event is one event of a history; its id is its position, from 1.
//
// An input or output is kept as the one text that all events of it share.
type event struct {
	Type   string  `json:"t"`
	Time   int64   `json:"at"` // Unix milliseconds
	Prev   int     `json:"p,omitempty"`
	Name   string  `json:"n,omitempty"` // of the state
	Text   string  `json:"x,omitempty"` // input, output or parameters
	Detail *detail `json:"d,omitempty"`
}

// detail holds what only some events have.
type detail struct {
	Error        *string           `json:"error,omitempty"`
	Cause        *string           `json:"cause,omitempty"`
	Variables    map[string]string `json:"vars,omitempty"`
	RoleARN      string            `json:"role,omitempty"`
	Resource     string            `json:"resource,omitempty"`
	ResourceType string            `json:"service,omitempty"`
	Timeout      int64             `json:"timeout,omitempty"`
	Heartbeat    int64             `json:"heartbeat,omitempty"`
	Index        *int              `json:"index,omitempty"`
	Length       *int              `json:"length,omitempty"`
	MapRunARN    string            `json:"mapRun,omitempty"`
	RedriveCount int               `json:"redrives,omitempty"`
}

func errorDetail(err *asl.Error) *detail {
	d := &detail{}
	if !err.NoName {
		d.Error = &err.Name
	}
	if !err.NoCause {
		d.Cause = &err.Cause
	}
	return d
}

// epoch is a point in time as the API's JSON has it: seconds with milliseconds.
type epoch int64

func (e epoch) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(e)/1000, 'f', 3, 64), nil
}

func epochOf(t time.Time) epoch { return epoch(t.UnixMilli()) }

// wire is the event as GetExecutionHistory answers it.
func (ev *event) wire(id int, data bool) map[string]any {
	out := map[string]any{
		"id": id, "previousEventId": ev.Prev, "type": ev.Type, "timestamp": epoch(ev.Time),
	}
	details := map[string]any{}
	if ev.Name != "" {
		details["name"] = ev.Name
	}
	if ev.Text != "" && data {
		label := ev.label()
		details[label] = ev.Text
		if label != "parameters" {
			details[label+"Details"] = map[string]any{"truncated": false}
		}
	}
	if ev.Detail != nil {
		ev.Detail.wire(details, ev.Type, data)
	}
	switch name := ev.detailsName(); {
	case len(details) > 0, ev.Type == "ExecutionFailed", ev.Type == "ExecutionAborted":
		out[name] = details
	}
	return out
}

func (d *detail) wire(details map[string]any, kind string, data bool) {
	if d.Error != nil {
		details["error"] = *d.Error
	}
	if d.Cause != nil {
		details["cause"] = *d.Cause
	}
	if len(d.Variables) > 0 && data {
		details["assignedVariables"] = d.Variables
		details["assignedVariablesDetails"] = map[string]any{"truncated": false}
	}
	for name, value := range map[string]string{"roleArn": d.RoleARN, "resource": d.Resource, "resourceType": d.ResourceType, "mapRunArn": d.MapRunARN} {
		if value != "" {
			details[name] = value
		}
	}
	if kind == "TaskScheduled" {
		details["region"] = awsapi.Region
	}
	if d.Timeout != 0 {
		details["timeoutInSeconds"] = d.Timeout
	}
	if d.Heartbeat != 0 {
		details["heartbeatInSeconds"] = d.Heartbeat
	}
	if d.RedriveCount != 0 {
		details["redriveCount"] = d.RedriveCount
	}
	if d.Index != nil {
		details["index"] = *d.Index
	}
	if d.Length != nil {
		details["length"] = *d.Length
	}
}

// label is the name under which the event's text is answered.
func (ev *event) label() string {
	switch {
	case ev.Type == "TaskScheduled":
		return "parameters"
	case strings.HasSuffix(ev.Type, "Entered"), ev.Type == "ExecutionStarted", ev.Type == "LambdaFunctionScheduled":
		return "input"
	}
	return "output"
}

func (ev *event) detailsName() string {
	switch {
	case strings.HasSuffix(ev.Type, "StateEntered"):
		return "stateEnteredEventDetails"
	case strings.HasSuffix(ev.Type, "StateExited"):
		return "stateExitedEventDetails"
	}
	return strings.ToLower(ev.Type[:1]) + ev.Type[1:] + "EventDetails"
}

// The types of the events that states of a kind are entered, exited and aborted with.
var enteredEvent, exitedEvent, abortedEvent = func() (entered, exited, aborted map[asl.Kind]string) {
	entered, exited, aborted = map[asl.Kind]string{}, map[asl.Kind]string{}, map[asl.Kind]string{}
	for _, k := range []asl.Kind{asl.KindPass, asl.KindTask, asl.KindChoice, asl.KindWait, asl.KindSucceed, asl.KindFail, asl.KindParallel, asl.KindMap} {
		entered[k] = string(k) + "StateEntered"
		exited[k] = string(k) + "StateExited"
	}
	for _, k := range []asl.Kind{asl.KindTask, asl.KindWait, asl.KindParallel, asl.KindMap} {
		aborted[k] = string(k) + "StateAborted"
	}
	return entered, exited, aborted
}()
