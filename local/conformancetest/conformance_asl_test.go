package conformancetest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"milepost/local/awsapi"
	"milepost/local/conformancetest"
	"milepost/local/stepfunctions"
	"milepost/local/stepfunctions/asl"
)

// coreFamilies are those that the local runtime promises to answer as AWS does.
var coreFamilies = []string{"base", "choice", "context_object", "error_handling", "lambda_task", "callback",
	"parallel", "wait", "timeouts", "intrinsics", "variables", "map"}

// coreShare is how much of the core families has to pass.
const coreShare = 0.97

// TestConformanceStatesLanguage runs the state machines that were recorded on AWS and compares
// their results and histories.
func TestConformanceStatesLanguage(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("CONFORMANCE_DIR")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "conformance")
	}
	files, _ := filepath.Glob(filepath.Join(dir, "asl", "*.json"))
	if len(files) == 0 {
		t.Skipf("there are no recorded cases in %s; CONFORMANCE_DIR names another place", dir)
	}
	tally := map[string]*struct{ passed, total int }{}
	var failures []string
	for _, file := range files {
		for _, c := range readCases(t, file) {
			family := c.Family
			if c.usesJSONata() {
				family += "_jsonata"
			}
			if tally[family] == nil {
				tally[family] = &struct{ passed, total int }{}
			}
			tally[family].total++
			var failure error
			synctest.Test(t, func(t *testing.T) { failure = c.run(t.Context()) })
			if failure == nil {
				tally[family].passed++
			} else {
				failures = append(failures, fmt.Sprintf("%s %s: %v", family, c.Name, failure))
			}
		}
	}
	for _, f := range failures {
		t.Log(f)
	}
	passed, total := 0, 0
	for _, family := range slices.Sorted(maps.Keys(tally)) {
		n := tally[family]
		t.Logf("conformance %s %d/%d", family, n.passed, n.total)
		if slices.Contains(coreFamilies, family) {
			passed, total = passed+n.passed, total+n.total
		}
	}
	t.Logf("conformance core families together %d/%d", passed, total)
	if float64(passed) < coreShare*float64(total) {
		t.Errorf("%d of %d core cases pass; want %.0f %%", passed, total, 100*coreShare)
	}
}

// aslCase is one recorded case.
type aslCase struct {
	Name, Family, Kind, Type string
	Recorded                 string // the day
	Definition               json.RawMessage
	DefinitionText           string
	Input                    json.RawMessage
	Lambdas                  map[string]lambdaMock
	Tasks                    map[string]taskMock
	StateMachines            map[string]json.RawMessage
	Activities               map[string]any
	Expect                   expectation
}

type lambdaMock struct {
	Behaviour, ErrorType, ErrorMessage, PayloadText, Text string
	Value                                                 json.RawMessage
	Seconds, Count                                        int
}

type taskMock struct {
	Response map[string]any
	Callback struct {
		Action, OutputFrom string
		Error, Cause       *string
	}
}

type expectation struct {
	Status                  string
	Output                  json.RawMessage
	Error, Cause            any
	History                 []any
	HistoryPreviousIDs      []any `json:"historyPreviousIds"`
	HistoryDetails          []any
	HistoryUnordered        []any
	HistoryDetailsUnordered []any

	CreateError, Message string

	Result      string
	Diagnostics any
	Truncated   any
}

func readCases(t *testing.T, file string) []*aslCase {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var cases []*aslCase
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return cases
}

func (c *aslCase) usesJSONata() bool {
	return bytes.Contains(c.Definition, []byte("JSONata")) || strings.Contains(c.DefinitionText, "JSONata")
}

func (c *aslCase) text() string {
	if c.DefinitionText != "" {
		return c.DefinitionText
	}
	return string(c.Definition)
}

