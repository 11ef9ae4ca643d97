package stepfunctions_test

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"milepost/local/awsapi"
	"milepost/local/stepfunctions"
	"milepost/local/storage"
)

// runner does tasks with a function.
type runner func(ctx context.Context, call stepfunctions.TaskCall) (json.RawMessage, error)

func (r runner) Run(ctx context.Context, call stepfunctions.TaskCall) (json.RawMessage, error) {
	return r(ctx, call)
}

func echo(_ context.Context, call stepfunctions.TaskCall) (json.RawMessage, error) {
	return call.Parameters, nil
}

// world is a service with one machine, which can be killed and started again.
type world struct {
	*stepfunctions.Service
	t       testing.TB
	config  stepfunctions.Config
	machine string
}

func newWorld(t testing.TB, definition string, config stepfunctions.Config) *world {
	t.Helper()
	w := &world{t: t, config: config}
	w.up()
	var err error
	w.machine, err = w.CreateStateMachine(stepfunctions.StateMachine{
		Name: "quote", Definition: definition, RoleARN: "arn:aws:iam::000000000000:role/quote", Tracing: true})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) up() {
	w.t.Helper()
	var err error
	if w.Service, err = stepfunctions.New(w.config); err != nil {
		w.t.Fatal(err)
	}
	if err := w.Service.Start(); err != nil {
		w.t.Fatal(err)
	}
}

// kill ends the service as a killed process would: Close stores nothing.
func (w *world) kill() { w.Close() }

func (w *world) start(name, input string) string {
	w.t.Helper()
	out, err := w.StartExecution(w.t.Context(), stepfunctions.StartExecutionInput{StateMachineARN: w.machine, Name: name, Input: input})
	if err != nil {
		w.t.Fatal(err)
	}
	return out.ExecutionARN
}

func (w *world) call(operation string, request map[string]any) (map[string]any, error) {
	w.t.Helper()
	body, _ := json.Marshal(request)
	answer, err := w.Call(w.t.Context(), operation, body)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(answer)
	if err != nil {
		w.t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		w.t.Fatal(err)
	}
	return got, nil
}

func (w *world) mustCall(operation string, request map[string]any) map[string]any {
	w.t.Helper()
	got, err := w.call(operation, request)
	if err != nil {
		w.t.Fatalf("%s: %v", operation, err)
	}
	return got
}

func (w *world) describe(arn string) map[string]any {
	w.t.Helper()
	return w.mustCall("DescribeExecution", map[string]any{"executionArn": arn})
}

func (w *world) history(arn string) []string {
	w.t.Helper()
	events := w.mustCall("GetExecutionHistory", map[string]any{"executionArn": arn, "maxResults": 1000})["events"].([]any)
	var kinds []string
	for i, e := range events {
		e := e.(map[string]any)
		if int(e["id"].(float64)) != i+1 {
			w.t.Errorf("event %d has the id %v", i+1, e["id"])
		}
		kinds = append(kinds, e["type"].(string))
	}
	return kinds
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	if e, ok := errors.AsType[*awsapi.Error](err); !ok || e.Code != code {
		t.Errorf("got the error %v, want %s", err, code)
	}
}

func wantStatus(t *testing.T, got map[string]any, status, output string) {
	t.Helper()
	if got["status"] != status || output != "" && got["output"] != output {
		t.Errorf("got %v with output %v, error %v, cause %v; want %s with %s",
			got["status"], got["output"], got["error"], got["cause"], status, output)
	}
}

func openStore(t testing.TB) *storage.Store {
	t.Helper()
	store, err := storage.Open(filepath.Join(t.TempDir(), "states.db"))
	if err != nil {
		t.Fatal(err)
	}
	return store
}

const passes = `{"StartAt":"A","States":{
	"A":{"Type":"Pass","Next":"B"},"B":{"Type":"Pass","Next":"C"},"C":{"Type":"Pass","End":true}}}`

const waits = `{"StartAt":"A","States":{"A":{"Type":"Wait","Seconds":86400,"End":true}}}`

const callback = `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke.waitForTaskToken",
	"Parameters":{"FunctionName":"await","Payload":{"token.$":"$$.Task.Token"}},"TimeoutSeconds":3600,"HeartbeatSeconds":600,"End":true}}}`

func TestStartingTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, waits, stepfunctions.Config{})
		defer w.kill()
		first := w.start("one", `{"a":1}`)
		if again := w.start("one", `{"a":1}`); again != first {
			t.Errorf("the same start returned %s, want %s", again, first)
		}
		request := map[string]any{"stateMachineArn": w.machine, "name": "one", "input": `{"a":2}`}
		_, err := w.call("StartExecution", request)
		wantCode(t, err, "ExecutionAlreadyExists")
		time.Sleep(25 * time.Hour)
		request["input"] = `{"a":1}`
		_, err = w.call("StartExecution", request)
		wantCode(t, err, "ExecutionAlreadyExists")
		time.Sleep(91 * 24 * time.Hour)
		w.start("one", `{"a":1}`) // the name is free again
	})
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passes, stepfunctions.Config{})
	defer w.kill()
	for _, test := range []struct {
		name, operation, body, code string
	}{
		{"a machine that does not exist", "StartExecution", `{"stateMachineArn":"arn:aws:states:us-east-1:000000000000:stateMachine:none"}`, "StateMachineDoesNotExist"},
		{"an ARN of something else", "StartExecution", `{"stateMachineArn":"arn:aws:sqs:us-east-1:000000000000:q"}`, "InvalidArn"},
		{"a version", "StartExecution", `{"stateMachineArn":"` + w.machine + `:1"}`, "NotImplemented"},
		{"a name with a space", "StartExecution", `{"stateMachineArn":"` + w.machine + `","name":"a b"}`, "InvalidName"},
		{"an input that is not JSON", "StartExecution", `{"stateMachineArn":"` + w.machine + `","input":"{"}`, "InvalidExecutionInput"},
		{"an execution that does not exist", "DescribeExecution", `{"executionArn":"arn:aws:states:us-east-1:000000000000:execution:quote:none"}`, "ExecutionDoesNotExist"},
		{"a token that was never issued", "SendTaskSuccess", `{"taskToken":"x","output":"{}"}`, "InvalidToken"},
		{"an output that is not JSON", "SendTaskSuccess", `{"taskToken":"x","output":"nope"}`, "InvalidOutput"},
		{"an express machine", "CreateStateMachine", `{"name":"e","type":"EXPRESS","definition":"{}","roleArn":"r"}`, "NotImplemented"},
		{"a definition that is not one", "CreateStateMachine", `{"name":"e","definition":"{}","roleArn":"r"}`, "InvalidDefinition"},
		{"another definition under a name that is taken", "CreateStateMachine", `{"name":"quote","definition":"{}","roleArn":"r"}`, "StateMachineAlreadyExists"},
		{"an operation that is not implemented", "TestState", `{}`, "NotImplemented"},
		{"a request member that is not known", "ListStateMachines", `{"sort":"up"}`, "NotImplemented"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := w.Call(t.Context(), test.operation, []byte(test.body))
			wantCode(t, err, test.code)
		})
	}
}

type denied struct{}

func (denied) Authorize(action, resource string) error {
	return fmt.Errorf("%s on %s is not allowed", action, resource)
}

// tokenOfNobody has the form of a token, and is of no execution.
var tokenOfNobody = base64.RawURLEncoding.EncodeToString([]byte("milepost-task\x00none\x00none\x00none"))

func TestCallersNeedPermission(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passes, stepfunctions.Config{})
	defer w.kill()
	ctx := awsapi.WithCaller(t.Context(), awsapi.Caller{Policy: denied{}})
	for operation, body := range map[string]string{
		"StartExecution":    `{"stateMachineArn":"` + w.machine + `"}`,
		"DescribeExecution": `{"executionArn":"arn:aws:states:us-east-1:000000000000:execution:quote:none"}`,
		"SendTaskSuccess":   `{"taskToken":"` + tokenOfNobody + `","output":"{}"}`,
		"ListStateMachines": `{}`,
	} {
		_, err := w.Call(ctx, operation, []byte(body))
		wantCode(t, err, "AccessDeniedException")
	}
}

