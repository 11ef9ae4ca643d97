package stepfunctions

import (
	"context"
	"encoding/json"
	"errors"

	"milepost/local/awsapi"
	"milepost/local/stepfunctions/asl"
)

// A TaskRunner does the work of Task states.
type TaskRunner interface {
	// Run does one task and returns its result as JSON. With a TaskToken the result is that of handing the task over;
	// the task itself ends when the token is answered. A failure that Retry and Catch see by name is a *TaskError. When
	// ctx is done, nothing waits for the result any more.
	//
	// Run is called again for a task that had not finished when the process was killed.
	Run(ctx context.Context, call TaskCall) (json.RawMessage, error)
}

// TaskCall is the request of a Task state.
type TaskCall struct {
	// Resource is the ARN in the definition: arn:aws:states:::lambda:invoke or that of a function.
	Resource string
	// Service and Action are its parts, such as "lambda" and "invoke". For the ARN of a function the
	// Action is "" and the function receives the Parameters themselves.
	Service, Action string
	// RoleARN is the role of the state machine, whose permissions apply to the task.
	RoleARN string
	// Parameters is the JSON that the state hands over.
	Parameters json.RawMessage
	// TaskToken is "" unless the Resource ends in .waitForTaskToken.
	TaskToken string
	// ExecutionARN and State say where the request comes from.
	ExecutionARN, State string
}

// TaskError is a failure of a task as Retry and Catch see it.
type TaskError struct {
	Name, Cause string
}

func (e *TaskError) Error() string { return e.Name + ": " + e.Cause }

// taskError returns the language's view of what a TaskRunner failed with.
func taskError(err error) *asl.Error {
	if e, ok := errors.AsType[*TaskError](err); ok {
		return &asl.Error{Name: e.Name, Cause: e.Cause}
	}
	if e, ok := errors.AsType[*awsapi.Error](err); ok {
		return &asl.Error{Name: e.Code, Cause: e.Message}
	}
	return &asl.Error{Name: asl.ErrTaskFailed, Cause: err.Error()}
}
