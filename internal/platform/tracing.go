package platform

import (
	"context"

	"github.com/aws/aws-xray-sdk-go/v2/header"
	"github.com/aws/aws-xray-sdk-go/v2/xray"
)

// TraceHeader is the X-Ray trace header under which ctx works, "" if there is none. On Lambda its parent is the
// function's own segment.
func TraceHeader(ctx context.Context) string {
	h, _ := ctx.Value(xray.LambdaTraceHeaderKey).(string)
	if ctx.Value(samplingKey{}) == nil {
		return h
	}
	parsed := header.FromString(h)
	if parsed.TraceID == "" {
		parsed.TraceID = xray.NewTraceID()
	}
	if parsed.SamplingDecision != header.Sampled {
		// The function's own segment is not in the trace, so that nothing can be below it.
		parsed.SamplingDecision, parsed.ParentID = header.Sampled, ""
	}
	return parsed.String()
}

type samplingKey struct{}

// WithSampling traces what follows from ctx, whatever was decided when its trace began: the trace header that events
// and messages carry on says that it is sampled.
func WithSampling(ctx context.Context) context.Context {
	return context.WithValue(ctx, samplingKey{}, true)
}

// Annotate adds values by which a trace can be found, in a separate subsegment: the function's own segment is Lambda's
// and cannot be written to. Without a sampled trace it does nothing.
func Annotate(ctx context.Context, name string, values map[string]string) {
	if TraceHeader(ctx) == "" {
		return
	}
	_, segment := xray.BeginSubsegment(ctx, name)
	if segment == nil {
		return
	}
	for k, v := range values {
		// The error only says that v is not a string.
		_ = segment.AddAnnotation(k, v)
	}
	segment.Close(nil)
}

// ContinueTrace adds a step to the trace of traceHeader, although ctx belongs to another one, and returns the header
// that continues from the step. This is how a batch of stream records, which has its own trace, continues the traces of
// its records.
func ContinueTrace(ctx context.Context, name, traceHeader string) string {
	h := header.FromString(traceHeader)
	if h.TraceID == "" || h.SamplingDecision != header.Sampled {
		return traceHeader
	}
	ctx, _ = xray.BeginFacadeSegment(ctx, name, h)
	_, segment := xray.BeginSubsegment(ctx, name)
	defer segment.Close(nil)
	return segment.DownstreamHeader().String()
}