func TestTaskTokens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tokens := make(chan string, 10)
		w := newWorld(t, callback, stepfunctions.Config{Tasks: runner(func(_ context.Context, call stepfunctions.TaskCall) (json.RawMessage, error) {
			tokens <- call.TaskToken
			return json.RawMessage(`{}`), nil
		})})
		defer w.kill()
		ctx := t.Context()

		arn := w.start("answered", "{}")
		token := <-tokens
		if err := w.SendTaskSuccess(ctx, token, `{"done":true}`); err != nil {
			t.Fatal(err)
		}
		wantCode(t, w.SendTaskSuccess(ctx, token, `{}`), "TaskTimedOut")
		synctest.Wait()
		wantStatus(t, w.describe(arn), "SUCCEEDED", `{"done":true}`)
		wantCode(t, w.SendTaskFailure(ctx, token, nil, nil), "TaskTimedOut")

		arn = w.start("silent", "{}")
		token = <-tokens
		time.Sleep(11 * time.Minute)
		if got := w.describe(arn); got["error"] != "States.Timeout" {
			t.Errorf("without a heartbeat got %v", got)
		}
		wantCode(t, w.SendTaskHeartbeat(ctx, token), "TaskTimedOut")

		arn = w.start("beating", "{}")
		token = <-tokens
		for range 6 {
			time.Sleep(9 * time.Minute)
			if err := w.SendTaskHeartbeat(ctx, token); err != nil {
				t.Fatal(err)
			}
		}
		wantStatus(t, w.describe(arn), "RUNNING", "")
		time.Sleep(7 * time.Minute) // the hour is over
		wantStatus(t, w.describe(arn), "FAILED", "")
	})
}

func TestStopping(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, waits, stepfunctions.Config{})
		defer w.kill()
		arn := w.start("one", "{}")
		w.mustCall("StopExecution", map[string]any{"executionArn": arn, "error": "E", "cause": "C"})
		got := w.describe(arn)
		wantStatus(t, got, "ABORTED", "")
		if got["error"] != "E" || got["cause"] != "C" {
			t.Errorf("got %v", got)
		}
		want := []string{"ExecutionStarted", "WaitStateEntered", "ExecutionAborted"}
		if kinds := w.history(arn); !slices.Equal(kinds, want) {
			t.Errorf("got %v, want %v", kinds, want)
		}
		w.mustCall("StopExecution", map[string]any{"executionArn": arn})
	})
}

// TestCutShort has executions that end in the middle of their states: their last event follows none of those, and the
// states themselves have no end in the history.
func TestCutShort(t *testing.T) {
	t.Parallel()
	wait := `{"Type":"Wait","Seconds":3600,"End":true}`
	for name, body := range map[string]string{
		"in a state":    `"StartAt":"W","States":{"W":` + wait + `}`,
		"in a branch":   `"StartAt":"P","States":{"P":{"Type":"Parallel","End":true,"Branches":[{"StartAt":"W","States":{"W":` + wait + `}}]}}`,
		"in an element": `"StartAt":"M","States":{"M":{"Type":"Map","ItemsPath":"$","End":true,"ItemProcessor":{"StartAt":"W","States":{"W":` + wait + `}}}}`,
	} {
		for how, want := range map[string]string{
			"timed out":             `{"error":"States.Timeout"}`,
			"stopped":               `{}`,
			"stopped with a reason": `{"cause":"C","error":"E"}`,
		} {
			t.Run(name+", "+how, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, `{"TimeoutSeconds":60,`+body+`}`, stepfunctions.Config{})
					defer w.kill()
					arn := w.start("one", "[1]")
					stop := map[string]any{"executionArn": arn}
					switch how {
					case "timed out":
						time.Sleep(61 * time.Second)
					case "stopped with a reason":
						stop["error"], stop["cause"] = "E", "C"
						fallthrough
					default:
						w.mustCall("StopExecution", stop)
					}
					synctest.Wait()
					events := w.mustCall("GetExecutionHistory", map[string]any{"executionArn": arn})["events"].([]any)
					for _, e := range events {
						if kind := e.(map[string]any)["type"].(string); strings.HasSuffix(kind, "StateAborted") {
							t.Errorf("the history has a %s", kind)
						}
					}
					last := events[len(events)-1].(map[string]any)
					details, _ := json.Marshal(cmp.Or(last["executionTimedOutEventDetails"], last["executionAbortedEventDetails"]))
					if fmt.Sprint(last["previousEventId"]) != "0" || string(details) != want {
						t.Errorf("the last event is %v, want it to follow 0 with %s", last, want)
					}
					if got := w.describe(arn); how != "stopped with a reason" && got["error"] != nil {
						t.Errorf("the execution has the error %v", got["error"])
					}
				})
			})
		}
	}
}

