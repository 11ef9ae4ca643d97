package eventbridge_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"milepost/local/awsapi"
	"milepost/local/eventbridge"
	"milepost/local/fault"
	"milepost/local/storage"
)

const (
	targetARN = "arn:aws:lambda:us-east-1:000000000000:function:target"
	queueARN  = "arn:aws:sqs:us-east-1:000000000000:dead"
	trace     = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
)

// recorder is a target that remembers what it was given, and a dead-letter queue.
type recorder struct {
	fail func(attempt int) error // nil succeeds

	mu       sync.Mutex
	got      []eventbridge.Delivery
	traces   []string
	at       []time.Time
	attempts int
	dead     []deadLetter
}

type deadLetter struct {
	queue, body, trace string
	attributes         map[string]string
}

func (r *recorder) Deliver(ctx context.Context, d eventbridge.Delivery) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.attempts++
	r.at = append(r.at, time.Now())
	if r.fail != nil {
		if err := r.fail(r.attempts); err != nil {
			return err
		}
	}
	r.got = append(r.got, d)
	r.traces = append(r.traces, awsapi.TraceHeader(ctx))
	return nil
}

func (r *recorder) deadLetters(ctx context.Context, queue, body string, attributes map[string]string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dead = append(r.dead, deadLetter{queue, body, awsapi.TraceHeader(ctx), attributes})
	return nil
}

func (r *recorder) payloads() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for _, d := range r.got {
		all = append(all, string(d.Payload))
	}
	return all
}

// newService starts a service with the bus "quotes" and, if pattern is not "", the rule "rule" with
// one target.
func newService(t *testing.T, config eventbridge.Config, r *recorder, pattern string, target eventbridge.Target) *eventbridge.Service {
	t.Helper()
	config.Targets, config.DeadLetters = r, r.deadLetters
	s, err := eventbridge.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if _, err := s.CreateEventBus("quotes", ""); err != nil {
		t.Fatal(err)
	}
	if pattern != "" {
		putRule(t, s, "rule", pattern, target)
	}
	return s
}

func putRule(t *testing.T, s *eventbridge.Service, name, pattern string, target eventbridge.Target) string {
	t.Helper()
	arn, err := s.PutRule(eventbridge.Rule{Name: name, EventBusName: "quotes", EventPattern: pattern})
	if err != nil {
		t.Fatal(err)
	}
	if target.ID == "" {
		target.ID = "t"
	}
	if target.ARN == "" {
		target.ARN = targetARN
	}
	if err := s.PutTargets("quotes", name, target); err != nil {
		t.Fatal(err)
	}
	return arn
}

func client(s *eventbridge.Service) *sdk.Client {
	server := awsapi.NewServer()
	server.Handle("AWSEvents", "", s)
	return sdk.New(sdk.Options{
		Region: awsapi.Region, BaseEndpoint: aws.String("http://local"), Credentials: aws.AnonymousCredentials{},
		HTTPClient: &http.Client{Transport: &awsapi.Transport{Server: server, Caller: &awsapi.Caller{}}},
		Retryer:    aws.NopRetryer{},
	})
}

func entry(source, detail string) types.PutEventsRequestEntry {
	return types.PutEventsRequestEntry{
		EventBusName: aws.String("quotes"), Source: &source, DetailType: aws.String("Happened"), Detail: &detail,
	}
}

func publish(t *testing.T, c *sdk.Client, entries ...types.PutEventsRequestEntry) *sdk.PutEventsOutput {
	t.Helper()
	out, err := c.PutEvents(t.Context(), &sdk.PutEventsInput{Entries: entries})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAnEventReachesTheTargetsOfTheRulesThatMatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		s := newService(t, eventbridge.Config{}, r, `{"source":["shop"],"detail":{"n":[1]}}`, eventbridge.Target{})
		e := entry("shop", `{"n": 1, "text": "<&>"}`)
		e.Time, e.Resources = aws.Time(time.Date(2026, 11, 22, 0, 13, 49, 999e6, time.UTC)), []string{"arn:a"}
		e.TraceHeader = aws.String(trace)
		out := publish(t, client(s), e, entry("shop", `{"n": 2}`), entry("other", `{"n": 1}`))
		synctest.Wait()
		id := *out.Entries[0].EventId
		want := []string{`{"version":"0","id":"` + id + `","detail-type":"Happened","source":"shop","account":"000000000000","time":"2026-11-22T00:13:49Z","region":"us-east-1","resources":["arn:a"],"detail":{"n":1,"text":"<&>"}}`}
		if got := r.payloads(); !slices.Equal(got, want) {
			t.Errorf("payloads = %v, want %v", got, want)
		}
		if len(r.traces) != 1 || r.traces[0] != trace {
			t.Errorf("trace headers = %q, want %q", r.traces, trace)
		}
		if s.Pending() != 0 {
			t.Errorf("Pending = %d, want 0", s.Pending())
		}
	})
}

