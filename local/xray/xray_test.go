package xray_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/xray"
	"github.com/aws/aws-sdk-go-v2/service/xray/types"

	"milepost/local/awsapi"
	"milepost/local/storage"
	"milepost/local/xray"
)

func newService(t testing.TB, c xray.Config) *xray.Service {
	t.Helper()
	s, err := xray.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func newClient(s *xray.Service) *sdk.Client {
	server := awsapi.NewServer()
	for _, path := range xray.Paths() {
		server.HandleREST(path, s)
	}
	return sdk.NewFromConfig(aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String("http://local"), Credentials: aws.AnonymousCredentials{},
		HTTPClient: &awsapi.Transport{Server: server, Caller: &awsapi.Caller{}}, RetryMaxAttempts: 1,
	})
}

func id(n int) string { return fmt.Sprintf("%016x", n) }

// tell stores one request: an API that calls a function, which queries a table, calls another company and sends an
// event to a second function. It returns the trace id.
func tell(s *xray.Service, quote string, fault bool) string {
	trace := xray.NewTraceID()
	at := xray.Seconds(time.Now())
	status := 202
	if fault {
		status = 500
	}
	s.PutSegment(xray.Segment{Name: "api", ID: id(1), TraceID: trace, Origin: "AWS::ApiGateway::Stage", StartTime: at, EndTime: at + 1,
		Fault: fault, User: "ann", HTTP: &xray.HTTP{
			Request:  &xray.HTTPRequest{Method: "POST", URL: "https://quotes.example/quotes", ClientIP: "10.0.0.1", UserAgent: "curl"},
			Response: &xray.HTTPResponse{Status: status}}})
	s.PutSegment(xray.Segment{Name: "submit", ID: id(2), ParentID: id(1), TraceID: trace, Origin: "AWS::Lambda::Function", StartTime: at + 0.1, EndTime: at + 0.9,
		Fault: fault, Subsegments: []xray.Segment{{Name: "Invocation", ID: id(3), StartTime: at + 0.1, EndTime: at + 0.9}}})
	s.PutSegment(xray.Segment{Type: "subsegment", Name: "DynamoDB", ID: id(4), ParentID: id(2), TraceID: trace, Namespace: "aws", StartTime: at + 0.2, EndTime: at + 0.3,
		AWS: map[string]any{"operation": "PutItem"}, Annotations: map[string]any{"quote": quote, "premium": 120.5, "offered": true}})
	s.PutSegment(xray.Segment{Type: "subsegment", Name: "call", ID: id(5), ParentID: id(2), TraceID: trace, StartTime: at + 0.3, EndTime: at + 0.5,
		Subsegments: []xray.Segment{
			{Name: "vin.example", ID: id(6), Namespace: "remote", StartTime: at + 0.3, EndTime: at + 0.4, Throttle: true, Error: true},
			{Name: "EventBridge", ID: id(7), Namespace: "aws", StartTime: at + 0.4, EndTime: at + 0.5}}})
	s.PutSegment(xray.Segment{Name: "project", ID: id(8), ParentID: id(7), TraceID: trace, Origin: "AWS::Lambda::Function", StartTime: at + 2, EndTime: at + 2.5})
	return trace
}

