package stepfunctions

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"

	"milepost/local/awsapi"
	"milepost/local/stepfunctions/asl"
	"milepost/local/storage"
)

var _ awsapi.Service = (*Service)(nil)

// Call answers one operation of the API.
func (s *Service) Call(ctx context.Context, operation string, body []byte) (any, error) {
	return operations.Call(ctx, s, "Step Functions", operation, body)
}

// nothing answers an operation that has no result.
var nothing = awsapi.Raw("{}")

var operations = awsapi.Operations[*Service]{
	"CreateStateMachine":               awsapi.Operation(createStateMachine),
	"UpdateStateMachine":               awsapi.Operation(updateStateMachine),
	"DeleteStateMachine":               awsapi.Operation(deleteStateMachine),
	"DescribeStateMachine":             awsapi.Operation(describeStateMachine),
	"DescribeStateMachineForExecution": awsapi.Operation(describeStateMachineForExecution),
	"ListStateMachines":                awsapi.Operation(listStateMachines),
	"ValidateStateMachineDefinition":   awsapi.Operation(validateStateMachineDefinition),
	"StartExecution":                   awsapi.Operation(startExecution),
	"StopExecution":                    awsapi.Operation(stopExecution),
	"DescribeExecution":                awsapi.Operation(describeExecution),
	"ListExecutions":                   awsapi.Operation(listExecutions),
	"RedriveExecution":                 awsapi.Operation(redriveExecution),
	"GetExecutionHistory":              awsapi.Operation(getExecutionHistory),
	"DescribeMapRun":                   awsapi.Operation(describeMapRun),
	"ListMapRuns":                      awsapi.Operation(listMapRuns),
	"TagResource":                      awsapi.Operation(tagResource),
	"UntagResource":                    awsapi.Operation(untagResource),
	"ListTagsForResource":              awsapi.Operation(listTagsForResource),
	"SendTaskSuccess": awsapi.Operation(func(s *Service, ctx context.Context, r struct{ TaskToken, Output string }) (any, error) {
		return nothing, s.SendTaskSuccess(ctx, r.TaskToken, r.Output)
	}),
	"SendTaskFailure": awsapi.Operation(func(s *Service, ctx context.Context, r struct {
		TaskToken    string
		Error, Cause *string
	}) (any, error) {
		return nothing, s.SendTaskFailure(ctx, r.TaskToken, r.Error, r.Cause)
	}),
	"SendTaskHeartbeat": awsapi.Operation(func(s *Service, ctx context.Context, r struct{ TaskToken string }) (any, error) {
		return nothing, s.SendTaskHeartbeat(ctx, r.TaskToken)
	}),
}

// object is an answer of the API.
type object = map[string]any

type tracingConfiguration struct {
	Enabled bool `json:"enabled"`
}

type createRequest struct {
	Name, Definition, RoleARN, Type string
	LoggingConfiguration            json.RawMessage
	TracingConfiguration            tracingConfiguration
	Tags                            []tag
	Publish                         bool
	VersionDescription              string
	EncryptionConfiguration         map[string]any
}

func createStateMachine(s *Service, ctx context.Context, r createRequest) (any, error) {
	if r.Publish || r.VersionDescription != "" {
		return nil, awsapi.Unsupported("versions of state machines (publish)")
	}
	tags, err := withTags(nil, r.Tags)
	if err != nil {
		return nil, err
	}
	if t := r.EncryptionConfiguration["type"]; t != nil && t != "AWS_OWNED_KEY" {
		return nil, awsapi.Unsupported("encryptionConfiguration with a customer managed key")
	}
	arn := machineARN(r.Name)
	if err := awsapi.Authorize(ctx, "states:CreateStateMachine", arn); err != nil {
		return nil, err
	}
	sm := StateMachine{Name: r.Name, Definition: r.Definition, RoleARN: r.RoleARN, Type: cmp.Or(r.Type, "STANDARD"),
		Tracing: r.TracingConfiguration.Enabled, Logging: r.LoggingConfiguration, Tags: tags}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.machines[r.Name]; old != nil {
		if !same(old.StateMachine, sm) {
			return nil, awsapi.Errorf("StateMachineAlreadyExists", "State Machine Already Exists: '%s'", arn)
		}
		sm.Tags = old.Tags // other tags make no difference, and are not set
	}
	m, err := s.put(sm)
	if err != nil {
		return nil, err
	}
	return object{"stateMachineArn": m.arn(), "creationDate": epochOf(m.Created)}, nil
}

type updateRequest struct {
	StateMachineARN      string
	Definition, RoleARN  *string
	LoggingConfiguration json.RawMessage
	TracingConfiguration *tracingConfiguration
	Publish              bool
	VersionDescription   string
}

