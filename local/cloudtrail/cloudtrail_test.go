package cloudtrail_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/smithy-go"

	"milepost/local/awsapi"
	"milepost/local/cloudtrail"
	"milepost/local/iam"
)

const (
	table = "arn:aws:dynamodb:us-east-1:000000000000:table/notes"
	queue = "arn:aws:sqs:us-east-1:000000000000:letters"
)

// client returns the client of the account itself.
func client(trail *cloudtrail.Service) *sdk.Client {
	server := awsapi.NewServer()
	server.Handle(cloudtrail.Target, "", trail)
	return sdk.NewFromConfig(aws.Config{
		Region: awsapi.Region, Credentials: aws.AnonymousCredentials{}, Retryer: func() aws.Retryer { return aws.NopRetryer{} },
		HTTPClient: &awsapi.Transport{Server: server, Caller: &awsapi.Caller{ARN: awsapi.Root}},
	})
}

func mustFind(t *testing.T, c *sdk.Client, in *sdk.LookupEventsInput) []types.Event {
	t.Helper()
	var all []types.Event
	pages := sdk.NewLookupEventsPaginator(c, in)
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page.Events...)
	}
	return all
}

func names(all []types.Event) string {
	var list []string
	for _, e := range all {
		list = append(list, aws.ToString(e.EventName))
	}
	return strings.Join(list, " ")
}

