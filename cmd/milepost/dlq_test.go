package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"milepost/internal/ops/deadletter"
	"milepost/local/fault"
	"milepost/system"
)

// givenUp is how long it takes until a function that fails is given up.
const givenUp = 4 * time.Minute

// impatient are the options of a system in which a function fails, and that gives up stream records soon: the default,
// many attempts within 22 hours, would only take time.
func impatient(function *breakable) system.Options {
	return system.Options{Faults: &fault.Plan{Invoke: function.invoke}, Parameters: map[string]string{"StreamRecordAge": "60"}}
}

func TestFailedInvocationsAreRedrivenWhenTheFunctionIsMended(t *testing.T) {
	function := &breakable{function: "AccidentHistory"}
	inMemory(t, &fault.Plan{Invoke: function.invoke}, func(t *testing.T, s *running) {
		s.assertDepths(nil)
		quotes := []string{s.submit(), s.submit()}
		time.Sleep(givenUp)
		s.assertDepths(map[string]int{"failed-invocations": 2})

		var letters []deadletter.Letter
		s.mustJSON(&letters, "dlq", "show", "failed-invocations")
		if len(letters) != 2 || letters[0].Kind != deadletter.FailedInvocation || !json.Valid(letters[0].Event) {
			t.Fatalf("messages=%+v, want two failed invocations with their events", letters)
		}
		out := s.must("dlq", "show", "milepost-failed-invocations", "--max=1")
		want := letters[0].ID + `  2026-05-01T00:03:00Z, 1m1s ago
  what      QuoteRequested of quote-` + strings.TrimPrefix(quotes[0], "/quotes/") + `, version 1
  function  milepost-AccidentHistoryFunction
  given up  RetriesExhausted, attempts: 3
  error     broken: it is broken
`
		if other := strings.NewReplacer(quotes[0][8:], quotes[1][8:]).Replace(want); out != want && out != other {
			t.Errorf("show:\n%s\nwant\n%s", out, want)
		}

		out = s.must("dlq", "redrive", "failed-invocations", "--all", "--dry-run")
		if !strings.HasSuffix(out, "\nmilepost-failed-invocations: 2 could be redriven\n") {
			t.Errorf("dry run: %q", out)
		}
		s.assertDepths(map[string]int{"failed-invocations": 2})

		tries := len(function.failures())
		out = s.must("dlq", "redrive", "failed-invocations", "--all")
		if !strings.HasSuffix(out, "\nmilepost-failed-invocations: 2 redriven\n") {
			t.Errorf("redrive: %q", out)
		}
		s.assertDepths(nil)
		time.Sleep(givenUp)
		s.assertDepths(map[string]int{"failed-invocations": 2}) // because it was not fixed
		if n := len(function.failures()) - tries; n != 6 {
			t.Errorf("the function was tried %d times more, want 3 for each event", n)
		}

		function.mend()
		s.mustJSON(&letters, "dlq", "show", "failed-invocations")
		for i := range letters {
			var report redriveReport
			s.mustJSON(&report, "dlq", "redrive", "failed-invocations", "--id", letters[i].ID)
			if len(report.Redriven) != 1 || report.Redriven[0].ID != letters[i].ID || len(report.Failed) != 0 {
				t.Errorf("report=%+v, want message %s redriven", report, letters[i].ID)
			}
			s.assertNoMore("failed-invocations", 1-i)
		}
		settle()
		s.assertPriced(quotes...)
		s.assertDepths(nil)
	})
}

// assertNoMore checks how many messages a queue shows.
func (s *running) assertNoMore(queue string, want int) {
	s.t.Helper()
	var letters []deadletter.Letter
	if s.mustJSON(&letters, "dlq", "show", queue); len(letters) != want {
		s.t.Errorf("%s shows %d messages, want %d", queue, len(letters), want)
	}
}