func TestListing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, passes, stepfunctions.Config{Keep: 4})
		defer w.kill()
		for i := range 6 {
			w.start(fmt.Sprint("x", i), "{}")
			synctest.Wait()
			time.Sleep(time.Second)
		}
		var names []string
		request := map[string]any{"stateMachineArn": w.machine, "maxResults": 3, "statusFilter": "SUCCEEDED"}
		for {
			got := w.mustCall("ListExecutions", request)
			for _, e := range got["executions"].([]any) {
				names = append(names, e.(map[string]any)["name"].(string))
			}
			if request["nextToken"] = got["nextToken"]; got["nextToken"] == nil {
				break
			}
		}
		for _, member := range []string{"statusFilter", "redriveFilter"} {
			_, err := w.call("ListExecutions", map[string]any{"stateMachineArn": w.machine, member: "BOGUS"})
			if wantCode(t, err, "ValidationException"); err != nil && !strings.Contains(err.Error(), member) {
				t.Errorf("%s: %v, want an error that names it", member, err)
			}
		}
		if want := []string{"x5", "x4", "x3", "x2"}; !slices.Equal(names, want) {
			t.Errorf("got %v, want %v", names, want)
		}

		arn := awsapi.ARN("states", "execution:quote:x5")
		request = map[string]any{"executionArn": arn, "maxResults": 3, "reverseOrder": true, "includeExecutionData": false}
		got := w.mustCall("GetExecutionHistory", request)
		first := got["events"].([]any)[0].(map[string]any)
		if first["type"] != "ExecutionSucceeded" || first["executionSucceededEventDetails"] != nil {
			t.Errorf("the newest event is %v", first)
		}
		request["nextToken"] = got["nextToken"]
		second := w.mustCall("GetExecutionHistory", request)["events"].([]any)[0].(map[string]any)
		if second["id"].(float64) != first["id"].(float64)-3 {
			t.Errorf("the second page begins with %v after %v", second["id"], first["id"])
		}
	})
}

func TestUpdatingKeepsRunningExecutions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, waits, stepfunctions.Config{Store: openStore(t)})
		arn := w.start("old", "{}")
		if _, err := w.CreateStateMachine(stepfunctions.StateMachine{Name: "quote", Definition: passes}); err != nil {
			t.Fatal(err)
		}
		w.kill()
		w.up()
		defer w.kill()
		if got := w.mustCall("DescribeStateMachineForExecution", map[string]any{"executionArn": arn}); got["definition"] != waits {
			t.Errorf("it follows %v", got["definition"])
		}
		time.Sleep(25 * time.Hour)
		wantStatus(t, w.describe(arn), "SUCCEEDED", "{}")
	})
}

// everything has every way to wait at once.
const everything = `{"StartAt":"First","States":{
	"First":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:first","Assign":{"seen.$":"$.n"},"ResultPath":"$.first","Next":"Both"},
	"Both":{"Type":"Parallel","Next":"Last","ResultPath":"$.both","Branches":[
		{"StartAt":"Answer","States":{"Answer":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke.waitForTaskToken",
			"Parameters":{"FunctionName":"await","Payload":{"token.$":"$$.Task.Token"}},"End":true}}},
		{"StartAt":"Pause","States":{"Pause":{"Type":"Wait","Seconds":3600,"Next":"Each"},
			"Each":{"Type":"Map","ItemsPath":"$.list","MaxConcurrency":1,"ItemSelector":{"v.$":"$$.Map.Item.Value"},"End":true,"ItemProcessor":{
				"StartAt":"Flaky","States":{"Flaky":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:flaky",
					"Retry":[{"ErrorEquals":["Flaky"],"IntervalSeconds":60}],"End":true}}}}}}]},
	"Last":{"Type":"Pass","Parameters":{"seen.$":"$seen","both.$":"$.both"},"End":true}}}`

func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const output = `{"both":[{"answer":1},[{"v":1},{"v":2}]],"seen":7}`
		var quiet []string
		for _, every := range []time.Duration{0, 7 * time.Second, 31 * time.Second, 17 * time.Minute} {
			var mu sync.Mutex
			token, failed := "", map[string]bool{}
			tasks := runner(func(_ context.Context, call stepfunctions.TaskCall) (json.RawMessage, error) {
				mu.Lock()
				defer mu.Unlock()
				switch {
				case call.TaskToken != "":
					token = call.TaskToken
					return json.RawMessage(`{}`), nil
				case strings.HasSuffix(call.Resource, "first"):
					return json.RawMessage(`{"n":7}`), nil
				case !failed[string(call.Parameters)]:
					failed[string(call.Parameters)] = true
					return nil, &stepfunctions.TaskError{Name: "Flaky"}
				}
				return call.Parameters, nil
			})
			store := openStore(t)
			w := newWorld(t, everything, stepfunctions.Config{Store: store, Tasks: tasks})
			arn := w.start("one", `{"list":[1,2]}`)
			if every == 0 {
				synctest.Wait()
				every = 24 * time.Hour // not killed at all
			}
			begun := time.Now()
			answered := false
			for time.Since(begun) < 2*time.Hour {
				pause := min(every, 2*time.Hour)
				if every == 7*time.Second && time.Since(begun) < 59*time.Minute {
					pause = 59 * time.Minute
				}
				time.Sleep(pause)
				synctest.Wait()
				if !answered {
					answered = true
					if err := w.SendTaskSuccess(t.Context(), token, `{"answer":1}`); err != nil {
						t.Fatal(err)
					}
				}
				w.kill()
				w.up()
			}
			synctest.Wait()
			wantStatus(t, w.describe(arn), "SUCCEEDED", output)
			kinds := w.history(arn)
			slices.Sort(kinds)
			if quiet == nil {
				quiet = kinds
			}
			if !slices.Equal(kinds, quiet) {
				t.Errorf("killed every %v the history is\n%v, otherwise\n%v", every, kinds, quiet)
			}
			w.kill()
			store.Close()
		}
	})
}