func TestPutRefuses(t *testing.T) {
	t.Parallel()
	good := `"name":"n","id":"00000000000000aa","start_time":1,"end_time":2`
	trace := `"trace_id":"` + xray.NewTraceID() + `"`
	tests := []struct{ name, document, code string }{
		{"what is not JSON", `{`, "ParseError"},
		{"a missing id", `{"name":"n",` + trace + `,"start_time":1,"end_time":2}`, "MissingId"},
		{"an id of other digits", `{"name":"n","id":"xyz",` + trace + `,"start_time":1,"end_time":2}`, "InvalidId"},
		{"a missing trace id", `{` + good + `}`, "MissingTraceId"},
		{"a malformed trace id", `{` + good + `,"trace_id":"1-2-3"}`, "InvalidTraceId"},
		{"a trace of 2016", `{` + good + `,"trace_id":"1-5759e988-bd862e3fe1be46a994272793"}`, "InvalidTraceId"},
		{"a missing name", `{"id":"00000000000000aa",` + trace + `,"start_time":1,"end_time":2}`, "MissingName"},
		{"a missing start", `{"name":"n","id":"00000000000000aa",` + trace + `,"end_time":2}`, "MissingStartTime"},
		{"a missing end", `{"name":"n","id":"00000000000000aa",` + trace + `,"start_time":1}`, "MissingEndTime"},
		{"an orphaned subsegment", `{` + good + `,` + trace + `,"type":"subsegment"}`, "MissingParentId"},
		{"an unknown type", `{` + good + `,` + trace + `,"type":"span"}`, "InvalidType"},
		{"a nested subsegment without a name", `{` + good + `,` + trace + `,"subsegments":[{"id":"00000000000000ab","start_time":1,"end_time":2}]}`, "MissingName"},
		{"more than 64 KB", `{` + good + `,` + trace + `,"user":"` + strings.Repeat("x", 64<<10) + `"}`, "SegmentTooLarge"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newService(t, xray.Config{})
			invalid, ok := errors.AsType[*xray.InvalidSegment](s.Put([]byte(test.document)))
			if !ok || invalid.Code != test.code || s.Stats().Segments != 0 {
				t.Errorf("error = %v, want %s", invalid, test.code)
			}
		})
	}
}

func TestSDKPutsAndGetsTraces(t *testing.T) {
	t.Parallel()
	s := newService(t, xray.Config{})
	client := newClient(s)
	trace := xray.NewTraceID()
	now := float64(time.Now().Unix())
	// A member that nothing here knows has to come back too.
	segment := fmt.Sprintf(`{"trace_id":%q,"id":"00000000000000aa","name":"n","start_time":%f,"end_time":%f,"future":{"a":1}}`, trace, now, now+2)
	sub := fmt.Sprintf(`{"trace_id":%q,"id":"00000000000000ab","parent_id":"00000000000000aa","type":"subsegment","name":"s","start_time":%f,"end_time":%f}`, trace, now, now+1)
	put, err := client.PutTraceSegments(t.Context(), &sdk.PutTraceSegmentsInput{TraceSegmentDocuments: []string{segment, sub, `{"id":"00000000000000ac"}`}})
	if err != nil {
		t.Fatal(err)
	}
	if len(put.UnprocessedTraceSegments) != 1 || aws.ToString(put.UnprocessedTraceSegments[0].ErrorCode) != "MissingTraceId" ||
		aws.ToString(put.UnprocessedTraceSegments[0].Id) != "00000000000000ac" {
		t.Errorf("unprocessed = %+v", put.UnprocessedTraceSegments)
	}
	unknown := xray.NewTraceID()
	got, err := client.BatchGetTraces(t.Context(), &sdk.BatchGetTracesInput{TraceIds: []string{trace, unknown}})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Traces) != 1 || len(got.UnprocessedTraceIds) != 1 || got.UnprocessedTraceIds[0] != unknown {
		t.Fatalf("got = %+v", got)
	}
	one := got.Traces[0]
	if aws.ToString(one.Id) != trace || aws.ToFloat64(one.Duration) != 2 || len(one.Segments) != 2 ||
		aws.ToString(one.Segments[0].Document) != segment || aws.ToString(one.Segments[1].Document) != sub {
		t.Errorf("trace = %+v", one)
	}
	if _, err := client.BatchGetTraces(t.Context(), &sdk.BatchGetTracesInput{TraceIds: make([]string, 6)}); err == nil {
		t.Error("six trace ids were accepted")
	}
}

func TestSegmentInProgressIsReplaced(t *testing.T) {
	t.Parallel()
	s := newService(t, xray.Config{})
	trace := xray.NewTraceID()
	seg := xray.Segment{Name: "n", ID: id(1), TraceID: trace, StartTime: 1, InProgress: true}
	s.PutSegment(seg)
	seg.InProgress, seg.EndTime = false, 3
	s.PutSegment(seg)
	traces, _, err := s.Traces(trace)
	if err != nil || len(traces[0].Segments) != 1 || traces[0].Duration != 2 {
		t.Errorf("traces = %+v, %v", traces, err)
	}
}