func TestUndeliveredEventsAreRedrivenToTheirTarget(t *testing.T) {
	type delivery struct {
		rule, target string
		event        []byte
	}
	var kept atomic.Pointer[delivery]
	late := &fault.Plan{Event: func(rule, target string, event []byte) []time.Duration {
		if !strings.Contains(target, "AccidentHistory") {
			return nil
		}
		kept.Store(&delivery{rule, target, event})
		return []time.Duration{100 * time.Hour} // to be never delivered
	}}
	inMemory(t, late, func(t *testing.T, s *running) {
		quote := s.submit()
		time.Sleep(time.Minute)
		undelivered := kept.Load()
		text := func(v string) types.MessageAttributeValue {
			return types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &v}
		}
		message := &sqs.SendMessageInput{MessageBody: aws.String(string(undelivered.event)), MessageAttributes: map[string]types.MessageAttributeValue{
			"RULE_ARN": text(undelivered.rule), "TARGET_ARN": text(undelivered.target), "RETRY_ATTEMPTS": text("185"),
			"EXHAUSTED_RETRY_CONDITION": text("MaximumRetryAttempts"), "ERROR_CODE": text("THROTTLING"), "ERROR_MESSAGE": text("Rate exceeded"),
		}}
		s.send(message, "UndeliveredEventsQueueUrl")
		message.MessageAttributes["TARGET_ARN"] = text("arn:aws:sqs:us-east-1:000000000000:elsewhere")
		s.send(message, "UndeliveredEventsQueueUrl")

		out := s.must("dlq", "show", "undelivered-events")
		for _, want := range []string{
			"\n  what      QuoteRequested of quote-" + quote[8:] + ", version 1\n",
			"\n  function  milepost-AccidentHistoryFunction\n",
			"\n  rule      milepost-AccidentHistoryFunctionNewRevision\n",
			"\n  given up  MaximumRetryAttempts, attempts: 186\n",
			"\n  error     THROTTLING: Rate exceeded\n",
		} {
			if !strings.Contains(out, want) {
				t.Errorf("show:\n%s\nwant %q", out, want)
			}
		}
		got := s.milepost("dlq", "redrive", "undelivered-events", "--all")
		if got.status != 1 || !strings.HasSuffix(got.out, "\nmilepost-undelivered-events: 1 redriven, 1 failed and still there\n") ||
			!strings.Contains(got.out, "its target is not a function but arn:aws:sqs:us-east-1:000000000000:elsewhere; send it there by hand") {
			t.Errorf("redrive: %+v", got)
		}
		s.assertDepths(map[string]int{"undelivered-events": 1})
		time.Sleep(time.Hour)
		s.assertPriced(quote)
	})
}

func TestStreamFailuresAreRedriven(t *testing.T) {
	publisher := &breakable{function: "Publish"}
	inMemoryWith(t, impatient(publisher), func(t *testing.T, s *running) {
		quotes := []string{s.submit(), s.submit(), s.submit()}
		time.Sleep(givenUp)
		s.assertDepths(map[string]int{"stream-failures": 3})

		out := s.must("dlq", "show", "stream-failures", "--max=1")
		for _, want := range []string{
			"\n  what      stream records: 1\n", "\n  function  milepost-PublishFunction\n", "\n  stream    arn:aws:dynamodb:", "\n  shard     shardId-",
			"\n  arrived   2026-05-01T00:00:00Z to 2026-05-01T00:00:00Z\n", "\n  given up  RecordAgeExceeded, attempts: ", "\n  error     Unhandled\n",
		} {
			if !strings.Contains(out, want) {
				t.Errorf("show:\n%s\nwant %q", out, want)
			}
		}

		got := s.milepost("dlq", "redrive", "stream-failures", "--all")
		if got.status != 1 || strings.Count(got.out, "failed: it failed again: broken: it is broken\n") != 3 {
			t.Errorf("while it is broken: %+v", got)
		}
		s.assertDepths(map[string]int{"stream-failures": 3})
		publisher.answerWith(`{"batchItemFailures":[{"itemIdentifier":"42"}]}`)
		got = s.milepost("dlq", "redrive", "stream-failures", "--all")
		if got.status != 1 || strings.Count(got.out, "failed: it failed again from record 42 on\n") != 3 {
			t.Errorf("while it fails with some records: %+v", got)
		}
		s.assertDepths(map[string]int{"stream-failures": 3})
		payloads := publisher.failures()
		s.assertSeenBefore(payloads[len(payloads)-3:], payloads[:len(payloads)-3])
		s.must("dlq", "redrive", "stream-failures", "--all", "--dry-run")
		if len(publisher.failures()) != len(payloads) {
			t.Error("the dry run invoked the function")
		}

		publisher.mend()
		if out := s.must("dlq", "redrive", "stream-failures", "--all"); !strings.HasSuffix(out, "\nmilepost-stream-failures: 3 redriven\n") {
			t.Errorf("redrive: %q", out)
		}
		settle()
		s.assertPriced(quotes...)
		s.assertDepths(nil)
	})
}