func TestTheTraceHeaderOfAnEntryWinsOverTheOneOfTheRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		other := strings.Replace(trace, "1-5759e988", "1-00000000", 1)
		r := &recorder{}
		s := newService(t, eventbridge.Config{}, r, `{"source":["shop"]}`, eventbridge.Target{})
		for header, want := range map[string]string{"": trace, other: other, "nonsense": ""} {
			body := fmt.Sprintf(`{"Entries":[{"EventBusName":"quotes","Source":"shop","DetailType":"x","Detail":"{}","TraceHeader":%q}]}`, header)
			if _, err := s.Call(awsapi.WithTraceHeader(t.Context(), trace), "PutEvents", []byte(body)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if got := r.traces[len(r.traces)-1]; got != want {
				t.Errorf("with TraceHeader %q the target got %q, want %q", header, got, want)
			}
		}
	})
}

func TestPutEventsTellsOfEachEntry(t *testing.T) {
	t.Parallel()
	s := newService(t, eventbridge.Config{}, &recorder{}, "", eventbridge.Target{})
	noSource, noType := entry("shop", `{}`), entry("shop", `{}`)
	noSource.Source, noType.DetailType = nil, nil
	out := publish(t, client(s),
		entry("shop", `{}`), noSource, noType, entry("shop", `[1]`), entry("shop", `{`), entry("aws.shop", `{}`), entry("shop", ""))
	var codes []string
	for _, e := range out.Entries {
		codes = append(codes, aws.ToString(e.ErrorCode))
	}
	want := []string{"", "InvalidArgument", "InvalidArgument", "MalformedDetail", "MalformedDetail", "NotAuthorizedForSourceException", "InvalidArgument"}
	if !slices.Equal(codes, want) || out.FailedEntryCount != 6 {
		t.Errorf("codes = %q with %d failures, want %q", codes, out.FailedEntryCount, want)
	}
}

func TestPutEventsRefusesTheWholeCall(t *testing.T) {
	t.Parallel()
	s := newService(t, eventbridge.Config{}, &recorder{}, "", eventbridge.Target{})
	for name, c := range map[string]struct{ body, code string }{
		"no entries":                 {`{"Entries":[]}`, "ValidationException"},
		"eleven entries":             {`{"Entries":[` + strings.Repeat(`{"Source":"a"},`, 10) + `{}]}`, "ValidationException"},
		"no entry has what it needs": {`{"Entries":[{"Resources":["a"]},{}]}`, "ValidationException"},
		"too much together":          {`{"Entries":[{"Source":"a","DetailType":"b","Detail":"{\"x\":\"` + strings.Repeat("x", 1<<20) + `\"}"}]}`, "ValidationException"},
		"an endpoint":                {`{"Entries":[{"Source":"a"}],"EndpointId":"x"}`, "NotImplemented"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := s.Call(t.Context(), "PutEvents", []byte(c.body))
			if err == nil || awsapi.AsError(err).Code != c.code {
				t.Errorf("PutEvents = %v, want %s", err, c.code)
			}
		})
	}
}

type denial struct{}

func (denial) Authorize(action, resource string) error {
	return fmt.Errorf("no %s on %s", action, resource)
}