func TestSDKGetsSummaries(t *testing.T) {
	t.Parallel()
	s := newService(t, xray.Config{})
	client := newClient(s)
	from := time.Now()
	trace := tell(s, "q-1", true)
	out, err := client.GetTraceSummaries(t.Context(), &sdk.GetTraceSummariesInput{StartTime: &from, EndTime: aws.Time(from.Add(time.Minute)),
		TimeRangeType: types.TimeRangeTypeTraceId, FilterExpression: aws.String(`fault AND annotation.quote = "q-1"`)})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.TraceSummaries) != 1 || aws.ToInt64(out.TracesProcessedCount) != 1 || out.NextToken != nil {
		t.Fatalf("out = %+v", out)
	}
	sum := out.TraceSummaries[0]
	near := func(got *float64, want float64) bool {
		return aws.ToFloat64(got) > want-0.001 && aws.ToFloat64(got) < want+0.001
	}
	if aws.ToString(sum.Id) != trace || !aws.ToBool(sum.HasFault) || aws.ToBool(sum.HasError) || !near(sum.Duration, 2.5) || !near(sum.ResponseTime, 1) {
		t.Errorf("summary = %+v", sum)
	}
	if h := sum.Http; aws.ToInt32(h.HttpStatus) != 500 || aws.ToString(h.HttpMethod) != "POST" || aws.ToString(h.ClientIp) != "10.0.0.1" {
		t.Errorf("http = %+v", h)
	}
	if aws.ToString(sum.EntryPoint.Name) != "api" || len(sum.ServiceIds) != 3 || len(sum.Users) != 1 {
		t.Errorf("summary = %+v", sum)
	}
	value := sum.Annotations["quote"]
	if len(value) != 1 || value[0].AnnotationValue.(*types.AnnotationValueMemberStringValue).Value != "q-1" ||
		aws.ToString(value[0].ServiceIds[0].Name) != "submit" {
		t.Errorf("annotations = %+v", sum.Annotations)
	}
	if sum.Annotations["premium"][0].AnnotationValue.(*types.AnnotationValueMemberNumberValue).Value != 120.5 ||
		!sum.Annotations["offered"][0].AnnotationValue.(*types.AnnotationValueMemberBooleanValue).Value {
		t.Errorf("annotations = %+v", sum.Annotations)
	}
}

func TestFilterExpressions(t *testing.T) {
	t.Parallel()
	tests := []struct {
		expression string
		want       bool
	}{
		{``, true},
		{`ok`, true}, {`fault`, false}, {`!fault`, true}, {`fault = false`, true}, {`error`, false}, {`throttle`, false}, {`ok = true`, true},
		{`responsetime > 0.5`, true}, {`responsetime > 1.5`, false}, {`duration >= 2`, true}, {`duration < 2`, false},
		{`http.status = 202`, true}, {`http.status != 202`, false}, {`http.method = "POST"`, true},
		{`http.url CONTAINS "quotes"`, true}, {`http.url BEGINSWITH "https://quotes"`, true}, {`http.url endswith "/x"`, false}, {`http.url`, true},
		{`http.useragent = "curl" && http.clientip = "10.0.0.1"`, true}, {`user = "ann"`, true}, {`user != "ann"`, false}, {`name = "project"`, true},
		{`service("submit")`, true}, {`service("nobody")`, false}, {`service()`, true}, {`service("submit") { fault }`, false},
		{`service("submit") { responsetime > 0.5 }`, true}, {`service("submit") { responsetime > 0.9 }`, false},
		{`service("vin.example") { throttle }`, true},
		{`service(id(name: "submit", type: "AWS::Lambda::Function"))`, true}, {`service(id(name: "submit", type: "AWS::ECS"))`, false},
		{`id(name: "api")`, true}, {`id(account.id: "000000000000")`, true}, {`id(account.id: "1")`, false},
		{`annotation.quote = "q-1"`, true}, {`annotation[quote] = "q-2"`, false}, {`annotation["quote"] BEGINSWITH "q-"`, true},
		{`annotation.premium > 100 AND annotation.premium < 121`, true}, {`annotation.offered = true`, true}, {`annotation.offered != true`, false},
		{`annotation.premium = "120.5"`, false}, {`annotation.none`, false}, {`annotation[quote]`, true},
		{`edge("api", "submit")`, true}, {`edge("submit", "api")`, false}, {`edge("submit", "vin.example") { throttle }`, true},
		{`edge("submit", "project") { responsetime > 0.4 }`, true}, {`edge("submit", "project") { responsetime > 0.6 }`, false},
		{`edge(id(name: "api", type: "client"), id(name: "api")) { http.status = 202 }`, true}, {`edge("submit", id(type: "AWS::DynamoDB"))`, true},
		{`NOT edge("api", "project") AND ok`, true}, {`group.name = "Default"`, true},
		{`fault OR service("submit") AND NOT error`, true}, {`(fault OR ok) AND annotation.quote = 'q-2'`, false}, {`NOT (fault OR error)`, true},
	}
	s := newService(t, xray.Config{})
	from := time.Now()
	tell(s, "q-1", false)
	for _, test := range tests {
		t.Run(test.expression, func(t *testing.T) {
			found, _, _, err := s.Summaries(xray.Range{From: from, To: from.Add(time.Minute)}, test.expression, "")
			if err != nil || (len(found) == 1) != test.want {
				t.Errorf("found %d, %v; want %v", len(found), err, test.want)
			}
		})
	}
}

