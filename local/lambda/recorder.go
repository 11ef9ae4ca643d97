package lambda

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"reflect"

	"github.com/aws/aws-xray-sdk-go/v2/strategy/ctxmissing"
	sdk "github.com/aws/aws-xray-sdk-go/v2/xray"

	"milepost/local/xray"
)

// recorderContext puts into ctx what the X-Ray SDK in a function's code needs in order to hand its
// subsegments straight to service. Code that runs outside of a trace is left alone.
func recorderContext(ctx context.Context, service *xray.Service, log *slog.Logger) (context.Context, error) {
	if service == nil {
		return ctx, nil
	}
	return sdk.ContextWithConfig(ctx, sdk.Config{
		Emitter:                &emitter{service, log},
		ContextMissingStrategy: ctxmissing.NewDefaultIgnoreErrorStrategy(),
	})
}

// emitter takes the subsegments that the X-Ray SDK has finished.
type emitter struct {
	service *xray.Service
	log     *slog.Logger
}

// Emit takes a subsegment whose parent is the function's segment, with all that is below it. The
// SDK has locked it.
func (e *emitter) Emit(s *sdk.Segment) {
	if s == nil || !s.ParentSegment.Sampled {
		return
	}
	seg, err := convert(s)
	if err != nil {
		e.log.Warn("a subsegment is recorded in part", "name", seg.Name, "error", err)
	}
	e.service.PutSegment(seg)
}

// RefreshEmitterWithAddress is for emitters that send to a daemon.
func (e *emitter) RefreshEmitterWithAddress(*net.UDPAddr) {}

// childrenField is where the SDK keeps the subsegments below one. It is not exported, and the SDK
// packs them only on the way to a UDP socket; without them nested subsegments would be lost.
var childrenField = func() []int {
	field, ok := reflect.TypeFor[sdk.Segment]().FieldByName("rawSubsegments")
	if !ok || field.Type != reflect.TypeFor[[]*sdk.Segment]() {
		panic("lambda: this version of the X-Ray SDK keeps nested subsegments elsewhere")
	}
	return field.Index
}()

func children(s *sdk.Segment) []*sdk.Segment {
	field := reflect.ValueOf(s).Elem().FieldByIndex(childrenField)
	if field.Len() == 0 {
		return nil
	}
	list := make([]*sdk.Segment, field.Len())
	for i := range list {
		list[i] = (*sdk.Segment)(field.Index(i).UnsafePointer())
	}
	return list
}

// convert copies a subsegment, since the code that made it may still change it. What cannot be encoded is left out, and
// the error names it.
func convert(s *sdk.Segment) (xray.Segment, error) {
	seg := xray.Segment{
		Name: s.Name, ID: s.ID, TraceID: s.TraceID, ParentID: s.ParentID, Type: s.Type,
		StartTime: s.StartTime, EndTime: s.EndTime, InProgress: s.InProgress,
		Namespace: s.Namespace, Origin: s.Origin, ResourceARN: s.ResourceARN, User: s.User,
		Error: s.Error, Throttle: s.Throttle, Fault: s.Fault,
		AWS: maps.Clone(s.AWS), Annotations: maps.Clone(s.Annotations), Precursors: s.PrecursorIDs,
	}
	if h := s.HTTP; h != nil {
		seg.HTTP = &xray.HTTP{}
		if q := h.Request; q != nil {
			seg.HTTP.Request = &xray.HTTPRequest{Method: q.Method, URL: q.URL, ClientIP: q.ClientIP,
				UserAgent: q.UserAgent, XForwardedFor: q.XForwardedFor, Traced: q.Traced}
		}
		if r := h.Response; r != nil {
			seg.HTTP.Response = &xray.HTTPResponse{Status: r.Status, ContentLength: int64(r.ContentLength)}
		}
	}
	var failure error
	encode := func(what string, value any) json.RawMessage {
		b, err := json.Marshal(value)
		if err != nil {
			failure = fmt.Errorf("%s: %w", what, err)
		}
		return b
	}
	if s.Cause != nil {
		seg.Cause = encode("cause", s.Cause)
	}
	if s.SQL != nil {
		seg.SQL = encode("sql", s.SQL)
	}
	if s.Service != nil {
		seg.Service = encode("service", s.Service)
	}
	if s.Metadata != nil {
		seg.Metadata = encode("metadata", s.Metadata)
	}
	for _, child := range children(s) {
		child.RLock()
		sub, err := convert(child)
		child.RUnlock()
		if err != nil {
			failure = err
		}
		sub.TraceID, sub.ParentID = "", "" // they follow from its position
		seg.Subsegments = append(seg.Subsegments, sub)
	}
	return seg, failure
}
