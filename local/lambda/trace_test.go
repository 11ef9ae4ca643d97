package lambda_test

import (
	"context"
	"encoding/json"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdklambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-xray-sdk-go/v2/instrumentation/awsv2"
	sdk "github.com/aws/aws-xray-sdk-go/v2/xray"

	"milepost/local/awsapi"
	"milepost/local/lambda"
	"milepost/local/xray"
)

func newTracer(t *testing.T, rate float64) *xray.Service {
	t.Helper()
	x, err := xray.New(xray.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = x.Close() })
	x.SetRule(0, rate)
	return x
}

// documents returns the segments of one trace by name and origin.
func documents(t *testing.T, x *xray.Service, traceID string) map[string]xray.Segment {
	t.Helper()
	traces, _, err := x.Traces(traceID)
	if err != nil || len(traces) != 1 {
		t.Fatalf("traces = %v, %v", traces, err)
	}
	found := map[string]xray.Segment{}
	for _, d := range traces[0].Segments {
		var seg xray.Segment
		if err := json.Unmarshal([]byte(d.Document), &seg); err != nil {
			t.Fatal(err)
		}
		found[strings.TrimSpace(seg.Name+" "+seg.Origin)] = seg
	}
	return found
}

func TestTracedInvocationMakesTwoSegmentsAndKeepsTheSDKs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		x := newTracer(t, 0)
		var inside string
		handler := handlerFunc(func(ctx context.Context, _ []byte) ([]byte, error) {
			inside, _ = ctx.Value("x-amzn-trace-id").(string)
			time.Sleep(100 * time.Millisecond)
			err := sdk.Capture(ctx, "outer", func(ctx context.Context) error {
				return sdk.Capture(ctx, "middle", func(ctx context.Context) error {
					return sdk.Capture(ctx, "inner", func(ctx context.Context) error {
						time.Sleep(50 * time.Millisecond)
						return sdk.AddAnnotation(ctx, "quote", "q-1")
					})
				})
			})
			if err != nil {
				return nil, err
			}
			err = sdk.Capture(ctx, "second", func(context.Context) error { return &quoteExpired{"noon"} })
			return nil, err
		})
		s := newService(t, lambda.Config{XRay: x}, lambda.Function{Name: "f", Tracing: true, Handler: handler})
		root, caller := xray.NewTraceID(), xray.NewSegmentID()
		ctx := awsapi.WithTraceHeader(t.Context(), "Root="+root+";Parent="+caller+";Sampled=1;Lineage=1:abc:0")
		if _, err := s.Invoke(ctx, "f", nil); err != nil {
			t.Fatal(err)
		}
		found := documents(t, x, root)
		service, function := found["f AWS::Lambda"], found["f AWS::Lambda::Function"]
		if service.ParentID != caller || function.ParentID != service.ID || len(found) != 4 {
			t.Fatalf("segments = %v", found)
		}
		if want := "Root=" + root + ";Parent=" + function.ID + ";Sampled=1;Lineage=1:abc:0"; inside != want {
			t.Errorf("the handler's header = %s, want %s", inside, want)
		}
		if !function.Fault || !service.Fault || service.HTTP.Response.Status != 200 || !strings.Contains(string(function.Cause), "quoteExpired") {
			t.Errorf("the failure is not recorded: %+v", function)
		}
		if len(function.Subsegments) != 1 || function.Subsegments[0].Name != "Invocation" {
			t.Errorf("subsegments = %v", function.Subsegments)
		}
		if took := function.EndTime - function.StartTime; took < 0.149 || took > 0.151 {
			t.Errorf("duration = %v", took)
		}
		outer := found["outer"]
		if outer.ParentID != function.ID || outer.Type != "subsegment" || len(outer.Subsegments) != 1 {
			t.Fatalf("outer = %+v", outer)
		}
		middle := outer.Subsegments[0]
		if middle.Name != "middle" || len(middle.Subsegments) != 1 || middle.Subsegments[0].Annotations["quote"] != "q-1" {
			t.Errorf("what is nested was lost: %+v", outer)
		}
		if second := found["second"]; !second.Fault || len(second.Cause) == 0 {
			t.Errorf("second = %+v", second)
		}
	})
}

// TestSDKCallCarriesTheTraceOn calls one function from another through an instrumented SDK client.
func TestSDKCallCarriesTheTraceOn(t *testing.T) {
	t.Parallel()
	x := newTracer(t, 1)
	var s *lambda.Service
	caller := handlerFunc(func(ctx context.Context, _ []byte) ([]byte, error) {
		client := sdklambda.New(newClient(s, awsapi.Caller{}).Options(), func(o *sdklambda.Options) { awsv2.AWSV2Instrumentor(&o.APIOptions) })
		_, err := client.Invoke(ctx, &sdklambda.InvokeInput{FunctionName: aws.String("callee")})
		return nil, err
	})
	s = newService(t, lambda.Config{XRay: x},
		lambda.Function{Name: "caller", Tracing: true, Handler: caller},
		lambda.Function{Name: "callee", Tracing: true, Handler: handlerFunc(echo)})
	root := xray.NewTraceID()
	result, err := s.Invoke(awsapi.WithTraceHeader(t.Context(), "Root="+root), "caller", nil)
	if err != nil || result.FunctionError != "" {
		t.Fatalf("%s %v", result.Payload, err)
	}
	found := documents(t, x, root)
	call := found["Lambda"]
	if call.Namespace != "aws" || call.AWS["operation"] != "Invoke" || call.HTTP.Response.Status != 200 ||
		call.ParentID != found["caller AWS::Lambda::Function"].ID || found["callee AWS::Lambda"].ParentID != call.ID {
		t.Errorf("segments = %+v", found)
	}
	if nodes := x.TraceGraph(root); len(nodes) != 5 { // the client, and each function as service and as function
		t.Errorf("%d nodes, want 5", len(nodes))
	}
}