func TestFilterExpressionsThatAreRefused(t *testing.T) {
	t.Parallel()
	tests := []struct{ expression, want string }{
		{`edge("a")`, `","`}, {`edge("a", b)`, `"b"`}, {`edge("a", "b"`, `")"`}, {`group.name = "g"`, "Group not found"}, {`group.name > "g"`, `"="`},
		{`group.arn = g`, "quoted"}, {`service(a)`, `"a"`}, {`rootcause.fault.entity`, "rootcause.fault.entity"}, {`instance.id = "i"`, "instance.id"},
		{`http.status = "ok"`, "number"}, {`http.url = 5`, "quoted"}, {`http.url > "a"`, "compared"}, {`annotation.a = b`, "annotation"},
		{`annotation.a CONTAINS 5`, "compared"}, {`fault fault`, "not expected"}, {`(fault`, `")"`}, {`service("a"`, `")"`}, {`"a`, "quote"}, {`fault &`, "not expected"},
		{`AND`, "AND"}, {`service("a") { fault`, `"}"`}, {`id(colour: "a")`, "colour"}, {strings.Repeat("(", 10_000), "nested"}, {strings.Repeat("!", 10_000), "nested"},
	}
	s := newService(t, xray.Config{})
	for _, test := range tests {
		if _, _, _, err := s.Summaries(xray.Range{}, test.expression, ""); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%.40s: error = %v, want %s", test.expression, err, test.want)
		}
	}
}

func FuzzFilter(f *testing.F) {
	for _, seed := range []string{`ok`, `service("a") { fault } AND annotation.k >= 1.5`, `!(a[b]`, `id(name:"x")`, `http.url CONTAINS "\""`} {
		f.Add(seed)
	}
	s, err := xray.New(xray.Config{})
	if err != nil {
		f.Fatal(err)
	}
	from := time.Now()
	tell(s, "q-1", false)
	f.Fuzz(func(t *testing.T, expression string) {
		_, _, _, _ = s.Summaries(xray.Range{From: from, To: from.Add(time.Minute)}, expression, "") // must not panic
	})
}

