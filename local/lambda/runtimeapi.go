package lambda

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"sync"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"milepost/local/awsapi"
)

// runtimeAPI is the Lambda Runtime API of one execution environment. On one side it is the
// http.Handler that a bootstrap binary talks to, on the other the Handler through which events
// reach that binary, one at a time. A Process makes one for each binary that it starts; to debug a
// function, serve one and start the binary with AWS_LAMBDA_RUNTIME_API pointing at it.
type runtimeAPI struct {
	mux    *http.ServeMux
	events chan *runtimeEvent // taken by next
	gone   chan struct{}      // closed when the process has ended

	mu      sync.Mutex
	current *runtimeEvent // what the process works on
	ended   *failure      // why the process has ended, or is about to
}

// runtimeEvent is one event on its way through a process.
type runtimeEvent struct {
	header  http.Header
	id      string
	payload []byte
	answer  chan outcome
}

// errGone says that a process had ended before it took an event.
var errGone = errors.New("the function's process has ended")

// newRuntimeAPI makes the Runtime API of an environment whose process has not started yet.
func newRuntimeAPI() *runtimeAPI {
	a := &runtimeAPI{mux: http.NewServeMux(), events: make(chan *runtimeEvent), gone: make(chan struct{})}
	const runtime = "/2018-06-01/runtime"
	a.mux.HandleFunc("GET "+runtime+"/invocation/next", a.next)
	a.mux.HandleFunc("POST "+runtime+"/invocation/{id}/response", a.response)
	a.mux.HandleFunc("POST "+runtime+"/invocation/{id}/error", a.invocationError)
	a.mux.HandleFunc("POST "+runtime+"/init/error", a.initError)
	a.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		awsapi.WriteError(w, awsapi.Unsupported("the Runtime API call "+r.Method+" "+r.URL.Path))
	})
	return a
}

// ServeHTTP answers the process.
func (a *runtimeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

// Invoke hands an event to the process and waits for its answer. The event's request id, deadline
// and trace header are those of ctx.
func (a *runtimeAPI) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	e := &runtimeEvent{header: http.Header{}, id: requestIDOf(ctx), payload: payload, answer: make(chan outcome, 1)}
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		e.header.Set("Lambda-Runtime-Invoked-Function-Arn", lc.InvokedFunctionArn)
	}
	e.header.Set("Lambda-Runtime-Aws-Request-Id", e.id)
	if deadline, ok := ctx.Deadline(); ok {
		e.header.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(deadline.UnixMilli(), 10))
	}
	if header, ok := ctx.Value(traceHeaderKey).(string); ok {
		e.header.Set("Lambda-Runtime-Trace-Id", header)
	}
	select {
	case a.events <- e:
	case <-a.gone:
		return nil, a.whyGone()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	var o outcome
	select {
	case o = <-e.answer:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-a.gone:
		select {
		case o = <-e.answer: // its last words
		default:
			return nil, a.exitError(e.id)
		}
	}
	if o.failure != nil {
		return nil, o.failure
	}
	return o.payload, nil
}

// requestIDOf is the id of the invocation that ctx belongs to, or a new one.
func requestIDOf(ctx context.Context) string {
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		return lc.AwsRequestID
	}
	return newRequestID()
}

// exit says that the process has ended.
func (a *runtimeAPI) exit(status string) {
	a.mu.Lock()
	if a.ended == nil {
		a.ended = &failure{errorType: "Runtime.ExitError", message: "Runtime exited with error: " + status}
	}
	a.mu.Unlock()
	close(a.gone)
}

// whyGone is why the process never took an event: the error that it reported while it initialized, or else errGone.
func (a *runtimeAPI) whyGone() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended != nil && a.ended.raw != nil {
		return a.ended
	}
	return errGone
}

func (a *runtimeAPI) exitError(requestID string) *failure {
	a.mu.Lock()
	defer a.mu.Unlock()
	f := *a.ended
	if f.raw == nil {
		f.message = "RequestId: " + requestID + " Error: " + f.message
	}
	return &f
}