// assertSeenBefore checks that a redrive hands to a function what Lambda did.
func (s *running) assertSeenBefore(redriven, before [][]byte) {
	s.t.Helper()
	decode := func(payload []byte) (v any) {
		if err := json.Unmarshal(payload, &v); err != nil {
			s.t.Fatal(err)
		}
		return v
	}
	for _, payload := range redriven {
		found := false
		for _, b := range before {
			found = found || reflect.DeepEqual(decode(payload), decode(b))
		}
		if !found {
			s.t.Errorf("the redrive sent\n%s\nwhich Lambda did not; it sent\n%s", payload, before[len(before)-1])
		}
	}
}

func TestStreamRecordsThatAreGoneAreNotRedriven(t *testing.T) {
	publisher := &breakable{function: "Publish"}
	inMemoryWith(t, impatient(publisher), func(t *testing.T, s *running) {
		quote := s.submit()
		time.Sleep(25 * time.Hour)
		// The stream forgets at its next record.
		if _, err := dynamodb.NewFromConfig(s.Config()).PutItem(t.Context(), &dynamodb.PutItemInput{
			TableName: aws.String("milepost-events"), Item: map[string]dbtypes.AttributeValue{
				"streamId": &dbtypes.AttributeValueMemberS{Value: "quote-" + quote[8:]}, "version": &dbtypes.AttributeValueMemberN{Value: "2"},
			},
		}); err != nil {
			t.Fatal(err)
		}
		got := s.milepost("dlq", "redrive", "stream-failures", "--all")
		const want = "the stream no longer has these records; the log has them: milepost log play --new --since 2026-04-30T23:59:55Z --until 2026-05-01T00:00:05Z\n"
		if got.status != 1 || !strings.Contains(got.out, want) {
			t.Errorf("redrive: %+v, want %q", got, want)
		}
		if n := s.depths()["stream-failures"]; n == 0 { // the item that is not an event may be there too
			t.Error("the message about the records is gone")
		}
	})
}