func TestAnAnswerInsideTheTaskSurvives(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := openStore(t)
		defer store.Close()
		var w *world
		w = newWorld(t, callback, stepfunctions.Config{Store: store, Tasks: runner(func(ctx context.Context, call stepfunctions.TaskCall) (json.RawMessage, error) {
			if err := w.SendTaskSuccess(ctx, call.TaskToken, `"early"`); err != nil {
				t.Error(err)
			}
			<-ctx.Done() // killed before the task returns
			return nil, ctx.Err()
		})})
		arn := w.start("one", "{}")
		synctest.Wait()
		w.kill()
		w.up()
		defer w.kill()
		synctest.Wait()
		wantStatus(t, w.describe(arn), "SUCCEEDED", `"early"`)
	})
}

// TestAnAnswerInsideABranchSurvives has the first branch answered but not handed over when the process
// is killed, and the second done.
func TestAnAnswerInsideABranchSurvives(t *testing.T) {
	t.Parallel()
	branches := `{"StartAt":"P","States":{"P":{"Type":"Parallel","End":true,"Branches":[` + callback + `,` + strings.ReplaceAll(callback, `"A"`, `"B"`) + `]}}}`
	synctest.Test(t, func(t *testing.T) {
		store := openStore(t)
		defer store.Close()
		var w *world
		var calls atomic.Int32
		w = newWorld(t, branches, stepfunctions.Config{Store: store, Tasks: runner(func(ctx context.Context, call stepfunctions.TaskCall) (json.RawMessage, error) {
			calls.Add(1)
			if err := w.SendTaskSuccess(ctx, call.TaskToken, `"early"`); err != nil {
				t.Error(err)
			}
			if call.State == "A" {
				<-ctx.Done() // killed before the task returns
				return nil, ctx.Err()
			}
			return json.RawMessage(`{}`), nil
		})})
		arn := w.start("one", "{}")
		synctest.Wait()
		w.kill()
		w.up()
		defer w.kill()
		synctest.Wait()
		wantStatus(t, w.describe(arn), "SUCCEEDED", `["early","early"]`)
		if n := calls.Load(); n != 2 {
			t.Errorf("%d tasks were started, want 2", n)
		}
	})
}

func TestHistoryIsLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, `{"StartAt":"A","States":{"A":{"Type":"Parallel","Next":"A2","Branches":[{"StartAt":"B","States":{"B":{"Type":"Pass","End":true}}}]},
			"A2":{"Type":"Choice","Choices":[{"Variable":"$","IsPresent":true,"Next":"A3"}],"Default":"A3"},
			"A3":{"Type":"Pass","Result":{},"Next":"A"}}}`, stepfunctions.Config{})
		defer w.kill()
		arn := w.start("one", "{}")
		synctest.Wait()
		got := w.describe(arn)
		wantStatus(t, got, "FAILED", "")
		last := w.mustCall("GetExecutionHistory", map[string]any{"executionArn": arn, "maxResults": 1, "reverseOrder": true})["events"].([]any)[0].(map[string]any)
		if last["id"] != 25000.0 || last["type"] != "ExecutionFailed" {
			t.Errorf("the last event is %v", last)
		}
	})
}