func TestServiceGraph(t *testing.T) {
	t.Parallel()
	s := newService(t, xray.Config{})
	from := time.Now()
	tell(s, "q-1", false)
	trace := tell(s, "q-2", true)
	client := newClient(s)
	all, err := client.GetServiceGraph(t.Context(), &sdk.GetServiceGraphInput{StartTime: &from, EndTime: aws.Time(from.Add(time.Minute))})
	if err != nil {
		t.Fatal(err)
	}
	one, err := client.GetTraceGraph(t.Context(), &sdk.GetTraceGraphInput{TraceIds: []string{trace}})
	if err != nil {
		t.Fatal(err)
	}
	for requests, services := range map[int64][]types.Service{2: all.Services, 1: one.Services} {
		byName := map[string]types.Service{}
		name := map[int32]string{}
		for _, n := range services {
			key := aws.ToString(n.Name) + " " + aws.ToString(n.Type)
			byName[key], name[aws.ToInt32(n.ReferenceId)] = n, key
		}
		var edges []string
		for from, n := range byName {
			for _, e := range n.Edges {
				if aws.ToInt64(e.SummaryStatistics.TotalCount) != requests {
					t.Errorf("%s has %d calls, want %d", from, aws.ToInt64(e.SummaryStatistics.TotalCount), requests)
				}
				edges = append(edges, from+" -> "+name[aws.ToInt32(e.ReferenceId)])
			}
		}
		want := []string{
			"api client -> api AWS::ApiGateway::Stage", "api AWS::ApiGateway::Stage -> submit AWS::Lambda::Function",
			"submit AWS::Lambda::Function -> DynamoDB AWS::DynamoDB", "submit AWS::Lambda::Function -> vin.example remote",
			"submit AWS::Lambda::Function -> project AWS::Lambda::Function",
		}
		if len(edges) != len(want) {
			t.Errorf("edges = %q, want %q", edges, want)
		}
		for _, e := range want {
			if !strings.Contains(strings.Join(edges, "\n"), e) {
				t.Errorf("edge %s is missing in %q", e, edges)
			}
		}
		api := byName["api AWS::ApiGateway::Stage"]
		if stats := api.SummaryStatistics; aws.ToInt64(stats.TotalCount) != requests || aws.ToInt64(stats.FaultStatistics.TotalCount) != 1 || !aws.ToBool(api.Root) {
			t.Errorf("api = %+v", stats)
		}
		if vin := byName["vin.example remote"].SummaryStatistics; aws.ToInt64(vin.ErrorStatistics.ThrottleCount) != requests {
			t.Errorf("vin = %+v", vin)
		}
		if h := api.ResponseTimeHistogram; len(h) != 1 || h[0].Count != int32(requests) || h[0].Value != 1 {
			t.Errorf("histogram = %+v", h)
		}
	}
}

func TestParentsInACircleEndTheSearch(t *testing.T) {
	t.Parallel()
	s := newService(t, xray.Config{})
	trace := xray.NewTraceID()
	for _, ids := range [][2]string{{id(1), id(2)}, {id(2), id(1)}} {
		s.PutSegment(xray.Segment{Type: "subsegment", Name: "n", ID: ids[0], ParentID: ids[1], TraceID: trace, StartTime: 1, EndTime: 2})
	}
	if graph := s.TraceGraph(trace); len(graph) == 0 {
		t.Error("the graph is empty")
	}
}

func TestOldestTracesMakeRoom(t *testing.T) {
	t.Parallel()
	s := newService(t, xray.Config{Capacity: 3})
	var traces []string
	for i := range 5 {
		traces = append(traces, xray.NewTraceID())
		s.PutSegment(xray.Segment{Name: "n", ID: id(i), TraceID: traces[i], StartTime: 1, EndTime: 2})
	}
	_, unknown, _ := s.Traces(traces...)
	if stats := s.Stats(); stats.Traces != 3 || stats.Segments != 3 || stats.DroppedTraces != 2 || len(unknown) != 2 || unknown[0] != traces[0] {
		t.Errorf("stats = %+v, unknown = %v", stats, unknown)
	}
}

func TestOneTraceHasALimit(t *testing.T) {
	t.Parallel()
	s := newService(t, xray.Config{})
	trace := xray.NewTraceID()
	for i := range 2_001 {
		s.PutSegment(xray.Segment{Name: "n", ID: id(i), TraceID: trace, StartTime: 1, EndTime: 2})
	}
	traces, _, err := s.Traces(trace)
	if err != nil || !traces[0].LimitExceeded || len(traces[0].Segments) != 2_000 || s.Stats().RefusedSegments != 1 {
		t.Errorf("limit exceeded = %v, stats = %+v", traces[0].LimitExceeded, s.Stats())
	}
}

func TestTracesSurviveARestart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state")
	synctest.Test(t, func(t *testing.T) {
		var traces []string
		for run := range 3 {
			store, err := storage.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			s, err := xray.New(xray.Config{Store: store, Capacity: 2})
			if err != nil {
				t.Fatal(err)
			}
			if got := s.Stats().Traces; got != min(run, 2) {
				t.Errorf("run %d begins with %d traces", run, got)
			}
			traces = append(traces, tell(s, "q", false))
			if run == 0 {
				time.Sleep(2 * time.Second) // written without a Close
			}
			if err := errors.Join(s.Close(), store.Close()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
		}
		store, err := storage.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		s, err := xray.New(xray.Config{Store: store})
		if err != nil {
			t.Fatal(err)
		}
		found, unknown, err := s.Traces(traces...)
		if err != nil || len(found) != 2 || len(found[0].Segments) != 5 || len(unknown) != 1 || unknown[0] != traces[0] {
			t.Errorf("found %d, unknown = %v of %v, %v", len(found), unknown, traces, err)
		}
	})
}