// recorded is a time after all recordings, so that times that were past are past.
var recorded = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func (c *aslCase) run(ctx context.Context) error {
	time.Sleep(time.Until(recorded))
	mocks := &aslMocks{aslCase: c}
	service, err := stepfunctions.New(stepfunctions.Config{Tasks: mocks})
	if err != nil {
		return err
	}
	defer service.Close()
	mocks.service = service
	switch c.Kind {
	case "execution":
		return c.runExecution(ctx, service)
	case "create":
		_, err := service.CreateStateMachine(c.machine("tested", c.text()))
		e := awsapi.AsError(cmpErr(err))
		return conformancetest.Compare(
			map[string]any{"error": c.Expect.CreateError, "message": c.Expect.Message},
			map[string]any{"error": e.Code, "message": e.Message})
	case "validate":
		var got struct {
			Result                 string
			Diagnostics, Truncated any
		}
		if err := call(ctx, service, "ValidateStateMachineDefinition", map[string]any{"definition": c.text()}, &got); err != nil {
			return err
		}
		return conformancetest.Compare(
			[]any{c.Expect.Result, c.Expect.Diagnostics, c.Expect.Truncated},
			[]any{got.Result, got.Diagnostics, got.Truncated})
	}
	return fmt.Errorf("cases of kind %s are not supported", c.Kind)
}

func cmpErr(err error) error {
	if err == nil {
		return errors.New("it was accepted")
	}
	return err
}

func (c *aslCase) machine(name, definition string) stepfunctions.StateMachine {
	return stepfunctions.StateMachine{Name: name, Definition: definition, Type: c.Type, RoleARN: "arn:aws:iam::" + awsapi.Account + ":role/states"}
}

func (c *aslCase) runExecution(ctx context.Context, service *stepfunctions.Service) error {
	if len(c.Activities) > 0 {
		return errors.New("activities are not supported")
	}
	for arn, definition := range c.StateMachines {
		name := arn[strings.LastIndexByte(arn, ':')+1:]
		if _, err := service.CreateStateMachine(c.machine(name, string(definition))); err != nil {
			return err
		}
	}
	arn, err := service.CreateStateMachine(c.machine("tested", c.text()))
	if err != nil {
		return err
	}
	started, err := service.StartExecution(ctx, stepfunctions.StartExecutionInput{StateMachineARN: arn, Input: string(c.Input)})
	if err != nil {
		return err
	}
	for range 24 * 60 * 60 {
		var got map[string]any
		if err := call(ctx, service, "DescribeExecution", map[string]any{"executionArn": started.ExecutionARN}, &got); err != nil {
			return err
		}
		if got["status"] != "RUNNING" {
			return c.compare(ctx, service, got)
		}
		time.Sleep(time.Second)
	}
	return errors.New("the execution does not end within a day")
}

func (c *aslCase) compare(ctx context.Context, service *stepfunctions.Service, got map[string]any) error {
	decodeMembers(got, "output")
	for _, each := range []struct {
		name     string
		expected any
	}{{"status", c.Expect.Status}, {"error", c.Expect.Error}, {"cause", c.Expect.Cause}} {
		if each.expected == nil && each.name != "status" {
			if got[each.name] != nil && c.Expect.Status == "FAILED" {
				return fmt.Errorf("%s: got %v, want none", each.name, got[each.name])
			}
			continue
		}
		if err := conformancetest.Compare(each.expected, got[each.name]); err != nil {
			return fmt.Errorf("%s (cause %v): %w", each.name, got["cause"], err)
		}
	}
	if c.Expect.Output != nil {
		var want any
		if err := json.Unmarshal(c.Expect.Output, &want); err != nil {
			return err
		}
		if err := conformancetest.Compare(want, got["output"]); err != nil {
			return fmt.Errorf("output: %w", err)
		}
	}
	return c.compareHistory(ctx, service, got["executionArn"])
}