func TestSamplingDecidesOnce(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, incoming string
		rate           float64
		tracing        bool
		want           string // Sampled in the handler
		recorded       int
	}{
		{"nobody decided, the sampler says yes", "", 1, true, "1", 1},
		{"nobody decided, the sampler says no", "", 0, true, "0", 0},
		{"a header without a decision", "Root=1-5759e988-bd862e3fe1be46a994272793", 1, true, "1", 1},
		{"the caller said no", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0", 1, true, "0", 0},
		{"a function without tracing passes on", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1", 1, false, "1", 0},
		{"a function without tracing decides nothing", "", 1, false, "", 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			x := newTracer(t, test.rate)
			var inside xray.Header
			s := newService(t, lambda.Config{XRay: x}, lambda.Function{Name: "f", Tracing: test.tracing,
				Handler: handlerFunc(func(ctx context.Context, _ []byte) ([]byte, error) {
					text, _ := ctx.Value("x-amzn-trace-id").(string)
					inside = xray.ParseHeader(text)
					return nil, sdk.Capture(ctx, "work", func(context.Context) error { return nil })
				})})
			result, err := s.Invoke(awsapi.WithTraceHeader(t.Context(), test.incoming), "f", nil)
			if err != nil || result.FunctionError != "" {
				t.Fatalf("%s %v", result.Payload, err)
			}
			if string(inside.Sampled) != test.want {
				t.Errorf("the handler's header = %v", inside)
			}
			if got := x.Stats().Traces; test.tracing && got != test.recorded {
				t.Errorf("traces = %d, want %d", got, test.recorded)
			}
		})
	}
}

func TestStreamBatchesBeginTheirOwnTraces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		x := newTracer(t, 1)
		source := newStream("shard-1")
		s := newService(t, lambda.Config{XRay: x}, lambda.Function{Name: "f", Tracing: true, Handler: handlerFunc(echo)})
		if err := s.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.CreateEventSourceMapping(lambda.Mapping{FunctionName: "f", StreamARN: streamARN, Stream: source, StartingPosition: "TRIM_HORIZON"}); err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			source.put("shard-1", "k", i)
			synctest.Wait()
		}
		if got := x.Stats(); got.Traces != 3 || got.Segments != 6 {
			t.Errorf("stats = %+v", got)
		}
	})
}

func TestThrottleIsTraced(t *testing.T) {
	t.Parallel()
	x := newTracer(t, 1)
	s := newService(t, lambda.Config{XRay: x}, lambda.Function{Name: "f", Tracing: true, ReservedConcurrency: number(0), Handler: handlerFunc(echo)})
	root := xray.NewTraceID()
	if _, err := s.Invoke(awsapi.WithTraceHeader(t.Context(), "Root="+root), "f", nil); err == nil {
		t.Fatal("it ran")
	}
	if seg := documents(t, x, root)["f AWS::Lambda"]; !seg.Throttle || seg.HTTP.Response.Status != 429 {
		t.Errorf("segment = %+v", seg)
	}
}

// TestSDKOverUDP is how the subsegments of a real process arrive.
func TestSDKOverUDP(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it uses the network")
	}
	x := newTracer(t, 1)
	daemon, err := xray.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	daemon.Serve(x)
	defer daemon.Close()
	address, err := net.ResolveUDPAddr("udp", daemon.Addr())
	if err != nil {
		t.Fatal(err)
	}
	emitter, err := sdk.NewDefaultEmitter(address)
	if err != nil {
		t.Fatal(err)
	}
	ctx, err := sdk.ContextWithConfig(t.Context(), sdk.Config{Emitter: emitter})
	if err != nil {
		t.Fatal(err)
	}
	root := xray.NewTraceID()
	//nolint:staticcheck // SA1029: the X-Ray SDK looks for this very key
	ctx = context.WithValue(ctx, "x-amzn-trace-id", "Root="+root+";Parent="+xray.NewSegmentID()+";Sampled=1")
	if err := sdk.Capture(ctx, "outer", func(ctx context.Context) error {
		return sdk.Capture(ctx, "inner", func(context.Context) error { return nil })
	}); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(5 * time.Second); x.Stats().Segments == 0; {
		if time.Now().After(deadline) {
			t.Fatal("the subsegment did not arrive")
		}
		time.Sleep(time.Millisecond)
	}
	if outer := documents(t, x, root)["outer"]; len(outer.Subsegments) != 1 {
		t.Errorf("outer = %+v", outer)
	}
}