func TestSummariesComeInPages(t *testing.T) {
	t.Parallel()
	s := newService(t, xray.Config{})
	from := time.Now()
	for range 1_100 {
		s.PutSegment(xray.Segment{Name: "n", ID: id(1), TraceID: xray.NewTraceID(), StartTime: xray.Seconds(from), EndTime: xray.Seconds(from) + 1})
	}
	client := newClient(s)
	pages := sdk.NewGetTraceSummariesPaginator(client, &sdk.GetTraceSummariesInput{StartTime: &from, EndTime: aws.Time(from.Add(time.Minute))})
	seen := map[string]bool{}
	for pages.HasMorePages() {
		out, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, sum := range out.TraceSummaries {
			seen[aws.ToString(sum.Id)] = true
		}
	}
	if len(seen) != 1_100 {
		t.Errorf("seen %d traces, want 1,100", len(seen))
	}
}

func TestSampler(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, xray.Config{})
		s.SetRule(2, 0)
		for range 2 {
			if taken := [3]bool{s.Sample(), s.Sample(), s.Sample()}; taken != [3]bool{true, true, false} {
				t.Errorf("taken = %v", taken)
			}
			time.Sleep(time.Second)
		}
		s.SetRule(0, 0.05)
		count := 0
		for range 10_000 {
			if s.Sample() {
				count++
			}
		}
		if count < 350 || count > 650 {
			t.Errorf("%d of 10,000 were taken, want about 500", count)
		}
		s.SetRule(0, 1)
		if !s.Sample() {
			t.Error("not everything is taken")
		}
	})
}

func TestSDKGetsSamplingRules(t *testing.T) {
	t.Parallel()
	client := newClient(newService(t, xray.Config{}))
	rules, err := client.GetSamplingRules(t.Context(), &sdk.GetSamplingRulesInput{})
	if err != nil {
		t.Fatal(err)
	}
	if r := rules.SamplingRuleRecords[0].SamplingRule; aws.ToString(r.RuleName) != "Default" || r.FixedRate != 0.05 || r.ReservoirSize != 1 {
		t.Errorf("rule = %+v", r)
	}
	document := types.SamplingStatisticsDocument{ClientID: aws.String(strings.Repeat("a", 24)), RuleName: aws.String("Default"), Timestamp: aws.Time(time.Now()), RequestCount: 5}
	other := document
	other.RuleName = aws.String("other")
	targets, err := client.GetSamplingTargets(t.Context(), &sdk.GetSamplingTargetsInput{SamplingStatisticsDocuments: []types.SamplingStatisticsDocument{document, other}})
	if err != nil {
		t.Fatal(err)
	}
	if len(targets.SamplingTargetDocuments) != 1 || targets.SamplingTargetDocuments[0].FixedRate != 0.05 || len(targets.UnprocessedStatistics) != 1 {
		t.Errorf("targets = %+v", targets)
	}
}

func TestOtherCallsAreRefusedByName(t *testing.T) {
	t.Parallel()
	client := newClient(newService(t, xray.Config{}))
	if _, err := client.GetInsightSummaries(t.Context(), &sdk.GetInsightSummariesInput{GroupName: aws.String("Default"), StartTime: aws.Time(time.Now()), EndTime: aws.Time(time.Now())}); err == nil || !strings.Contains(err.Error(), "/InsightSummaries") {
		t.Errorf("error = %v", err)
	}
	now := time.Now()
	if _, err := client.GetTraceSummaries(t.Context(), &sdk.GetTraceSummariesInput{StartTime: &now, EndTime: &now, Sampling: aws.Bool(true)}); err == nil || !strings.Contains(err.Error(), "Sampling") {
		t.Errorf("error = %v", err)
	}
	if _, err := client.GetServiceGraph(t.Context(), &sdk.GetServiceGraphInput{StartTime: &now, EndTime: aws.Time(now.Add(-time.Hour))}); err == nil {
		t.Error("a range that ends before it starts was accepted")
	}
}