// TestARecordThatWasParkedIsFoundInItsStream although the function that parked it did not know its shard.
func TestARecordThatWasParkedIsFoundInItsStream(t *testing.T) {
	inMemory(t, nil, func(t *testing.T, s *running) {
		if _, err := dynamodb.NewFromConfig(s.Config()).PutItem(t.Context(), &dynamodb.PutItemInput{
			TableName: aws.String("milepost-events"), Item: map[string]dbtypes.AttributeValue{
				"streamId": &dbtypes.AttributeValueMemberS{Value: "foreign"}, "version": &dbtypes.AttributeValueMemberN{Value: "1"},
			},
		}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		s.assertDepths(map[string]int{"stream-failures": 2}) // by both readers
		if out := s.must("dlq", "show", "stream-failures"); !strings.Contains(out, "given up  Unreadable, attempts: 1\n") || !strings.Contains(out, "eventId is not a string") {
			t.Errorf("show:\n%s", out)
		}
		var letters []deadletter.Letter
		s.mustJSON(&letters, "dlq", "show", "stream-failures")
		time.Sleep(time.Minute) // they are hidden while they are looked at
		if out := s.must("dlq", "redrive", "stream-failures", "--id", letters[0].ID, "--id", letters[1].ID); !strings.HasSuffix(out, "milepost-stream-failures: 2 redriven\n") {
			t.Errorf("redrive:\n%s", out)
		}
		time.Sleep(time.Minute)
		s.assertDepths(map[string]int{"stream-failures": 2}) // it still cannot be read
	})
}

// cut breaks the connection once a request with that X-Amz-Target has come, before it is served.
type cut struct {
	aws.HTTPClient
	target string
	broken bool
}

func (c *cut) Do(r *http.Request) (*http.Response, error) {
	if c.broken = c.broken || strings.HasSuffix(r.Header.Get("X-Amz-Target"), c.target); c.broken {
		return nil, errors.New("the connection is cut")
	}
	return c.HTTPClient.Do(r)
}

func TestARedriveThatIsCutOffLosesNothing(t *testing.T) {
	function := &breakable{function: "AccidentHistory"}
	inMemory(t, &fault.Plan{Invoke: function.invoke}, func(t *testing.T, s *running) {
		quote := s.submit()
		time.Sleep(givenUp)
		function.mend()
		network := s.aws
		s.aws = &cut{HTTPClient: network, target: ".DeleteMessage"} // nor can it be given back
		got := s.milepost("dlq", "redrive", "failed-invocations", "--all")
		if got.status != 1 || !strings.Contains(got.out, "it was redriven, but is still in the queue") {
			t.Errorf("cut off: %+v", got)
		}
		s.aws = network
		s.assertNoMore("failed-invocations", 0) // yet, since it is hidden
		time.Sleep(deadletter.HiddenFor)
		if out := s.must("dlq", "redrive", "failed-invocations", "--all"); !strings.HasSuffix(out, ": 1 redriven\n") {
			t.Errorf("again: %q", out)
		}
		settle()
		s.assertPriced(quote)
		s.assertDepths(nil)
	})
}

func TestMessagesAreSeenOnceAndStay(t *testing.T) {
	inMemory(t, nil, func(t *testing.T, s *running) {
		for i := range 25 {
			s.send(&sqs.SendMessageInput{MessageBody: aws.String(fmt.Sprint("message ", i))}, "StreamFailuresQueueUrl")
			time.Sleep(time.Second)
		}
		if out := s.must("dlq", "list"); !strings.Contains(out, "milepost-stream-failures     25        25s ago\n") ||
			!strings.Contains(out, "milepost-undelivered-events  0         -\n") {
			t.Errorf("list:\n%s", out)
		}
		for range 2 {
			var letters []deadletter.Letter
			s.mustJSON(&letters, "dlq", "show", "stream-failures", "--max=15")
			if len(letters) != 15 {
				t.Fatalf("%d messages, want 15", len(letters))
			}
			for i, l := range letters {
				if want := fmt.Sprint("message ", i); l.Body != want || l.Kind != deadletter.Unknown {
					t.Errorf("message %d is %+v, want %q", i, l, want)
				}
			}
		}
		if out := s.must("dlq", "show", "stream-failures", "--max=100"); strings.Count(out, "\n  body  message ") != 25 {
			t.Errorf("show:\n%s", out)
		}
		got := s.milepost("dlq", "redrive", "stream-failures", "--all", "--json")
		var report struct {
			Redriven []deadletter.Letter
			Failed   []struct{ ID, Problem string }
		}
		if err := json.Unmarshal([]byte(got.out), &report); err != nil {
			t.Fatal(err)
		}
		tried := map[string]bool{}
		for _, f := range report.Failed {
			tried[f.ID] = true
		}
		if got.status != 1 || len(report.Redriven) != 0 || len(report.Failed) != 25 || len(tried) != 25 ||
			report.Failed[0].Problem != "it is not a message of EventBridge or Lambda, and cannot be redriven" {
			t.Errorf("redrive: %+v, want status 1 and each message failed once", got)
		}
		s.assertDepths(map[string]int{"stream-failures": 25})
	})
}

func TestAnInterruptedRedriveGivesBackWhatItHolds(t *testing.T) {
	inMemory(t, nil, func(t *testing.T, s *running) {
		for range 3 {
			s.send(&sqs.SendMessageInput{MessageBody: aws.String("message")}, "StreamFailuresQueueUrl")
		}
		ctx, interrupt := context.WithCancel(t.Context())
		var out, errs strings.Builder
		status := run(ctx, []string{"dlq", "redrive", "stream-failures", "--all"}, streams{out: onLine{&out, interrupt}, err: &errs, aws: s.aws})
		if status != 1 || errs.String() != "milepost: interrupted\n" || strings.Count(out.String(), "failed: ") != 1 {
			t.Errorf("interrupted: status %d, %q, %q, want one message tried", status, out.String(), errs.String())
		}
		synctest.Wait()
		s.assertNoMore("stream-failures", 3)
	})
}

func TestDlqRefuses(t *testing.T) {
	inMemory(t, nil, func(t *testing.T, s *running) {
		for _, row := range []struct{ args, out, err string }{
			{"show x", "", "milepost: the stack milepost has no queue or workflow x; it has: failed-invocations, stream-failures, undelivered-events, erasure, playback, quote, rebuild\n"},
			{"redrive x --all", "", "milepost: the stack milepost has no queue or workflow x; it has: failed-invocations, stream-failures, undelivered-events, erasure, playback, quote, rebuild\n"},
			{"show stream-failures --stack=other", "", "milepost: there is no stack other; is --stack its name, and --endpoint its address?\n"},
			{"redrive stream-failures --id=x", "milepost-stream-failures: 0 redriven, x not found\n", ""},
		} {
			if got := s.milepost(append([]string{"dlq"}, strings.Fields(row.args)...)...); got != (result{1, row.out, row.err}) {
				t.Errorf("dlq %s: %+v, want status 1, %q and %q", row.args, got, row.out, row.err)
			}
		}
		if out := s.must("dlq", "redrive", "stream-failures", "--all"); out != "milepost-stream-failures: 0 redriven\n" {
			t.Errorf("an empty queue: %q", out)
		}
		if out := s.must("dlq", "show", "stream-failures"); out != "milepost-stream-failures is empty.\n" {
			t.Errorf("an empty queue: %q", out)
		}
	})
}

// onLine calls a function before each line is written.
type onLine struct {
	io.Writer
	do func()
}

func (w onLine) Write(p []byte) (int, error) {
	w.do()
	return w.Writer.Write(p)
}

func TestWhatTheArchiveMissedIsRedriven(t *testing.T) {
	archive := &breakable{function: "Archive"}
	inMemoryWith(t, impatient(archive), func(t *testing.T, s *running) {
		quote := s.submit()
		time.Sleep(2 * givenUp) // until the last record is too old
		s.assertPriced(quote)
		if depth := s.depths()["stream-failures"]; depth == 0 {
			t.Fatal("nothing was given up")
		}
		if out := s.must("dlq", "show", "stream-failures", "--max=1"); !strings.Contains(out, "\n  function  milepost-ArchiveFunction\n") {
			t.Errorf("show:\n%s", out)
		}
		archive.mend()
		s.must("dlq", "redrive", "stream-failures", "--all")
		s.assertDepths(nil)
		bucket := "s3://" + s.Outputs()["ArchiveBucketName"].Value + "/"
		if out := s.must("log", "import", bucket); out != "4 events of 1 quotes: 0 imported, 4 there already\n" {
			t.Errorf("the archive: %q", out)
		}
	})
}

// distant is a network on which a request takes its time.
type distant struct{ aws.HTTPClient }

func (d distant) Do(r *http.Request) (*http.Response, error) {
	time.Sleep(10 * time.Millisecond)
	return d.HTTPClient.Do(r)
}

func TestWhatTheArchiveMissedForADayIsExported(t *testing.T) {
	archive := &breakable{function: "Archive"}
	inMemoryWith(t, impatient(archive), func(t *testing.T, s *running) {
		quote := s.submit()
		time.Sleep(25 * time.Hour)
		archive.mend()
		bucket := "s3://" + s.Outputs()["ArchiveBucketName"].Value + "/"
		s.must("log", "export", bucket, "--since", "2026-04-30T23:59:55Z")
		if out := s.must("log", "import", bucket, "--check"); out != "4 events of 1 quotes checked: each follows the one before it\n" {
			t.Errorf("the archive: %q", out)
		}
		// The stream forgets at its next record.
		if _, err := dynamodb.NewFromConfig(s.Config()).PutItem(t.Context(), &dynamodb.PutItemInput{
			TableName: aws.String("milepost-events"), Item: map[string]dbtypes.AttributeValue{
				"streamId": &dbtypes.AttributeValueMemberS{Value: "quote-" + quote[8:]}, "version": &dbtypes.AttributeValueMemberN{Value: "9"},
			},
		}); err != nil {
			t.Fatal(err)
		}
		s.aws = distant{s.aws} // otherwise what is parked again arrives at the very instant the command began
		got := s.milepost("dlq", "redrive", "stream-failures", "--all")
		const want = "the log has them: milepost log export s3://BUCKET/ (the archive's) --since 2026-04-30T23:5"
		if got.status != 1 || !strings.Contains(got.out, want) {
			t.Errorf("redrive: %+v, want %q", got, want)
		}
	})
}
