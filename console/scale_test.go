package console_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamodbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/xray"

	"milepost/console"
	"milepost/local/lambda"
	"milepost/local/stack"
)

// much is a stack with a machine that does as much as its input has items, and a table of events.
const much = `
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Resources:
  Much:
    Type: AWS::Serverless::StateMachine
    Properties:
      Name: much
      Definition:
        StartAt: Each
        States:
          Each:
            Type: Map
            End: true
            ItemProcessor:
              StartAt: Keep
              States: {Keep: {Type: Pass, End: true}}
  Events:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: much-events
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: streamId, AttributeType: S}, {AttributeName: version, AttributeType: N}]
      KeySchema: [{AttributeName: streamId, KeyType: HASH}, {AttributeName: version, KeyType: RANGE}]
Outputs:
  EventsTableName: {Value: !Ref Events}
`

// TestPagesOfMuch fills a stack with 10,000 executions, one of 24,000 events, a trace of 1,000 segments and as many events in
// the log as LOG_EVENTS says, and asks for each page: how long it takes, and what is kept in memory.
func TestPagesOfMuch(t *testing.T) {
	if os.Getenv("MUCH") == "" {
		t.Skip("it takes a minute: set MUCH=yes, and LOG_EVENTS to a number such as 1000000")
	}
	file := filepath.Join(t.TempDir(), "template.yaml")
	if err := os.WriteFile(file, []byte(much), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := stack.Open(stack.Options{Template: file, StackName: "much", Functions: func(f stack.Function) (lambda.Handler, error) { return nil, fmt.Errorf("no %s", f.Name) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	machines, traces, db := sfn.NewFromConfig(s.Config()), xray.NewFromConfig(s.Config()), dynamodb.NewFromConfig(s.Config())
	listed, err := machines.ListStateMachines(t.Context(), &sfn.ListStateMachinesInput{})
	if err != nil {
		t.Fatal(err)
	}
	arn, long := listed.StateMachines[0].StateMachineArn, ""
	for i := range 10000 {
		items := 1
		if i == 5000 {
			items = 6000
		}
		started, err := machines.StartExecution(t.Context(), &sfn.StartExecutionInput{StateMachineArn: arn, Input: aws.String("[" + strings.Repeat("1,", items-1) + "1]")})
		if err != nil {
			t.Fatal(err)
		}
		if i == 5000 {
			long = *started.ExecutionArn
		}
	}
	trace := fmt.Sprintf("1-%08x-e7d1852db8c4fd35d88bf49a", time.Now().Unix())
	for i := 0; i < 1000; i += 50 {
		var documents []string
		for n := range 50 {
			now := float64(time.Now().UnixMilli())/1000 - 10 + float64(i+n)/1000
			text, err := json.Marshal(map[string]any{
				"trace_id": trace, "id": fmt.Sprintf("%016x", i+n+1), "parent_id": fmt.Sprintf("%016x", max(1, (i+n)/3)), "name": fmt.Sprint("function-", n),
				"origin": "AWS::Lambda", "start_time": now, "end_time": now + .01,
			})
			if err != nil {
				t.Fatal(err)
			}
			documents = append(documents, string(text))
		}
		if _, err := traces.PutTraceSegments(t.Context(), &xray.PutTraceSegmentsInput{TraceSegmentDocuments: documents}); err != nil {
			t.Fatal(err)
		}
	}
	events := 100000
	if text := os.Getenv("LOG_EVENTS"); text != "" {
		if _, err := fmt.Sscan(text, &events); err != nil {
			t.Fatal(err)
		}
	}
	for i := 0; i < events; i += 25 {
		var puts []dynamodbtypes.WriteRequest
		for n := range 25 {
			text := func(v string) dynamodbtypes.AttributeValue { return &dynamodbtypes.AttributeValueMemberS{Value: v} }
			puts = append(puts, dynamodbtypes.WriteRequest{PutRequest: &dynamodbtypes.PutRequest{Item: map[string]dynamodbtypes.AttributeValue{
				"streamId": text(fmt.Sprint("s-", (i+n)/200)), "version": &dynamodbtypes.AttributeValueMemberN{Value: fmt.Sprint((i+n)%200 + 1)},
				"eventId": text(fmt.Sprint("e", i+n)), "eventType": text("Happened"), "occurredAt": text("2026-05-01T12:00:00Z"), "data": text(`{"a":1}`),
			}}})
		}
		if _, err := db.BatchWriteItem(t.Context(), &dynamodb.BatchWriteItemInput{RequestItems: map[string][]dynamodbtypes.WriteRequest{"much-events": puts}}); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(2 * time.Second) // until all executions have ended
	var link string
	c := console.New(console.Options{AWS: s.Config(), Stack: "much", Writable: true, Announce: func(l string) { link = l }, Seam: console.Seam{
		What: "stream", Log: "EventsTableName", Stream: func(id string) (string, bool) { return strings.ToLower(id), true }, Link: func(string) string { return "" },
		ID: func(string) (string, bool) { return "", false },
	}})
	h := c.Handler("127.0.0.1:1")
	c.Link()
	ask := func(path, cookie string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:1"+path, nil)
		r.Header.Set("Cookie", cookie)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	in := ask(strings.TrimPrefix(link, "http://127.0.0.1:1"), "").Result().Cookies()
	cookie := in[0].Name + "=" + in[0].Value
	memory := func() float64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc) / (1 << 20)
	}
	before := memory()
	for name, path := range map[string]string{
		"now": "/", "a machine of 10,000 executions": "/machines/much", "the same, searched": "/machines/much?search=nothing",
		"an execution of 24,000 events": "/executions/" + url.PathEscape(long), "its events from 12,000 on": "/executions/" + url.PathEscape(long) + "?from=12000",
		"a trace of 1,000 segments": "/traces/" + trace, "traces": "/traces", "a stream in a log of many events": "/streams/s-77", "a table of many items": "/tables/much-events",
		"failures": "/failures",
	} {
		var took [4]time.Duration
		size := 0
		for i := range took {
			began := time.Now()
			w := ask(path, cookie)
			took[i], size = time.Since(began), w.Body.Len()
			if w.Code != http.StatusOK {
				t.Fatalf("%s: %d %.500s", name, w.Code, w.Body)
			}
		}
		t.Logf("%-36s first %4d ms, then %4d ms, %5d KB", name, took[0].Milliseconds(), min(took[1], took[2], took[3]).Milliseconds(), size>>10)
		if took[0] > 5*time.Second {
			t.Errorf("%s takes %v", name, took[0])
		}
	}
	t.Logf("kept in memory: %.1f MB more than before", memory()-before)
}
