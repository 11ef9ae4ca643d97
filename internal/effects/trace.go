package effects

import (
	"context"
	"net/url"

	"github.com/aws/aws-xray-sdk-go/v2/xray"
)

// trace is the X-Ray subsegment of one call, nil where there is no trace.
type trace struct{ segment *xray.Segment }

// beginTrace opens a subsegment below the function that works under ctx. Without a trace it does
// nothing: X-Ray's SDK would log an error for each call instead.
func beginTrace(ctx context.Context, party string, call Call) (context.Context, *trace) {
	header, _ := ctx.Value(xray.LambdaTraceHeaderKey).(string)
	if header == "" && xray.GetSegment(ctx) == nil {
		return ctx, nil
	}
	ctx, segment := xray.BeginSubsegment(ctx, party)
	if segment == nil {
		return ctx, nil
	}
	segment.Lock()
	defer segment.Unlock()
	segment.Namespace = "remote"
	request := segment.GetHTTP().GetRequest()
	request.Method, request.URL = call.Method, origin(call.URL)
	return ctx, &trace{segment}
}

// origin is scheme and host of a URL. The rest may hold what a trace must not, such as a VIN.
func origin(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// end closes the subsegment with the status of the answer, or with the error for which there is none.
func (t *trace) end(status, length int, err error) {
	if t == nil {
		return
	}
	if status != 0 {
		t.segment.Lock()
		response := t.segment.GetHTTP().GetResponse()
		response.Status, response.ContentLength = status, length
		t.segment.Throttle = status == 429
		t.segment.Error = status >= 400 && status < 500
		t.segment.Fault = status >= 500
		t.segment.Unlock()
	}
	t.segment.Close(err)
}