func TestHeader(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		want       xray.Header
		back       string
	}{
		{"all fields", "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1;Lineage=a87bd80c:0;k=v",
			xray.Header{Root: "1-5759e988-bd862e3fe1be46a994272793", Parent: "53995c3f42cd8ad8", Sampled: xray.Sampled, Lineage: "a87bd80c:0", Rest: "k=v"}, ""},
		{"blanks and an own id of the load balancer", "Self=1-1-1; Root=1-2-3 ; Sampled=?",
			xray.Header{Self: "1-1-1", Root: "1-2-3", Sampled: xray.Requested}, "Self=1-1-1;Root=1-2-3;Sampled=?"},
		{"nothing", "", xray.Header{}, ""},
		{"nonsense", "nonsense", xray.Header{}, "-"},
	}
	for _, test := range tests {
		got := xray.ParseHeader(test.text)
		if got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
		back := test.back
		switch back {
		case "":
			back = test.text
		case "-":
			back = ""
		}
		if got.String() != back {
			t.Errorf("%s: %q, want %q", test.name, got.String(), back)
		}
	}
}

func TestNewIDs(t *testing.T) {
	t.Parallel()
	s := newService(t, xray.Config{})
	document, err := json.Marshal(xray.Segment{Name: "n", ID: xray.NewSegmentID(), TraceID: xray.NewTraceID(), StartTime: 1, EndTime: 2})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Put(document); err != nil {
		t.Error(err)
	}
}

func FuzzPut(f *testing.F) {
	f.Add([]byte(`{"name":"n","id":"00000000000000aa","trace_id":"1-5759e988-bd862e3fe1be46a994272793","start_time":1,"end_time":2}`))
	f.Add([]byte(`{"type":"subsegment","parent_id":"00000000000000aa","id":"00000000000000aa","annotations":{"a":[]},"subsegments":[{}]}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		s, err := xray.New(xray.Config{})
		if err != nil {
			t.Fatal(err)
		}
		if s.Put(document) != nil {
			return
		}
		all := xray.Range{To: time.Now().Add(time.Hour)}
		_, _, _, _ = s.Summaries(all, "", "") // what was accepted can be shown: neither must panic
		s.ServiceGraph(all)
	})
}

func BenchmarkPutSegment(b *testing.B) {
	s := newService(b, xray.Config{})
	trace := xray.NewTraceID()
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		if n++; n%60 == 0 {
			trace = xray.NewTraceID()
		}
		s.PutSegment(xray.Segment{Name: "n", ID: "00000000000000aa", TraceID: trace, StartTime: 1, EndTime: 2})
	}
}

func TestThereIsTheDefaultGroup(t *testing.T) {
	t.Parallel()
	c := newClient(newService(t, xray.Config{}))
	const arn = "arn:aws:xray:us-east-1:000000000000:group/Default"
	all, err := c.GetGroups(t.Context(), &sdk.GetGroupsInput{})
	if err != nil || len(all.Groups) != 1 || aws.ToString(all.Groups[0].GroupName) != "Default" || aws.ToString(all.Groups[0].GroupARN) != arn {
		t.Errorf("%+v, %v", all, err)
	}
	for _, in := range []*sdk.GetGroupInput{{GroupName: aws.String("Default")}, {GroupARN: aws.String(arn)}} {
		if one, err := c.GetGroup(t.Context(), in); err != nil || aws.ToString(one.Group.GroupARN) != arn {
			t.Errorf("%+v, %v", one, err)
		}
	}
	if _, err := c.GetServiceGraph(t.Context(), &sdk.GetServiceGraphInput{GroupARN: aws.String(arn), StartTime: aws.Time(time.Now().Add(-time.Hour)), EndTime: aws.Time(time.Now())}); err != nil {
		t.Error(err)
	}
	for _, in := range []*sdk.GetGroupInput{{}, {GroupName: aws.String("slow")}} {
		if _, err := c.GetGroup(t.Context(), in); err == nil || !strings.Contains(err.Error(), "InvalidRequestException") {
			t.Errorf("%+v: %v", in, err)
		}
	}
}