func updateStateMachine(s *Service, ctx context.Context, r updateRequest) (any, error) {
	if r.Publish || r.VersionDescription != "" {
		return nil, awsapi.Unsupported("versions of state machines (publish)")
	}
	old, err := s.machine(ctx, "UpdateStateMachine", r.StateMachineARN)
	if err != nil {
		return nil, err
	}
	if r.Definition == nil && r.RoleARN == nil && r.LoggingConfiguration == nil && r.TracingConfiguration == nil {
		return nil, awsapi.Errorf("MissingRequiredParameter", "Either the definition, the role ARN, the LoggingConfiguration, or the TracingConfiguration must be specified")
	}
	sm := old.StateMachine
	if r.Definition != nil {
		sm.Definition = *r.Definition
	}
	if r.RoleARN != nil {
		sm.RoleARN = *r.RoleARN
	}
	if r.LoggingConfiguration != nil {
		sm.Logging = r.LoggingConfiguration
	}
	if r.TracingConfiguration != nil {
		sm.Tracing = r.TracingConfiguration.Enabled
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m, err := s.put(sm)
	if err != nil {
		return nil, err
	}
	return object{"updateDate": epochOf(m.Updated), "revisionId": m.Revision}, nil
}

type machineRequest struct {
	StateMachineARN string
	IncludedData    string
}

func deleteStateMachine(s *Service, ctx context.Context, r machineRequest) (any, error) {
	m, err := s.machine(ctx, "DeleteStateMachine", r.StateMachineARN)
	if err != nil {
		if e := awsapi.AsError(err); e.Code == "StateMachineDoesNotExist" {
			return nothing, nil
		}
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.machines, m.Name)
	return nothing, s.store.Commit(storage.Op{Bucket: bucketMachines, Key: []byte(m.Name)})
}

func (m *machine) describe() object {
	o := object{
		"stateMachineArn": m.arn(), "name": m.Name, "status": "ACTIVE", "definition": m.Definition, "roleArn": m.RoleARN,
		"type": m.Type, "creationDate": epochOf(m.Created), "revisionId": m.Revision,
		"tracingConfiguration": tracingConfiguration{m.Tracing},
		"loggingConfiguration": object{"level": "OFF", "includeExecutionData": false},
	}
	if len(m.Logging) > 0 {
		o["loggingConfiguration"] = m.Logging
	}
	return o
}

func describeStateMachine(s *Service, ctx context.Context, r machineRequest) (any, error) {
	m, err := s.machine(ctx, "DescribeStateMachine", r.StateMachineARN)
	if err != nil {
		return nil, err
	}
	return m.describe(), nil
}

type executionRequest struct {
	ExecutionARN string
	IncludedData string
}

func describeStateMachineForExecution(s *Service, ctx context.Context, r executionRequest) (any, error) {
	e, err := s.execution(ctx, "DescribeStateMachineForExecution", r.ExecutionARN)
	if err != nil {
		return nil, err
	}
	if e.MapRun != nil {
		return nil, awsapi.Unsupported("DescribeStateMachineForExecution of a child execution")
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return object{
		"stateMachineArn": machineARN(e.Machine), "name": e.Machine, "roleArn": e.RoleARN, "revisionId": e.Revision,
		"definition": s.definitions[e.Revision].text, "updateDate": epochOf(e.Started),
		"tracingConfiguration": tracingConfiguration{e.Tracing},
	}, nil
}

type listRequest struct {
	MaxResults int
	NextToken  string
}

const (
	defaultPage = 100
	maxPage     = 1000
)

// page says how many results to return, and after which one.
func (r listRequest) page() (size int, after string, err error) {
	if r.MaxResults < 0 || r.MaxResults > maxPage {
		return 0, "", awsapi.Errorf("ValidationException", "Value '%d' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to %d", r.MaxResults, maxPage)
	}
	text, err := base64.RawURLEncoding.DecodeString(r.NextToken)
	if err != nil {
		return 0, "", awsapi.Errorf("InvalidToken", "Invalid Token: 'Invalid nextToken'")
	}
	return cmp.Or(r.MaxResults, defaultPage), string(text), nil
}

func pageToken(last string) string { return base64.RawURLEncoding.EncodeToString([]byte(last)) }

func listStateMachines(s *Service, ctx context.Context, r listRequest) (any, error) {
	if err := awsapi.Authorize(ctx, "states:ListStateMachines", "*"); err != nil {
		return nil, err
	}
	size, after, err := r.page()
	if err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	names := slices.Sorted(maps.Keys(s.machines))
	first, found := slices.BinarySearch(names, after)
	if found {
		first++
	}
	names = names[first:]
	out := object{}
	if len(names) > size {
		names = names[:size]
		out["nextToken"] = pageToken(names[size-1])
	}
	machines := make([]object, 0, len(names))
	for _, name := range names {
		m := s.machines[name]
		machines = append(machines, object{"stateMachineArn": m.arn(), "name": m.Name, "type": m.Type, "creationDate": epochOf(m.Created)})
	}
	out["stateMachines"] = machines
	return out, nil
}

type validateRequest struct {
	Definition, Type, Severity string
	MaxResults                 int
}

func validateStateMachineDefinition(_ *Service, ctx context.Context, r validateRequest) (any, error) {
	if err := awsapi.Authorize(ctx, "states:ValidateStateMachineDefinition", "*"); err != nil {
		return nil, err
	}
	_, err := asl.Compile(r.Definition)
	refused, ok := errors.AsType[*asl.DefinitionError](err)
	if err != nil && !ok {
		return nil, err
	}
	result, diagnostics := "OK", []object{}
	if refused != nil {
		result = "FAIL"
		for _, d := range refused.Diagnostics {
			o := object{"severity": "ERROR", "code": d.Code, "message": d.Message}
			if d.Location != "" {
				o["location"] = d.Location
			}
			diagnostics = append(diagnostics, o)
		}
	}
	truncated := r.MaxResults > 0 && len(diagnostics) > r.MaxResults
	if truncated {
		diagnostics = diagnostics[:r.MaxResults]
	}
	return object{"result": result, "diagnostics": diagnostics, "truncated": truncated}, nil
}

func startExecution(s *Service, ctx context.Context, r StartExecutionInput) (any, error) {
	out, err := s.StartExecution(ctx, r)
	if err != nil {
		return nil, err
	}
	return struct {
		ExecutionARN string `json:"executionArn"`
		StartDate    epoch  `json:"startDate"`
	}{out.ExecutionARN, epochOf(out.StartDate)}, nil
}

type stopRequest struct {
	ExecutionARN string
	Error, Cause *string
}

func stopExecution(s *Service, ctx context.Context, r stopRequest) (any, error) {
	if err := s.StopExecution(ctx, r.ExecutionARN, r.Error, r.Cause); err != nil {
		return nil, err
	}
	e, err := s.execution(ctx, "StopExecution", r.ExecutionARN)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return object{"stopDate": epochOf(e.Stopped)}, nil
}

type redriveRequest struct{ ExecutionARN, ClientToken string }

func redriveExecution(s *Service, ctx context.Context, r redriveRequest) (any, error) {
	at, err := s.RedriveExecution(ctx, r.ExecutionARN, r.ClientToken)
	if err != nil {
		return nil, err
	}
	return object{"redriveDate": epochOf(at)}, nil
}

// metadataOnly reads includedData.
func metadataOnly(includedData string) (bool, error) {
	return includedData == "METADATA_ONLY", awsapi.CheckEnum("includedData", includedData, "ALL_DATA", "METADATA_ONLY")
}

func describeExecution(s *Service, ctx context.Context, r executionRequest) (any, error) {
	e, err := s.execution(ctx, "DescribeExecution", r.ExecutionARN)
	if err != nil {
		return nil, err
	}
	bare, err := metadataOnly(r.IncludedData)
	if err != nil {
		return nil, err
	}
	rec, _, err := e.snapshot(false)
	if err != nil {
		return nil, err
	}
	o := rec.summary(e.arn)
	s.mu.RLock()
	reason := s.notRedrivable(&rec)
	s.mu.RUnlock()
	switch {
	case reason != "":
		o["redriveStatus"], o["redriveStatusReason"] = "NOT_REDRIVABLE", reason
	case rec.MapRun != nil:
		o["redriveStatus"] = "REDRIVABLE_BY_MAP_RUN"
	default:
		o["redriveStatus"] = "REDRIVABLE"
	}
	if rec.TraceHeader != "" {
		o["traceHeader"] = rec.TraceHeader
	}
	if !bare {
		o["input"], o["inputDetails"] = rec.Input, object{"included": true}
		if rec.Status == statusSucceeded {
			o["output"], o["outputDetails"] = rec.Output, object{"included": true}
		}
		if rec.Error != nil {
			o["error"] = *rec.Error
		}
		if rec.Cause != nil {
			o["cause"] = *rec.Cause
		}
	}
	return o, nil
}

func (r *record) summary(arn string) object {
	o := object{
		"executionArn": arn, "stateMachineArn": machineARN(r.Machine), "name": r.Name, "status": r.Status,
		"startDate": epochOf(r.Started), "redriveCount": r.RedriveCount,
	}
	if r.RedriveCount > 0 {
		o["redriveDate"] = epochOf(r.redriven())
	}
	if r.MapRun != nil {
		o["mapRunArn"] = r.MapRun.arn()
	}
	if !r.Stopped.IsZero() {
		o["stopDate"] = epochOf(r.Stopped)
	}
	return o
}

type listExecutionsRequest struct {
	StateMachineARN, StatusFilter, RedriveFilter, MapRunARN string
	MaxResults                                              int
	NextToken                                               string
}

func listExecutions(s *Service, ctx context.Context, r listExecutionsRequest) (any, error) {
	if err := awsapi.CheckEnum("statusFilter", r.StatusFilter, statusRunning, statusSucceeded, statusFailed, statusTimedOut, statusAborted, statusPendingRedrive); err != nil {
		return nil, err
	}
	if err := awsapi.CheckEnum("redriveFilter", r.RedriveFilter, "REDRIVEN", "NOT_REDRIVEN"); err != nil {
		return nil, err
	}
	if r.RedriveFilter != "" && r.MapRunARN == "" {
		return nil, awsapi.Errorf("ValidationException", "redriveFilter needs a mapRunArn")
	}
	if r.StatusFilter == statusPendingRedrive {
		return nil, awsapi.Unsupported("ListExecutions of those that wait for a redrive (PENDING_REDRIVE)")
	}
	machine, err := s.listed(ctx, r)
	if err != nil {
		return nil, err
	}
	size, after, err := listRequest{r.MaxResults, r.NextToken}.page()
	if err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := object{}
	executions := []object{}
	l := s.byMachine[machine]
	if l == nil {
		return object{"executions": executions}, nil
	}
	at := l.Front()
	if after != "" {
		last := s.executions[after]
		if last == nil || last.Machine != machine {
			return nil, awsapi.Errorf("InvalidToken", "Invalid Token: 'Invalid nextToken'")
		}
		at = s.places[last].Next()
	}
	var last *execution
	for ; at != nil; at = at.Next() {
		e := at.Value.(*execution)
		select {
		case <-e.stored:
		default:
			continue // it could still be lost
		}
		e.mu.Lock()
		rec := e.record
		e.mu.Unlock()
		if r.StatusFilter != "" && rec.Status != r.StatusFilter || r.MapRunARN != "" && rec.MapRun.arn() != r.MapRunARN {
			continue
		}
		if r.RedriveFilter != "" && (r.RedriveFilter == "REDRIVEN") != (rec.RedriveCount > 0) {
			continue
		}
		if len(executions) == size {
			out["nextToken"] = pageToken(last.key)
			break
		}
		o := rec.summary(e.arn)
		if rec.MapRun != nil {
			o["itemCount"] = rec.MapRun.Items
		}
		executions, last = append(executions, o), e
	}
	out["executions"] = executions
	return out, nil
}

// listed is the key under which executions are listed: those of a state machine or those of a Map Run.
func (s *Service) listed(ctx context.Context, r listExecutionsRequest) (string, error) {
	if (r.MapRunARN == "") == (r.StateMachineARN == "") {
		return "", awsapi.Errorf("ValidationException", "Exactly one of stateMachineArn and mapRunArn must be given")
	}
	if r.MapRunARN != "" {
		run, err := s.mapRun(ctx, "ListExecutions", r.MapRunARN)
		return run.children(), err
	}
	m, err := s.machine(ctx, "ListExecutions", r.StateMachineARN)
	if err != nil {
		return "", err
	}
	return m.Name, nil
}

type historyRequest struct {
	ExecutionARN         string
	IncludeExecutionData *bool
	MaxResults           int
	NextToken            string
	ReverseOrder         bool
}

func getExecutionHistory(s *Service, ctx context.Context, r historyRequest) (any, error) {
	e, err := s.execution(ctx, "GetExecutionHistory", r.ExecutionARN)
	if err != nil {
		return nil, err
	}
	size, after, err := listRequest{r.MaxResults, r.NextToken}.page()
	if err != nil {
		return nil, err
	}
	_, events, err := e.snapshot(true)
	if err != nil {
		return nil, err
	}
	// The token holds the id of the last event given, so that it stays good while events are added.
	id, by := 1, 1
	if r.ReverseOrder {
		id, by = len(events), -1
	}
	if after != "" {
		last, err := strconv.Atoi(after)
		if err != nil || last < 1 || last > len(events) {
			return nil, awsapi.Errorf("InvalidToken", "Invalid Token: 'Invalid nextToken'")
		}
		id = last + by
	}
	data := r.IncludeExecutionData == nil || *r.IncludeExecutionData
	out, page := object{}, []object{}
	for ; id >= 1 && id <= len(events); id += by {
		if len(page) == size {
			out["nextToken"] = pageToken(strconv.Itoa(id - by))
			break
		}
		page = append(page, events[id-1].wire(id, data))
	}
	out["events"] = page
	return out, nil
}
