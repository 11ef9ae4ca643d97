package stepfunctions

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"milepost/local/awsapi"
	"milepost/local/stepfunctions/asl"
)

// StartExecutionInput is what an execution is started with.
type StartExecutionInput struct {
	StateMachineARN string `json:"stateMachineArn"`
	// Name is unique within the machine for 90 days; "" has one made up.
	Name string `json:"name"`
	// Input is a JSON text; "" means {}.
	Input string `json:"input"`
	// TraceHeader is the X-Ray trace to continue; "" means the one that came with the call.
	TraceHeader string `json:"traceHeader"`
}

// StartExecutionOutput names the execution that was started.
type StartExecutionOutput struct {
	ExecutionARN string
	StartDate    time.Time
}

// StartExecution starts an execution. When it returns the start is stored, and the execution will
// reach its end whatever happens to the process.
//
// Starting a running execution again, with the same name and input, returns that execution. Any other use of a taken
// name is ExecutionAlreadyExists.
func (s *Service) StartExecution(ctx context.Context, in StartExecutionInput) (StartExecutionOutput, error) {
	m, err := s.machine(ctx, "StartExecution", in.StateMachineARN)
	if err != nil {
		return StartExecutionOutput{}, err
	}
	r := record{
		Machine: m.Name, Name: in.Name, RoleARN: m.RoleARN, Revision: m.Revision, Tracing: m.Tracing,
		Input: cmp.Or(in.Input, "{}"), TraceHeader: cmp.Or(in.TraceHeader, awsapi.TraceHeader(ctx)), Status: statusRunning,
	}
	if r.Name == "" {
		r.Name = randomName()
	}
	switch {
	case !validName.MatchString(r.Name):
		return StartExecutionOutput{}, awsapi.Errorf("InvalidName", "Invalid Name: '%s'", r.Name)
	case len(r.Input) > asl.MaxData:
		return StartExecutionOutput{}, awsapi.Errorf("ValidationException", "1 validation error detected: Value at 'input' failed to satisfy constraint: Member must have length less than or equal to %d", asl.MaxData)
	case !json.Valid([]byte(r.Input)):
		_, err := asl.Decode(r.Input)
		return StartExecutionOutput{}, awsapi.Errorf("InvalidExecutionInput", "Invalid State Machine Execution Input: '%v'", err)
	}
	// AWS keeps milliseconds; a stored execution must not change its start.
	r.Started = time.Now().Truncate(time.Millisecond)

	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return StartExecutionOutput{}, awsapi.AsError(context.Canceled)
	}
	if err := s.prune(); err != nil {
		s.mu.Unlock()
		return StartExecutionOutput{}, err
	}
	if e := s.executions[r.Machine+":"+r.Name]; e != nil {
		s.mu.Unlock()
		return e.startedAgain(r.Input)
	}
	e := s.newExecution(r, s.definitions[m.Revision].compiled)
	e.logging = m.logging()
	s.insert(e)
	s.mu.Unlock()

	if s.store != nil {
		err = s.store.Commit(e.recordOp(&r))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	close(e.stored)
	if err != nil {
		s.remove(e)
		return StartExecutionOutput{}, err
	}
	e.begin()
	s.launch(e)
	return StartExecutionOutput{e.arn, r.Started}, nil
}

// startedAgain answers a start with a name that is taken.
func (e *execution) startedAgain(input string) (StartExecutionOutput, error) {
	<-e.stored
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.Status == statusRunning && e.Input == input {
		return StartExecutionOutput{e.arn, e.Started}, nil
	}
	return StartExecutionOutput{}, awsapi.Errorf("ExecutionAlreadyExists", "Execution Already Exists: '%s'", e.arn)
}

func randomName() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
