package lambda

import (
	"context"
	"encoding/json"
	"time"

	"milepost/local/awsapi"
	"milepost/local/xray"
)

// traceHeaderKey is where aws-lambda-go puts the trace header and the X-Ray SDK looks for it.
const traceHeaderKey = "x-amzn-trace-id"

// invocationTrace makes the two segments that Lambda itself sends for a traced invocation: the
// service's (AWS::Lambda) and below it the function's (AWS::Lambda::Function).
type invocationTrace struct {
	xray      *xray.Service // nil when nothing is recorded
	header    xray.Header   // of the function's code: its parent is the function's segment
	caller    string        // the segment or subsegment that invoked
	service   string        // the id of the service's segment
	function  *function
	requestID string
	received  time.Time
	started   time.Time
}

// beginTrace decides whether an invocation is traced: the caller may have, otherwise the sampler does.
func (s *Service) beginTrace(ctx context.Context, f *function, requestID string) invocationTrace {
	incoming := awsapi.TraceHeader(ctx)
	header := xray.ParseHeader(incoming)
	if s.cfg.XRay == nil || !f.Tracing {
		// Without active tracing the function passes on what it was given.
		return invocationTrace{header: header}
	}
	header = s.cfg.XRay.Decide(header)
	header.Self = ""
	t := invocationTrace{header: header}
	if header.Sampled != xray.Sampled {
		return t
	}
	t.xray, t.function, t.requestID, t.received = s.cfg.XRay, f, requestID, time.Now()
	t.caller, t.service = header.Parent, xray.NewSegmentID()
	t.header.Parent = xray.NewSegmentID()
	t.started = time.Now()
	return t
}

// handlerContext passes its trace header to the function's code.
func (t *invocationTrace) handlerContext(ctx context.Context) context.Context {
	if t.header.Root == "" {
		return ctx
	}
	//nolint:staticcheck // SA1029: the X-Ray SDK looks for this very key
	return context.WithValue(ctx, traceHeaderKey, t.header.String())
}

// end records both segments.
func (t *invocationTrace) end(failure *failure) {
	if t.xray == nil {
		return
	}
	now := xray.Seconds(time.Now())
	function := xray.Segment{
		Name: t.function.Name, ID: t.header.Parent, TraceID: t.header.Root, ParentID: t.service,
		Origin: "AWS::Lambda::Function", ResourceARN: t.function.arn,
		StartTime: xray.Seconds(t.started), EndTime: now,
		AWS: map[string]any{"account_id": awsapi.Account, "function_arn": t.function.arn, "request_id": t.requestID,
			"resource_names": []string{t.function.Name}},
		Subsegments: []xray.Segment{{
			Name: "Invocation", ID: xray.NewSegmentID(), StartTime: xray.Seconds(t.started), EndTime: now,
			AWS: map[string]any{"function_arn": t.function.arn},
		}},
	}
	if failure != nil {
		function.Fault, function.Subsegments[0].Fault = true, true
		function.Cause = cause(failure)
	}
	t.xray.PutSegment(function)
	service := t.serviceSegment(now)
	service.HTTP = &xray.HTTP{Response: &xray.HTTPResponse{Status: 200}}
	service.Fault = failure != nil
	t.xray.PutSegment(service)
}

func (t *invocationTrace) serviceSegment(end float64) xray.Segment {
	return xray.Segment{
		Name: t.function.Name, ID: t.service, TraceID: t.header.Root, ParentID: t.caller,
		Origin: "AWS::Lambda", ResourceARN: t.function.arn,
		StartTime: xray.Seconds(t.received), EndTime: end,
		AWS: map[string]any{"request_id": t.requestID, "function_arn": t.function.arn, "resource_names": []string{t.function.Name}},
	}
}

// traceThrottle records an invocation that was turned away: the service's segment alone.
func (s *Service) traceThrottle(ctx context.Context, f *function, requestID string) {
	t := s.beginTrace(ctx, f, requestID)
	if t.xray == nil {
		return
	}
	segment := t.serviceSegment(xray.Seconds(time.Now()))
	segment.Throttle, segment.Error = true, true
	segment.HTTP = &xray.HTTP{Response: &xray.HTTPResponse{Status: 429}}
	t.xray.PutSegment(segment)
}

// cause describes a failure in the words of a segment.
func cause(f *failure) json.RawMessage {
	if f.cause != nil {
		return f.cause
	}
	type frame struct {
		Path  string `json:"path"`
		Line  int32  `json:"line"`
		Label string `json:"label"`
	}
	type exception struct {
		ID      string  `json:"id"`
		Type    string  `json:"type"`
		Message string  `json:"message"`
		Stack   []frame `json:"stack,omitempty"`
	}
	e := exception{ID: xray.NewSegmentID(), Type: f.errorType, Message: f.message}
	for _, s := range f.stack {
		e.Stack = append(e.Stack, frame{s.Path, s.Line, s.Label})
	}
	encoded, err := json.Marshal(map[string]any{"exceptions": []exception{e}})
	if err != nil { // strings and numbers can always be encoded
		panic(err)
	}
	return encoded
}