// next waits for the next event. It never returns an event twice.
func (a *runtimeAPI) next(w http.ResponseWriter, r *http.Request) {
	select {
	case e := <-a.events:
		a.mu.Lock()
		a.current = e
		a.mu.Unlock()
		h := w.Header()
		maps.Copy(h, e.header)
		h.Set("Content-Type", "application/json")
		_, _ = w.Write(e.payload) // a process that went away is seen by its end
	case <-r.Context().Done():
	}
}

// take returns the current event if its id is the one in the path, and ends it.
func (a *runtimeAPI) take(w http.ResponseWriter, r *http.Request) *runtimeEvent {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.current == nil || a.current.id != r.PathValue("id") {
		runtimeError(w, http.StatusBadRequest, "InvalidRequestID", "Invalid request ID")
		return nil
	}
	e := a.current
	a.current = nil
	return e
}

func (a *runtimeAPI) response(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxResponse+1))
	if err != nil {
		runtimeError(w, http.StatusBadRequest, "InvalidResponse", err.Error())
		return
	}
	e := a.take(w, r)
	if e == nil {
		return
	}
	if errorType := r.Trailer.Get("Lambda-Runtime-Function-Error-Type"); errorType != "" {
		// The answer broke off; the trailer has the error document.
		document, err := base64.StdEncoding.DecodeString(r.Trailer.Get("Lambda-Runtime-Function-Error-Body"))
		if err != nil {
			document = nil
		}
		e.answer <- outcome{failure: reported(document, errorType, "")}
		w.WriteHeader(http.StatusAccepted)
		return
	}
	if len(body) > maxResponse {
		e.answer <- outcome{payload: body} // the Service, which knows the limit, says so to the caller
		runtimeError(w, http.StatusRequestEntityTooLarge, "Function.ResponseSizeTooLarge",
			fmt.Sprintf("Response payload size exceeded maximum allowed payload size (%d bytes).", maxResponse))
		return
	}
	e.answer <- outcome{payload: body}
	w.WriteHeader(http.StatusAccepted)
}

func (a *runtimeAPI) invocationError(w http.ResponseWriter, r *http.Request) {
	body, err := awsapi.ReadBody(r)
	if err != nil {
		runtimeError(w, http.StatusBadRequest, "InvalidErrorShape", err.Error())
		return
	}
	if e := a.take(w, r); e != nil {
		e.answer <- outcome{failure: reported(body, r.Header.Get("Lambda-Runtime-Function-Error-Type"),
			r.Header.Get("Lambda-Runtime-Function-Xray-Error-Cause"))}
		w.WriteHeader(http.StatusAccepted)
	}
}

func (a *runtimeAPI) initError(w http.ResponseWriter, r *http.Request) {
	body, err := awsapi.ReadBody(r)
	if err != nil {
		runtimeError(w, http.StatusBadRequest, "InvalidErrorShape", err.Error())
		return
	}
	a.mu.Lock()
	a.ended = reported(body, r.Header.Get("Lambda-Runtime-Function-Error-Type"), "")
	a.mu.Unlock()
	w.WriteHeader(http.StatusAccepted)
}

// reported is the failure that a process reported, with the document as it wrote it.
func reported(document []byte, errorType, cause string) *failure {
	f := &failure{errorType: errorType, raw: document}
	var d struct{ ErrorMessage, ErrorType string }
	if err := json.Unmarshal(document, &d); err != nil {
		f.raw, f.message = nil, string(bytes.TrimSpace(document))
	} else {
		f.message = d.ErrorMessage
		if d.ErrorType != "" {
			f.errorType = d.ErrorType
		}
	}
	if json.Valid([]byte(cause)) {
		f.cause = json.RawMessage(cause)
	}
	return f
}

func runtimeError(w http.ResponseWriter, status int, errorType, message string) {
	awsapi.WriteJSON(w, status, map[string]string{"errorType": errorType, "errorMessage": message})
}