func TestPutEventsAsksForPermissionOnTheBus(t *testing.T) {
	t.Parallel()
	s := newService(t, eventbridge.Config{}, &recorder{}, "", eventbridge.Target{})
	ctx := awsapi.WithCaller(t.Context(), awsapi.Caller{Policy: denial{}})
	_, err := s.Call(ctx, "PutEvents", []byte(`{"Entries":[{"EventBusName":"quotes","Source":"a","DetailType":"b","Detail":"{}"}]}`))
	if want := "AccessDeniedException: no events:PutEvents on arn:aws:events:us-east-1:000000000000:event-bus/quotes"; err == nil || err.Error() != want {
		t.Errorf("PutEvents = %v, want %s", err, want)
	}
}

func TestADeliveryIsRetriedWithGrowingPauses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{fail: func(attempt int) error {
			if attempt < 5 {
				return &eventbridge.DeliveryError{Code: "THROTTLING", Retryable: true}
			}
			return nil
		}}
		s := newService(t, eventbridge.Config{}, r, `{"source":["shop"]}`, eventbridge.Target{})
		publish(t, client(s), entry("shop", `{}`))
		if err := s.Idle(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(r.got) != 1 || r.attempts != 5 {
			t.Fatalf("%d deliveries after %d attempts, want 1 after 5", len(r.got), r.attempts)
		}
		for i := range 4 {
			pause, longest := r.at[i+1].Sub(r.at[i]), time.Second<<i
			if pause < longest/2 || pause > longest {
				t.Errorf("pause %d = %v, want between %v and %v", i, pause, longest/2, longest)
			}
		}
	})
}

func TestWhatCannotBeDeliveredGoesToTheDeadLetterQueue(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		failure  error
		policy   eventbridge.RetryPolicy
		attempts int // 0: any number
		want     map[string]string
	}{
		"at once when the target is missing": {
			failure: &eventbridge.DeliveryError{Code: "NO_RESOURCE", Message: "gone"}, attempts: 1,
			want: map[string]string{"ERROR_CODE": "NO_RESOURCE", "ERROR_MESSAGE": "gone", "RETRY_ATTEMPTS": "0"},
		},
		"after the last attempt": {
			failure: &eventbridge.DeliveryError{Code: "TIMEOUT", Message: "slow", Retryable: true}, attempts: 3,
			policy: eventbridge.RetryPolicy{MaximumRetryAttempts: aws.Int(2)},
			want:   map[string]string{"ERROR_CODE": "TIMEOUT", "ERROR_MESSAGE": "slow", "RETRY_ATTEMPTS": "2", "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts"},
		},
		"when the event is too old": {
			failure: fmt.Errorf("no answer"),
			policy:  eventbridge.RetryPolicy{MaximumEventAgeInSeconds: aws.Int(60)},
			want:    map[string]string{"ERROR_CODE": "SDK_CLIENT_ERROR", "ERROR_MESSAGE": "no answer", "EXHAUSTED_RETRY_CONDITION": "MaximumEventAgeInSeconds"},
		},
		"after a day by default": {
			failure: fmt.Errorf("no answer"),
			want:    map[string]string{"ERROR_CODE": "SDK_CLIENT_ERROR", "ERROR_MESSAGE": "no answer"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := &recorder{fail: func(int) error { return c.failure }}
				s := newService(t, eventbridge.Config{}, r, `{"source":["shop"]}`, eventbridge.Target{
					Input: `{"constant":true}`, RetryPolicy: &c.policy, DeadLetterConfig: &eventbridge.DeadLetterConfig{ARN: queueARN},
				})
				e := entry("shop", `{}`)
				e.TraceHeader = aws.String(trace)
				publish(t, client(s), e)
				if err := s.Idle(t.Context()); err != nil {
					t.Fatal(err)
				}
				if len(r.dead) != 1 {
					t.Fatalf("%d dead letters, want 1", len(r.dead))
				}
				d := r.dead[0]
				want := maps.Clone(c.want)
				want["RULE_ARN"], want["TARGET_ARN"] = "arn:aws:events:us-east-1:000000000000:rule/quotes/rule", targetARN
				if c.attempts == 0 { // how many attempts fit depends on the jitter
					want["RETRY_ATTEMPTS"] = d.attributes["RETRY_ATTEMPTS"]
					want["EXHAUSTED_RETRY_CONDITION"] = d.attributes["EXHAUSTED_RETRY_CONDITION"]
				} else if r.attempts != c.attempts {
					t.Errorf("%d attempts, want %d", r.attempts, c.attempts)
				}
				if d.queue != queueARN || d.body != `{"constant":true}` || d.trace != trace || !maps.Equal(d.attributes, want) {
					t.Errorf("dead letter = %+v, want attributes %v", d, want)
				}
			})
		})
	}
}

