package asl

import (
	"fmt"
	"strings"
)

// Names of the errors that the language itself raises.
const (
	ErrRuntime    = "States.Runtime"
	ErrDataLimit  = "States.DataLimitExceeded"
	ErrTimeout    = "States.Timeout"
	ErrTaskFailed = "States.TaskFailed"
	ErrNoChoice   = "States.NoChoiceMatched"
	ErrIntrinsic  = "States.IntrinsicFailure"
	ErrResultPath = "States.ResultPathMatchFailure"
	ErrTolerance  = "States.ExceedToleratedFailureThreshold"
	ErrPermission = "States.Permissions"
)

// Error is a failure of a state, which Retry and Catch may handle.
type Error struct {
	Name, Cause string
	// NoName and NoCause mean that the failure had none, which is not the same as an empty one.
	NoName, NoCause bool
	// Heartbeat distinguishes a missed heartbeat from another timeout.
	Heartbeat bool
	// Located reports whether the Cause begins with the state and event in which it happened.
	Located bool
}

func (e *Error) Error() string { return e.Name + ": " + e.Cause }

// Output is the error as a Catcher's state receives it. A timeout has an empty cause there, although
// its events have none.
func (e *Error) Output() map[string]any {
	out := map[string]any{"Error": any(e.Name), "Cause": any(e.Cause)}
	if e.NoName {
		out["Error"] = nil
	}
	if e.NoCause && e.Name != ErrTimeout {
		out["Cause"] = nil
	}
	return out
}

func failure(name, format string, args ...any) *Error {
	return &Error{Name: name, Cause: fmt.Sprintf(format, args...), Located: true}
}

// Diagnostic is one thing that is wrong with a definition.
type Diagnostic struct {
	Code, Message string
	// Location is the JSON pointer of the place, "" if there is none.
	Location string
}

// DefinitionError says why a definition is refused.
type DefinitionError struct {
	Diagnostics []Diagnostic
}

func (e *DefinitionError) Error() string {
	texts := make([]string, len(e.Diagnostics))
	for i, d := range e.Diagnostics {
		texts[i] = d.Code + ": " + d.Message
		if d.Location != "" {
			texts[i] += " at " + d.Location
		}
	}
	return "Invalid State Machine Definition: '" + strings.Join(texts, ", ") + "'"
}