func (c *aslCase) compareHistory(ctx context.Context, service *stepfunctions.Service, arn any) error {
	var history struct{ Events []map[string]any }
	err := call(ctx, service, "GetExecutionHistory", map[string]any{"executionArn": arn, "maxResults": 1000}, &history)
	if err != nil {
		return err
	}
	var kinds, previous, details []any
	for _, e := range history.Events {
		kinds, previous = append(kinds, e["type"]), append(previous, e["previousEventId"])
		for _, name := range []string{"id", "previousEventId", "timestamp"} {
			delete(e, name)
		}
		for _, block := range e {
			if block, ok := block.(map[string]any); ok {
				tidyDetails(block)
			}
		}
		details = append(details, e)
	}
	if c.Expect.History != nil {
		if err := conformancetest.Compare(c.Expect.History, kinds); err != nil {
			return fmt.Errorf("history: %w", err)
		}
	}
	if c.Expect.HistoryPreviousIDs != nil {
		if err := conformancetest.Compare(c.previousIDs(), previous); err != nil {
			return fmt.Errorf("previousEventId: %w", err)
		}
	}
	for i := range c.Expect.HistoryDetails {
		if err := conformancetest.Compare(c.Expect.HistoryDetails[i], details[i]); err != nil {
			return fmt.Errorf("event %d: %w", i+1, err)
		}
	}
	if err := compareMultiset(c.Expect.HistoryUnordered, kinds); err != nil {
		return err
	}
	return compareMultiset(c.Expect.HistoryDetailsUnordered, details)
}

// mapRunLinked is the day since which, in all recordings, what follows a distributed Map state follows the
// beginning of its Map Run. Until then it followed the end.
const mapRunLinked = "2024-11-14"

// previousIDs are the recorded ones as AWS returns them today.
func (c *aslCase) previousIDs() []any {
	ids := slices.Clone(c.Expect.HistoryPreviousIDs)
	for i, kind := range c.Expect.History {
		if c.Recorded < mapRunLinked && kind == "MapStateExited" && c.Expect.History[i-2] == "MapRunSucceeded" {
			ids[i] = ids[i].(float64) - 1
		}
	}
	return ids
}

// tidyDetails puts the details of an event into the form of the recordings.
func tidyDetails(block map[string]any) {
	for _, name := range []string{"inputDetails", "outputDetails", "assignedVariablesDetails"} {
		delete(block, name)
	}
	decodeMembers(block, "input", "output", "parameters")
	if variables, ok := block["assignedVariables"].(map[string]any); ok {
		decodeMembers(variables, slices.Collect(maps.Keys(variables))...)
	}
}

// decodeMembers replaces members that hold JSON texts by the values.
func decodeMembers(object map[string]any, names ...string) {
	for _, name := range names {
		if text, ok := object[name].(string); ok {
			object[name] = jsonValue(text)
		}
	}
}

func jsonValue(text string) any {
	var v any
	if json.Unmarshal([]byte(text), &v) != nil {
		return text
	}
	return v
}

func compareMultiset(expected, actual []any) error {
	if expected == nil {
		return nil
	}
	if len(expected) != len(actual) {
		return fmt.Errorf("%d events, want %d", len(actual), len(expected))
	}
	left := slices.Clone(actual)
	for _, want := range expected {
		i := slices.IndexFunc(left, func(got any) bool { return conformancetest.Compare(want, got) == nil })
		if i < 0 {
			return fmt.Errorf("no event is like %v", want)
		}
		left = slices.Delete(left, i, i+1)
	}
	return nil
}

func call(ctx context.Context, service *stepfunctions.Service, operation string, request, response any) error {
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	answer, err := service.Call(ctx, operation, body)
	if err != nil {
		return err
	}
	text, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, response)
}

// aslMocks does the tasks of a case as it says.
type aslMocks struct {
	*aslCase
	service *stepfunctions.Service
}

var sdkMetadata = map[string]any{"HttpStatusCode": 200}

func (m *aslMocks) Run(ctx context.Context, call stepfunctions.TaskCall) (json.RawMessage, error) {
	if call.Service == "lambda" && call.Action == "" {
		return m.invoke(ctx, call.Resource, call.Parameters)
	}
	if call.Service == "lambda" {
		return m.invokeIntegration(ctx, call.Parameters)
	}
	if call.Service == "states" {
		return m.startExecution(ctx, call.Parameters)
	}
	mock, ok := m.Tasks["arn:aws:states:::"+call.Service+":"+call.Action]
	if !ok {
		return nil, awsapi.Unsupported(call.Resource)
	}
	if call.TaskToken != "" {
		if err := m.callBack(ctx, mock, call); err != nil {
			return nil, err
		}
	}
	response := maps.Clone(mock.Response)
	response["SdkHttpMetadata"], response["SdkResponseMetadata"] = sdkMetadata, sdkMetadata
	return json.Marshal(response)
}