func TestAFaultPlanDuplicatesAndDelays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		plan := &fault.Plan{Event: func(string, string, []byte) []time.Duration { return []time.Duration{0, time.Hour} }}
		s := newService(t, eventbridge.Config{Faults: plan}, r, `{"source":["shop"]}`, eventbridge.Target{})
		start := time.Now()
		publish(t, client(s), entry("shop", `{}`))
		if err := s.Idle(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(r.at) != 2 || !r.at[0].Equal(start) || r.at[1].Sub(start) != time.Hour {
			t.Errorf("deliveries at %v, want at once and an hour later", r.at)
		}
	})
}

func TestAnAcceptedEventSurvivesTheProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state")
	failing := &recorder{fail: func(int) error { return fmt.Errorf("down") }}
	first := open(t, path)
	s := newService(t, eventbridge.Config{Store: first}, failing, `{"source":["shop"]}`, eventbridge.Target{InputPath: "$.detail"})
	e := entry("shop", `{"n":7}`)
	e.TraceHeader = aws.String(trace)
	publish(t, client(s), e)
	s.Close()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}

	working := &recorder{}
	second := open(t, path)
	s = newService(t, eventbridge.Config{Store: second}, working, "", eventbridge.Target{})
	s.Start()
	if err := s.Idle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := working.payloads(); !slices.Equal(got, []string{`{"n":7}`}) || working.traces[0] != trace {
		t.Errorf("after the restart the target got %q with %q", got, working.traces)
	}
	count := 0
	if err := second.Each("eventbridge.pending", func(_, _ []byte) error { count++; return nil }); err != nil || count != 0 {
		t.Errorf("%d events are pending after delivery, %v", count, err)
	}
	s.Close()
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, path string) *storage.Store {
	t.Helper()
	s, err := storage.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTheTemplateCannotDeclareWhatIsNotSupported(t *testing.T) {
	t.Parallel()
	s := newService(t, eventbridge.Config{}, &recorder{}, `{"source":["shop"]}`, eventbridge.Target{})
	for name, c := range map[string]struct {
		err  error
		code string
	}{
		"a rule for nothing":        {second(s.PutRule(eventbridge.Rule{Name: "r"})), "ValidationException"},
		"a bad pattern":             {second(s.PutRule(eventbridge.Rule{Name: "r", EventPattern: `{"a":1}`})), "InvalidEventPatternException"},
		"a rule on no bus":          {second(s.PutRule(eventbridge.Rule{Name: "r", EventBusName: "none", EventPattern: `{"a":[1]}`})), "ResourceNotFoundException"},
		"two inputs":                {s.PutTargets("quotes", "rule", eventbridge.Target{ID: "a", ARN: "b", Input: "1", InputPath: "$"}), "ValidationException"},
		"a filter in an input path": {s.PutTargets("quotes", "rule", eventbridge.Target{ID: "a", ARN: "b", InputPath: "$.a[?(@.b)]"}), "NotImplemented"},
		"six targets":               {s.PutTargets("quotes", "rule", targets(6)...), "LimitExceededException"},
		"too many retries":          {s.PutTargets("quotes", "rule", eventbridge.Target{ID: "a", ARN: "b", RetryPolicy: &eventbridge.RetryPolicy{MaximumRetryAttempts: aws.Int(186)}}), "ValidationException"},
		"an archive of no bus":      {second(s.CreateArchive(eventbridge.Archive{ArchiveName: "a", EventSourceArn: "arn:aws:events:us-east-1:000000000000:event-bus/none"})), "ResourceNotFoundException"},
		"a bus twice":               {second(s.CreateEventBus("quotes", "")), "ResourceAlreadyExistsException"},
	} {
		if c.err == nil || awsapi.AsError(c.err).Code != c.code {
			t.Errorf("%s: %v, want %s", name, c.err, c.code)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func targets(n int) []eventbridge.Target {
	var all []eventbridge.Target
	for i := range n {
		all = append(all, eventbridge.Target{ID: fmt.Sprint("x", i), ARN: targetARN})
	}
	return all
}

func TestRulesAreDescribedAndSwitched(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		s := newService(t, eventbridge.Config{}, r, `{"source":["shop"]}`, eventbridge.Target{RoleARN: "arn:role"})
		c, ctx, name, bus := client(s), t.Context(), aws.String("rule"), aws.String("quotes")
		if _, err := c.DisableRule(ctx, &sdk.DisableRuleInput{Name: name, EventBusName: bus}); err != nil {
			t.Fatal(err)
		}
		publish(t, c, entry("shop", `{}`))
		synctest.Wait()
		described, err := c.DescribeRule(ctx, &sdk.DescribeRuleInput{Name: name, EventBusName: bus})
		if err != nil || described.State != types.RuleStateDisabled || *described.EventPattern != `{"source":["shop"]}` {
			t.Fatalf("DescribeRule = %+v, %v", described, err)
		}
		if len(r.got) != 0 {
			t.Error("a disabled rule delivered an event")
		}
		if _, err := c.EnableRule(ctx, &sdk.EnableRuleInput{Name: name, EventBusName: bus}); err != nil {
			t.Fatal(err)
		}
		publish(t, c, entry("shop", `{}`))
		synctest.Wait()
		if len(r.got) != 1 {
			t.Errorf("an enabled rule delivered %d events, want 1", len(r.got))
		}
		listed, err := c.ListTargetsByRule(ctx, &sdk.ListTargetsByRuleInput{Rule: name, EventBusName: bus})
		if err != nil || len(listed.Targets) != 1 || *listed.Targets[0].RoleArn != "arn:role" {
			t.Errorf("ListTargetsByRule = %+v, %v", listed, err)
		}
		names, err := c.ListRuleNamesByTarget(ctx, &sdk.ListRuleNamesByTargetInput{TargetArn: listed.Targets[0].Arn, EventBusName: bus})
		if err != nil || !slices.Equal(names.RuleNames, []string{*name}) {
			t.Errorf("ListRuleNamesByTarget = %+v, %v", names, err)
		}
		if names, err = c.ListRuleNamesByTarget(ctx, &sdk.ListRuleNamesByTargetInput{TargetArn: aws.String("arn:none"), EventBusName: bus}); err != nil || len(names.RuleNames) != 0 {
			t.Errorf("ListRuleNamesByTarget of no target = %+v, %v", names, err)
		}
		buses, err := c.ListEventBuses(ctx, &sdk.ListEventBusesInput{Limit: aws.Int32(1)})
		if err != nil || len(buses.EventBuses) != 1 || *buses.EventBuses[0].Name != "default" || *buses.NextToken != "default" {
			t.Errorf("ListEventBuses = %+v, %v", buses, err)
		}
		rules, err := c.ListRules(ctx, &sdk.ListRulesInput{EventBusName: bus, NamePrefix: aws.String("ru")})
		if err != nil || len(rules.Rules) != 1 {
			t.Errorf("ListRules = %+v, %v", rules, err)
		}
		if _, err := c.DescribeRule(ctx, &sdk.DescribeRuleInput{Name: aws.String("none")}); err == nil || !strings.Contains(err.Error(), "ResourceNotFoundException") {
			t.Errorf("DescribeRule of no rule = %v", err)
		}
		if _, err := c.PutPermission(ctx, &sdk.PutPermissionInput{}); err == nil || !strings.Contains(err.Error(), "PutPermission") {
			t.Errorf("PutPermission = %v, want a refusal that names it", err)
		}
	})
}

// number reads detail.n of an event.
func number(t *testing.T, payload string) int {
	t.Helper()
	var e struct{ Detail struct{ N int } }
	if err := json.Unmarshal([]byte(payload), &e); err != nil {
		t.Fatal(err)
	}
	return e.Detail.N
}
