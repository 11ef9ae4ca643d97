package stepfunctions_test

import (
	"encoding/json"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"milepost/local/stepfunctions"
)

// pages has what was written to streams of groups.
type pages map[string]*strings.Builder

func (p pages) writer(group, stream string) io.Writer {
	at := group + " " + stream
	if p[at] == nil {
		p[at] = &strings.Builder{}
	}
	return p[at]
}

const (
	failing = `{"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Fail", "Error": "E", "Cause": "c"}}}`
	group   = `"destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": "arn:aws:logs:us-east-1:000000000000:log-group:runs:*"}}]`
)

func TestAMachinesLoggingSelectsEvents(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ logging, want string }{
		"all":          {`{"level": "ALL", "includeExecutionData": true, ` + group + `}`, "ExecutionStarted PassStateEntered PassStateExited FailStateEntered ExecutionFailed"},
		"errors":       {`{"level": "ERROR", ` + group + `}`, "ExecutionFailed"},
		"fatal ones":   {`{"level": "FATAL", ` + group + `}`, "ExecutionFailed"},
		"off":          {`{"level": "OFF"}`, ""},
		"without data": {`{"level": "ALL", "includeExecutionData": false, ` + group + `}`, "ExecutionStarted PassStateEntered PassStateExited FailStateEntered ExecutionFailed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				written := pages{}
				w := newWorld(t, failing, stepfunctions.Config{Lines: written.writer})
				defer w.Close()
				if _, err := w.CreateStateMachine(stepfunctions.StateMachine{
					Name: "quote", Definition: failing, RoleARN: "arn:aws:iam::000000000000:role/quote", Logging: json.RawMessage(test.logging)}); err != nil {
					t.Fatal(err)
				}
				arn := w.start("one", `{"a":1}`)
				synctest.Wait()
				var types []string
				for at, text := range written {
					if at != "runs states/quote/2000-01-01-00-00" {
						t.Errorf("written to %s", at)
					}
					for line := range strings.Lines(text.String()) {
						var got struct {
							ID, Type, Previous_event_id, Event_timestamp, Execution_arn, Redrive_count string
							Details                                                                    map[string]any
						}
						if err := json.Unmarshal([]byte(line), &got); err != nil {
							t.Fatal(err)
						}
						types = append(types, got.Type)
						if got.Execution_arn != arn || got.Event_timestamp != "946684800000" || got.Redrive_count != "0" || got.ID == "" || got.Previous_event_id == "" {
							t.Errorf("line %s", line)
						}
						if got.Type == "ExecutionStarted" && (got.ID != "1" || got.Previous_event_id != "0" || got.Details["roleArn"] == nil ||
							(got.Details["input"] == `{"a":1}`) != strings.Contains(test.logging, "true")) {
							t.Errorf("line %s", line)
						}
						if got.Type == "ExecutionFailed" && (got.ID != "5" || got.Details["error"] != "E") {
							t.Errorf("line %s", line)
						}
					}
				}
				if got := strings.Join(types, " "); got != test.want {
					t.Errorf("logged %s, want %s", got, test.want)
				}
			})
		})
	}
}

func TestLoggingThatIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, failing, stepfunctions.Config{})
	defer w.Close()
	for logging, code := range map[string]string{
		`{"level": "SOME"}`: "ValidationException",
		`{"level": "ALL"}`:  "InvalidLoggingConfiguration",
		`{"level": "ALL", "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": "arn:aws:logs:us-east-1:000000000000:log-group:runs"}}]}`: "InvalidLoggingConfiguration",
		`{"level": "OFF", "color": "red"}`: "NotImplemented",
	} {
		_, err := w.call("UpdateStateMachine", map[string]any{"stateMachineArn": w.machine, "loggingConfiguration": json.RawMessage(logging)})
		wantCode(t, err, code)
	}
}
