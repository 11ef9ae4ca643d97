// Package awsapi holds what all local services share: the shape of an AWS error, the caller and what that caller may
// do, the trace header of a call, and the HTTP face that speaks the AWS JSON protocols.
package awsapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Error is an error as an AWS service answers it.
type Error struct {
	// Code is the bare error code, for instance "ResourceNotFoundException".
	Code string
	// Message is the service's text; it is sent as "message" or "Message" by protocol.
	Message string
	// Status is the HTTP status; 0 means 400.
	Status int
	// Fields are further members of the error body, such as CancellationReasons.
	Fields map[string]any
	// QueryCode is the code that the error had in the older query protocol, for the services that
	// still send it beside the new one (SQS: "AWS.SimpleQueueService.NonExistentQueue").
	QueryCode string
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// StatusCode is the HTTP status to answer with.
func (e *Error) StatusCode() int {
	if e.Status == 0 {
		return http.StatusBadRequest
	}
	return e.Status
}

// Errorf makes a client error (HTTP 400) with the given code.
func Errorf(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// CheckEnum refuses a member that has none of the values of its enumeration. "" means that it was left out.
func CheckEnum(member, value string, values ...string) error {
	if value == "" || slices.Contains(values, value) {
		return nil
	}
	return Errorf("ValidationException", "1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: Member must satisfy enum value set: [%s]",
		value, member, strings.Join(values, ", "))
}

// Unsupported says that the local runtime does not implement what was requested. It is answered as HTTP 501, so that
// nobody mistakes it for AWS's behavior.
func Unsupported(what string) *Error {
	return &Error{Code: "NotImplemented", Status: http.StatusNotImplemented,
		Message: "the local runtime does not support " + what}
}

// AsError returns the AWS error in err's chain. Any other error becomes an InternalServerError.
func AsError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{Code: "InternalServerError", Status: http.StatusInternalServerError, Message: err.Error()}
}

// Raw is an already encoded response body.
type Raw = json.RawMessage