// calls lets a function make three calls: one that is allowed, one that is forbidden, and one that nothing allows.
func calls(t *testing.T, trail *cloudtrail.Service) {
	t.Helper()
	policy, err := iam.ParsePolicy("notes", []byte(`{"Statement": [
		{"Effect": "Allow", "Action": "dynamodb:*Item", "Resource": "*"},
		{"Sid": "Keep", "Effect": "Deny", "Action": "dynamodb:DeleteItem", "Resource": "*"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	role := iam.NewRole("arn:aws:iam::000000000000:role/writer", "submit", policy)
	ctx := awsapi.WithCaller(t.Context(), awsapi.Caller{ARN: role.ARN, Policy: role, Record: trail, RequestID: "r-1"})
	ctx = awsapi.WithTraceHeader(ctx, "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1")
	for _, call := range [][2]string{{"dynamodb:PutItem", table}, {"dynamodb:DeleteItem", table}, {"sqs:ReceiveMessage", queue}} {
		err := awsapi.Authorize(ctx, call[0], call[1])
		if (err == nil) != (call[0] == "dynamodb:PutItem") {
			t.Errorf("%s: %v", call[0], err)
		}
		time.Sleep(time.Second)
	}
}

func TestAnEventSaysWhichStatementDecided(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		trail := &cloudtrail.Service{}
		calls(t, trail)
		all := mustFind(t, client(trail), &sdk.LookupEventsInput{})
		if got := names(all); got != "ReceiveMessage DeleteItem PutItem" {
			t.Fatalf("the newest first: %s", got)
		}
		type statement struct {
			Kind, Policy, Sid, Effect string
			Index                     int
		}
		for i, want := range []struct {
			decision, code, message string
			statement               *statement
		}{
			{"implicitDeny", "AccessDenied", "User: arn:aws:sts::000000000000:assumed-role/writer/submit is not authorized to perform: sqs:ReceiveMessage on resource: " + queue, nil},
			{"explicitDeny", "AccessDenied", " with an explicit deny", &statement{"identity-based", "notes", "Keep", "Deny", 2}},
			{"allowed", "", "", &statement{"identity-based", "notes", "", "Allow", 1}},
		} {
			var got struct {
				EventVersion, EventTime, EventSource, EventName, ErrorCode, ErrorMessage, RequestID, EventID string
				UserIdentity                                                                                 struct{ Type, ARN string }
				AdditionalEventData                                                                          struct {
					Decision, TraceID string
					Statement         *statement
				}
			}
			if err := json.Unmarshal([]byte(aws.ToString(all[i].CloudTrailEvent)), &got); err != nil {
				t.Fatal(err)
			}
			d := got.AdditionalEventData
			if d.Decision != want.decision || got.ErrorCode != want.code || !strings.Contains(got.ErrorMessage, want.message) || fmt.Sprint(d.Statement) != fmt.Sprint(want.statement) {
				t.Errorf("event %d: %s", i, aws.ToString(all[i].CloudTrailEvent))
			}
			if got.RequestID != "r-1" || d.TraceID != "1-5759e988-bd862e3fe1be46a994272793" || got.UserIdentity.Type != "AssumedRole" || got.EventID != aws.ToString(all[i].EventId) {
				t.Errorf("event %d: %+v", i, got)
			}
		}
		if e := all[2]; aws.ToString(e.Username) != "submit" || aws.ToString(e.EventSource) != "dynamodb.amazonaws.com" || aws.ToString(e.ReadOnly) != "false" ||
			len(e.Resources) != 1 || aws.ToString(e.Resources[0].ResourceName) != table {
			t.Errorf("%+v", e)
		}
	})
}

func TestEventsAreFoundByAnAttributeAndTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		trail, began := &cloudtrail.Service{}, time.Now()
		calls(t, trail)
		trail.Record(awsapi.Decision{Time: time.Now(), Caller: "events.amazonaws.com", Action: "sqs:SendMessage", Resource: queue, Allowed: true, By: &awsapi.Statement{Index: 3}})
		c := client(trail)
		by := func(key types.LookupAttributeKey, value string) *sdk.LookupEventsInput {
			return &sdk.LookupEventsInput{LookupAttributes: []types.LookupAttribute{{AttributeKey: key, AttributeValue: &value}}}
		}
		for name, test := range map[string]struct {
			in   *sdk.LookupEventsInput
			want string
		}{
			"a name":       {by("EventName", "DeleteItem"), "DeleteItem"},
			"a source":     {by("EventSource", "sqs.amazonaws.com"), "SendMessage ReceiveMessage"},
			"a function":   {by("Username", "submit"), "ReceiveMessage DeleteItem PutItem"},
			"a service":    {by("Username", "events.amazonaws.com"), "SendMessage"},
			"a resource":   {by("ResourceName", queue), "SendMessage ReceiveMessage"},
			"reads":        {by("ReadOnly", "true"), "ReceiveMessage"},
			"one":          {by("EventId", "00000000-0000-4000-8000-000000000001"), "PutItem"},
			"none":         {by("EventName", "Nothing"), ""},
			"since a time": {&sdk.LookupEventsInput{StartTime: aws.Time(began.Add(2 * time.Second))}, "SendMessage ReceiveMessage"},
			"until a time": {&sdk.LookupEventsInput{EndTime: aws.Time(began.Add(time.Second))}, "DeleteItem PutItem"},
			"in pages":     {&sdk.LookupEventsInput{MaxResults: aws.Int32(3)}, "SendMessage ReceiveMessage DeleteItem PutItem"},
		} {
			if got := names(mustFind(t, c, test.in)); got != test.want {
				t.Errorf("by %s: %s, want %s", name, got, test.want)
			}
		}
		sent := mustFind(t, c, by("Username", "events.amazonaws.com"))[0]
		if text := aws.ToString(sent.CloudTrailEvent); !strings.Contains(text, `"kind":"resource-based","policy":"`+queue+`","index":3`) || !strings.Contains(text, `"invokedBy":"events.amazonaws.com"`) {
			t.Errorf("a decision of a resource's policy: %s", text)
		}
	})
}

func TestAPageBeginsAfterTheOneBeforeWhateverHappens(t *testing.T) {
	t.Parallel()
	trail := &cloudtrail.Service{}
	record := func(name string) {
		trail.Record(awsapi.Decision{Time: time.Now(), Caller: "a", Action: "x:" + name, Allowed: true})
	}
	record("A")
	record("B")
	c := client(trail)
	first, err := c.LookupEvents(t.Context(), &sdk.LookupEventsInput{MaxResults: aws.Int32(1)})
	if err != nil {
		t.Fatal(err)
	}
	record("C")
	second, err := c.LookupEvents(t.Context(), &sdk.LookupEventsInput{MaxResults: aws.Int32(1), NextToken: first.NextToken})
	if err != nil || names(first.Events) != "B" || names(second.Events) != "A" || second.NextToken != nil {
		t.Errorf("%s, then %s: %v", names(first.Events), names(second.Events), err)
	}
}

// TestAFloodOfCallsKeepsTheDenied also bounds what is kept.
func TestAFloodOfCallsKeepsTheDenied(t *testing.T) {
	t.Parallel()
	trail := &cloudtrail.Service{}
	trail.Record(awsapi.Decision{Time: time.Now(), Caller: "a", Action: "x:Denied"})
	for range 5000 {
		trail.Record(awsapi.Decision{Time: time.Now(), Caller: "a", Action: "x:Allowed", Allowed: true})
		trail.Record(awsapi.Decision{Time: time.Now(), Caller: awsapi.Root, Action: "x:Own", Allowed: true})
	}
	counts := map[string]int{}
	for _, e := range mustFind(t, client(trail), &sdk.LookupEventsInput{}) {
		counts[aws.ToString(e.EventName)]++
	}
	if fmt.Sprint(counts) != "map[Allowed:2000 Denied:1 Own:500]" {
		t.Errorf("kept: %v", counts)
	}
}

func TestLookupsThatAreRefused(t *testing.T) {
	t.Parallel()
	c := client(&cloudtrail.Service{})
	attribute := types.LookupAttribute{AttributeKey: "EventName", AttributeValue: aws.String("x")}
	now := time.Now()
	for code, in := range map[string]*sdk.LookupEventsInput{
		"InvalidMaxResultsException":       {MaxResults: aws.Int32(51)},
		"InvalidNextTokenException":        {NextToken: aws.String("x")},
		"InvalidTimeRangeException":        {StartTime: aws.Time(now), EndTime: aws.Time(now.Add(-time.Minute))},
		"InvalidLookupAttributesException": {LookupAttributes: []types.LookupAttribute{attribute, attribute}},
		"InvalidEventCategoryException":    {EventCategory: "other"},
		"NotImplemented":                   {LookupAttributes: []types.LookupAttribute{{AttributeKey: "AccessKeyId", AttributeValue: aws.String("x")}}},
	} {
		_, err := c.LookupEvents(t.Context(), in)
		if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != code {
			t.Errorf("%v, want %s", err, code)
		}
	}
	_, err := c.DescribeTrails(t.Context(), &sdk.DescribeTrailsInput{})
	if err == nil || !strings.Contains(err.Error(), "DescribeTrails") {
		t.Errorf("another operation: %v, want an error that names it", err)
	}
	role := iam.NewRole("arn:aws:iam::000000000000:role/writer", "submit")
	ctx := awsapi.WithCaller(t.Context(), awsapi.Caller{ARN: role.ARN, Policy: role})
	if _, err := (&cloudtrail.Service{}).Call(ctx, "LookupEvents", nil); awsapi.AsError(err).Code != "AccessDeniedException" {
		t.Errorf("a role that may not: %v", err)
	}
}

// BenchmarkAuthorize shows what keeping decisions costs each call.
func BenchmarkAuthorize(b *testing.B) {
	policy, err := iam.ParsePolicy("notes", []byte(`{"Statement": {"Effect": "Allow", "Action": "dynamodb:*Item", "Resource": "*"}}`))
	if err != nil {
		b.Fatal(err)
	}
	role := iam.NewRole("arn:aws:iam::000000000000:role/writer", "submit", policy)
	for name, trail := range map[string]awsapi.Recorder{"recorded": &cloudtrail.Service{}, "forgotten": nil} {
		b.Run(name, func(b *testing.B) {
			ctx := awsapi.WithCaller(context.Background(), awsapi.Caller{ARN: role.ARN, Policy: role, Record: trail, RequestID: "r"})
			b.ReportAllocs()
			for b.Loop() {
				if err := awsapi.Authorize(ctx, "dynamodb:PutItem", table); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