func TestTraces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var segments []map[string]any
		var header string
		w := newWorld(t, `{"StartAt":"P","States":{"P":{"Type":"Parallel","Next":"T","Branches":[{"StartAt":"B","States":{"B":{"Type":"Pass","End":true}}}]},
			"T":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:f","End":true}}}`, stepfunctions.Config{
			Segments: func(s map[string]any) { segments = append(segments, s) },
			Tasks: runner(func(ctx context.Context, call stepfunctions.TaskCall) (json.RawMessage, error) {
				header = awsapi.TraceHeader(ctx)
				return call.Parameters, nil
			})})
		defer w.kill()
		ctx := awsapi.WithTraceHeader(t.Context(), "Root=1-00000000-000000000000000000000000;Parent=0123456789abcdef;Sampled=1")
		if _, err := w.StartExecution(ctx, stepfunctions.StartExecutionInput{StateMachineARN: w.machine}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(segments) != 2 || segments[0]["in_progress"] != true {
			t.Fatalf("got the segments %v", segments)
		}
		s := segments[1]
		if s["parent_id"] != "0123456789abcdef" || s["name"] != "quote" || s["origin"] != "AWS::StepFunctions::StateMachine" || s["id"] != segments[0]["id"] {
			t.Errorf("got %v", s)
		}
		states := s["subsegments"].([]any)
		if len(states) != 2 {
			t.Fatalf("got the subsegments %v", states)
		}
		parallel, task := states[0].(map[string]any), states[1].(map[string]any)
		if inner := parallel["subsegments"].([]any); parallel["name"] != "P" || inner[0].(map[string]any)["name"] != "B" {
			t.Errorf("got %v", parallel)
		}
		if want := "Parent=" + task["id"].(string) + ";"; !strings.Contains(header, want) {
			t.Errorf("the task was called with %s, want %s", header, want)
		}
	})
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:f","Next":"B"},"B":{"Type":"Pass","End":true}}}`,
		stepfunctions.Config{Store: openStore(t), Tasks: runner(echo)})
	defer w.kill()
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for j := range 20 {
				// Every name twice, the second time perhaps while the first still runs.
				_, err := w.StartExecution(t.Context(), stepfunctions.StartExecutionInput{StateMachineARN: w.machine, Name: fmt.Sprintf("x-%d-%d", i, j/2)})
				if err != nil && awsapi.AsError(err).Code != "ExecutionAlreadyExists" {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
}

func benchmarkPasses(b *testing.B, start func(w *world)) {
	w := newWorld(b, passes, stepfunctions.Config{Keep: 1000})
	defer w.kill()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			start(w)
		}
	})
}

func BenchmarkStartExecution(b *testing.B) {
	in := stepfunctions.StartExecutionInput{Input: `{"quoteId":"01J","vehicles":[{"vin":"1HGCM82633A004352"}]}`}
	benchmarkPasses(b, func(w *world) {
		in := in
		in.StateMachineARN = w.machine
		if _, err := w.StartExecution(b.Context(), in); err != nil {
			b.Fatal(err)
		}
	})
}

func BenchmarkCallStartExecution(b *testing.B) {
	benchmarkPasses(b, func(w *world) {
		body := `{"stateMachineArn":"` + w.machine + `","input":"{\"quoteId\":\"01J\",\"vehicles\":[{\"vin\":\"1HGCM82633A004352\"}]}"}`
		answer, err := w.Call(b.Context(), "StartExecution", []byte(body))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := json.Marshal(answer); err != nil {
			b.Fatal(err)
		}
	})
}

func BenchmarkStoredExecution(b *testing.B) {
	w := newWorld(b, passes, stepfunctions.Config{Store: openStore(b)})
	defer w.kill()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := w.StartExecution(b.Context(), stepfunctions.StartExecutionInput{StateMachineARN: w.machine}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func TestAnAnswerDuringShutdownIsNotLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := openStore(t)
		defer store.Close()
		var token string
		w := newWorld(t, callback, stepfunctions.Config{Store: store, Tasks: runner(func(_ context.Context, call stepfunctions.TaskCall) (json.RawMessage, error) {
			token = call.TaskToken
			return json.RawMessage(`{}`), nil
		})})
		arn := w.start("one", "{}")
		synctest.Wait()
		w.kill()
		// TaskTimedOut would tell the caller that there is nothing left to do.
		if err := w.SendTaskSuccess(t.Context(), token, `1`); err == nil || awsapi.AsError(err).Status != 500 {
			t.Errorf("got %v, want an internal error", err)
		}
		w.up()
		defer w.kill()
		if err := w.SendTaskSuccess(t.Context(), token, `1`); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		wantStatus(t, w.describe(arn), "SUCCEEDED", "1")
	})
}
