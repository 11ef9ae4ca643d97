package platform

import (
	"errors"
	"log/slog"
	"reflect"

	"github.com/aws/smithy-go"
)

// Lambda reports an error under the Go name of its outermost type, and a state machine's Retry and
// Catch match that name. So what leaves a handler is a Reported error or a Failure, returned bare.

// Reported is an error whose type callers of the function check. ReportedByName does nothing; it marks the type.
type Reported interface {
	error
	ReportedByName()
}

// Located is an error that knows what it is about. LogAttrs returns that for the invocation's log line; it must not
// contain personal data.
type Located interface {
	error
	LogAttrs() []slog.Attr
}

// TransientFailure is a failure that may be gone at the next try: an AWS service that throttles or
// does not answer.
type TransientFailure struct{ Err error }

func (e *TransientFailure) Error() string { return e.Err.Error() }
func (e *TransientFailure) Unwrap() error { return e.Err }

// ReportedByName marks the type as one that Retry looks for.
func (*TransientFailure) ReportedByName() {}

// Failure is a failure that a retry does not fix.
type Failure struct{ Err error }

func (e *Failure) Error() string { return e.Err.Error() }
func (e *Failure) Unwrap() error { return e.Err }

// Named returns err in the form in which it may leave a handler.
func Named(err error) error {
	if reported, ok := errors.AsType[Reported](err); ok {
		return reported
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
