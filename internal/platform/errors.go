package platform

import (
	"errors"
	"reflect"

	"github.com/aws/smithy-go"

	"milepost/internal/eventstore"
)

// Lambda reports an error under the Go name of its outermost type, and a state machine's Retry and
// Catch match that name. So what leaves a handler must be one of the types below, returned bare.

// TransientFailure is a failure that may be gone at the next try: an AWS service that throttles or
// does not answer.
type TransientFailure struct{ Err error }

func (e *TransientFailure) Error() string { return e.Err.Error() }
func (e *TransientFailure) Unwrap() error { return e.Err }

// Failure is a failure that a retry does not mend.
type Failure struct{ Err error }

func (e *Failure) Error() string { return e.Err.Error() }
func (e *Failure) Unwrap() error { return e.Err }

// Named gives err the form in which it may leave a handler.
func Named(err error) error {
	if conflict, ok := errors.AsType[*eventstore.VersionConflict](err); ok {
		return conflict
	}
	if bad, ok := errors.AsType[*BadPayload](err); ok {
		return bad
	}
	if transient, ok := errors.AsType[*TransientFailure](err); ok {
		return transient
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok && api.ErrorFault() != smithy.FaultServer && !throttled(api) {
		return &Failure{Err: err}
	}
	if _, ok := errors.AsType[*smithy.OperationError](err); ok {
		return &TransientFailure{Err: err}
	}
	return &Failure{Err: err}
}

func throttled(err smithy.APIError) bool {
	switch err.ErrorCode() {
	case "ThrottlingException", "ProvisionedThroughputExceededException", "RequestLimitExceeded",
		"TooManyRequestsException", "TransactionConflictException", "TransactionInProgressException":
		return true
	}
	return false
}

// ErrorType is the name under which Lambda reports err.
func ErrorType(err error) string {
	t := reflect.TypeOf(err)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Name()
}
