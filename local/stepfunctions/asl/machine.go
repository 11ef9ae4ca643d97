// Package asl compiles and evaluates the Amazon States Language with JSONPath as its query language.
//
// Compile turns a definition into a Machine: its States with their Paths, Templates and rules already parsed, so that
// an execution never meets a malformed one. Expressions are evaluated against an Env: the data, the context object and
// the variables. The package knows nothing about time, history or how tasks are run.
package asl

// Machine is a compiled definition: the whole one, a branch of a Parallel state or the processor
// of a Map state. It never changes, so that many executions share it.
type Machine struct {
	Start  *State
	States map[string]*State
	// TimeoutSeconds limits an execution; 0 means no limit. Only a whole definition has it.
	TimeoutSeconds int64
	// Distributed has the distributed Map states by their labels. Only a whole definition has it.
	Distributed map[string]*State
}

// State is one state. Body holds what only its kind has.
type State struct {
	Name string
	Kind Kind
	// Next is nil where the machine ends, and in Choice and Fail states.
	Next *State

	Input  *Path // nil selects an empty object
	Output *Path // nil means an empty object
	// Parameters shapes what the state works on, nil where it is the input itself. In a Map state
	// it is ItemSelector, which is evaluated once per item.
	Parameters *Template
	Selector   *Template // ResultSelector
	Result     *ResultPath
	Assign     *Template
	Retry      []Retrier
	Catch      []Catcher

	Body any // *Task, *Choice, *Wait, *Fail, *Parallel, *Map, *Data (the Result of a Pass state) or nil
}

// Kind is the type of a state, spelled as in a definition.
type Kind string

// The kinds of states.
const (
	KindPass     Kind = "Pass"
	KindTask     Kind = "Task"
	KindChoice   Kind = "Choice"
	KindWait     Kind = "Wait"
	KindSucceed  Kind = "Succeed"
	KindFail     Kind = "Fail"
	KindParallel Kind = "Parallel"
	KindMap      Kind = "Map"
)

// Task is the body of a Task state.
type Task struct {
	// Resource is the ARN as written in the definition.
	Resource string
	// Service and Action are the parts of Resource, such as "lambda" and "invoke". A Resource that is the ARN of a
	// function has no Action.
	Service, Action string
	// WaitForToken reports whether the task ends when its token is answered.
	WaitForToken bool
	// Timeout and Heartbeat are in seconds.
	Timeout   Number
	Heartbeat Number
}

// Name is the resource as history events spell it.
func (t *Task) Name() string {
	if t.WaitForToken {
		return t.Action + ".waitForTaskToken"
	}
	return t.Action
}

// Number is a whole number that a definition has as a literal or as a path; the zero Number means none.
type Number struct {
	Field string // the field's name
	Value int64
	Path  *Path
}

// Wait is the body of a Wait state: one of its fields is set.
type Wait struct {
	Seconds       *int64
	SecondsPath   *Path
	Timestamp     string // RFC 3339
	TimestampPath *Path
}

// Fail is the body of a Fail state. A text is given by at most one of its two fields.
type Fail struct {
	Error, Cause         *string
	ErrorPath, CausePath Expression
}

// Parallel is the body of a Parallel state.
type Parallel struct {
	Branches []*Machine
}

// Map is the body of a Map state.
type Map struct {
	Processor *Machine
	Items     *Path
	// MaxConcurrency limits how many items are processed at a time; 0 means no limit.
	MaxConcurrency     int64
	MaxConcurrencyPath *Path
	// Distributed is nil in an inline Map state.
	Distributed *Distributed
}

// Distributed is what only a Map state with child executions has.
type Distributed struct {
	// Label names the child executions. It derives from the state's name if the definition has none.
	Label   string
	Batcher *Batcher // nil: each item has its own execution
	// ToleratedCount and ToleratedPercentage are how many items may fail.
	ToleratedCount      Tolerance
	ToleratedPercentage Tolerance
}

// Batcher says how items are put together for one child execution.
type Batcher struct {
	Input *Template // nil adds nothing to the items
	// MaxItems and MaxBytes are numbers of 1 or more, by value or path; the zero Number is no limit.
	MaxItems, MaxBytes Number
}

// Tolerance is a threshold, as a number or as a path. It exists if either is set.
type Tolerance struct {
	Field string // the field's name
	Value *float64
	Path  *Path
}

// Retrier says when a failed state is tried again.
type Retrier struct {
	Errors          []string
	IntervalSeconds int64
	MaxAttempts     int64
	BackoffRate     float64
	MaxDelaySeconds int64 // 0 means no limit
	FullJitter      bool
}

// Catcher says where execution continues after a failed state.
type Catcher struct {
	Errors []string
	Result *ResultPath
	Assign *Template
	Next   *State
}

// Matches reports whether one of the names in an ErrorEquals matches the error name.
//
// The wildcards States.ALL and States.TaskFailed do not match what cannot be recovered from. A missed
// heartbeat is a States.Timeout that also answers to the name States.HeartbeatTimeout.
func Matches(errors []string, err *Error) bool {
	for _, want := range errors {
		switch want {
		case err.Name:
			if err.Name != ErrRuntime {
				return true
			}
		case "States.ALL":
			if err.Name != ErrRuntime && err.Name != ErrDataLimit {
				return true
			}
		case "States.TaskFailed":
			if err.Name != ErrRuntime && err.Name != ErrDataLimit && err.Name != ErrTimeout {
				return true
			}
		case "States.HeartbeatTimeout":
			if err.Heartbeat {
				return true
			}
		}
	}
	return false
}
