package effects

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/aws/aws-xray-sdk-go/v2/xray"
)

// trace is the X-Ray subsegment of one attempt of a call, nil if there is no trace.
type trace struct{ segment *xray.Segment }

// beginTrace opens a subsegment below the function that works under ctx: one for each attempt, so that a retry is
// seen as what it is. Attempt 0 is a call that did not get as far as an attempt. Without a trace it does nothing:
// X-Ray's SDK would log an error for each call instead.
func beginTrace(ctx context.Context, config Config, call Call, attempt int) (context.Context, *trace) {
	header, _ := ctx.Value(xray.LambdaTraceHeaderKey).(string)
	if header == "" && xray.GetSegment(ctx) == nil {
		return ctx, nil
	}
	ctx, segment := xray.BeginSubsegment(ctx, config.Party)
	if segment == nil {
		return ctx, nil
	}
	_ = segment.AddAnnotation("attempt", attempt) // fails only for a type other than number, text or truth value
	segment.Lock()
	defer segment.Unlock()
	segment.Namespace = "remote"
	request := segment.GetHTTP().GetRequest()
	request.Method, request.URL = call.Method, origin(config.Endpoint)
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

// end closes the subsegment with the status of the answer, or with the error if there is none.
func (t *trace) end(a *attempt) {
	if t == nil {
		return
	}
	if a.answer == nil {
		t.segment.Close(a.cause())
		return
	}
	status := a.answer.Status
	t.segment.Lock()
	response := t.segment.GetHTTP().GetResponse()
	response.Status, response.ContentLength = status, len(a.answer.Body)
	t.segment.Throttle = status == http.StatusTooManyRequests
	t.segment.Error = status >= 400 && status < 500
	t.segment.Fault = status >= 500
	t.segment.Unlock()
	t.segment.Close(nil)
}

// cause is the error because of which an attempt has no answer.
func (a *attempt) cause() error {
	if a.err != nil {
		return a.err
	}
	return errors.New(string(a.reason))
}