func (m *aslMocks) callBack(ctx context.Context, mock taskMock, call stepfunctions.TaskCall) error {
	switch mock.Callback.Action {
	case "success":
		path, err := asl.ParsePath(mock.Callback.OutputFrom)
		if err != nil {
			return err
		}
		v, err := path.Eval(&asl.Env{Input: asl.FromText(string(call.Parameters))}, "outputFrom")
		if err != nil {
			return err
		}
		return m.service.SendTaskSuccess(ctx, call.TaskToken, asl.Encode(v))
	case "failure":
		return m.service.SendTaskFailure(ctx, call.TaskToken, mock.Callback.Error, mock.Callback.Cause)
	}
	return nil
}

func (m *aslMocks) invokeIntegration(ctx context.Context, parameters json.RawMessage) (json.RawMessage, error) {
	var request struct {
		FunctionName string
		Payload      json.RawMessage
	}
	if err := json.Unmarshal(parameters, &request); err != nil {
		return nil, err
	}
	payload := request.Payload
	if len(payload) == 0 || string(payload) == "null" {
		payload = json.RawMessage("{}")
	}
	var text string
	if json.Unmarshal(payload, &text) == nil && json.Valid([]byte(text)) {
		payload = json.RawMessage(text) // a text is sent as it is
	}
	result, err := m.invoke(ctx, request.FunctionName, payload)
	if err != nil {
		return nil, err
	}
	return json.Marshal(map[string]any{"ExecutedVersion": "$LATEST", "Payload": result, "StatusCode": 200,
		"SdkHttpMetadata": sdkMetadata, "SdkResponseMetadata": sdkMetadata})
}

func (m *aslMocks) invoke(ctx context.Context, name string, payload json.RawMessage) (json.RawMessage, error) {
	arn := name
	if !strings.HasPrefix(arn, "arn:") {
		arn = awsapi.ARN("lambda", "function:"+name)
	}
	mock, ok := m.Lambdas[arn]
	if !ok {
		return nil, &stepfunctions.TaskError{Name: "Lambda.ResourceNotFoundException", Cause: "Function not found: " + arn +
			":$LATEST (Service: AWSLambda; Status Code: 404; Error Code: ResourceNotFoundException; Request ID: 1; Proxy: null)"}
	}
	switch mock.Behaviour {
	case "echo":
		return payload, nil
	case "return":
		return mock.Value, nil
	case "raise":
		return nil, &stepfunctions.TaskError{Name: mock.ErrorType, Cause: mock.PayloadText}
	case "sleepThenEcho":
		select {
		case <-time.After(time.Duration(mock.Seconds) * time.Second):
			return payload, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	case "returnRepeated":
		return json.Marshal(strings.Repeat(mock.Text, mock.Count))
	}
	return nil, awsapi.Unsupported("the behaviour " + mock.Behaviour)
}

func (m *aslMocks) startExecution(ctx context.Context, parameters json.RawMessage) (json.RawMessage, error) {
	var request struct {
		StateMachineArn, Name string
		Input                 json.RawMessage
	}
	if err := json.Unmarshal(parameters, &request); err != nil {
		return nil, err
	}
	out, err := m.service.StartExecution(ctx, stepfunctions.StartExecutionInput{
		StateMachineARN: request.StateMachineArn, Name: request.Name, Input: string(request.Input)})
	if err != nil {
		e := awsapi.AsError(err)
		return nil, &stepfunctions.TaskError{Name: "StepFunctions." + e.Code + "Exception",
			Cause: fmt.Sprintf("%s (Service: AWSStepFunctions; Status Code: 400; Error Code: %s; Request ID: 1; Proxy: null)", e.Message, e.Code)}
	}
	return json.Marshal(map[string]any{"ExecutionArn": out.ExecutionARN, "StartDate": out.StartDate,
		"SdkHttpMetadata": sdkMetadata, "SdkResponseMetadata": sdkMetadata})
}
