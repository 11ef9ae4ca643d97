package lambda

import (
	"encoding/json"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"
)

// failure is why a function failed.
type failure struct {
	errorType, message string
	stack              []*messages.InvokeResponse_Error_StackFrame
	// raw is the document that the function's process reported, which is answered unchanged.
	raw []byte
	// cause is what such a process reported for X-Ray, nil when it did not.
	cause json.RawMessage
}

func (f *failure) Error() string { return f.errorType + ": " + f.message }

// document is the error document that the caller gets.
func (f *failure) document() []byte {
	if f.raw != nil {
		return f.raw
	}
	document, err := json.Marshal(&messages.InvokeResponse_Error{Message: f.message, Type: f.errorType, StackTrace: f.stack})
	if err != nil { // strings and numbers can always be encoded
		panic(err)
	}
	return document
}

// failed is the failure of a handler that returned err, named as aws-lambda-go names it: by the
// Go type of the outermost error.
func failed(err error) *failure {
	switch e := err.(type) { //nolint:errorlint // what is wrapped does not count
	case messages.InvokeResponse_Error:
		return &failure{errorType: e.Type, message: e.Message, stack: e.StackTrace}
	case *failure:
		return e
	}
	return &failure{errorType: typeName(err), message: err.Error()}
}

// panicked is the failure of a handler that panicked. It is called by the deferred function that
// recovered, so that the stack still has the frames that panicked.
func panicked(value any) *failure {
	if e, ok := value.(messages.InvokeResponse_Error); ok {
		return failed(e)
	}
	return &failure{errorType: typeName(value), message: fmt.Sprintf("%v", value), stack: panicStack()}
}

func typeName(value any) string {
	t := reflect.TypeOf(value)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Name()
}

// timeout is the failure of a handler that did not end in time.
func timeout(requestID string, after time.Duration) *failure {
	return &failure{errorType: "Sandbox.Timedout",
		message: fmt.Sprintf("RequestId: %s Error: Task timed out after %.2f seconds", requestID, after.Seconds())}
}

// panicStack returns the frames from the panic down to the handler.
func panicStack() []*messages.InvokeResponse_Error_StackFrame {
	var callers [32]uintptr
	const skip = 4 // runtime.Callers, panicStack, panicked, the deferred function
	frames := runtime.CallersFrames(callers[:runtime.Callers(skip, callers[:])])
	var stack []*messages.InvokeResponse_Error_StackFrame
	for {
		frame, more := frames.Next()
		if frame.Function == "" || strings.HasSuffix(frame.Function, ".(*Service).call") {
			return stack // what is below is the runtime, not the function
		}
		stack = append(stack, stackFrame(frame))
		if !more {
			return stack
		}
	}
}

// stackFrame shortens a frame as Lambda shows it: the file with its package path, and the
// function without.
func stackFrame(frame runtime.Frame) *messages.InvokeResponse_Error_StackFrame {
	directory, label := "", frame.Function
	if slash := strings.LastIndexByte(label, '/'); slash >= 0 {
		directory, label = label[:slash+1], label[slash+1:]
	}
	pkg, label, _ := strings.Cut(label, ".")
	file := frame.File[strings.LastIndexByte(frame.File, '/')+1:]
	return &messages.InvokeResponse_Error_StackFrame{Path: directory + pkg + "/" + file, Line: int32(frame.Line), Label: label}
}
