package main

import (
	"context"
	"encoding/json"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"milepost/internal/ops/watch"
)

// watched runs milepost watch while something happens, and returns what it told.
func (s *running) watched(while func(), args ...string) []watch.Entry {
	s.t.Helper()
	ctx, stop := context.WithCancel(s.t.Context())
	done := make(chan result)
	go func() { done <- s.milepostUntil(ctx, append([]string{"watch", "--json"}, args...)...) }()
	time.Sleep(time.Second)
	while()
	time.Sleep(2 * time.Minute)
	stop()
	r := <-done
	if r.status != 0 || r.err != "" {
		s.t.Fatalf("watch: status %d, %s", r.status, r.err)
	}
	var all []watch.Entry
	for line := range strings.Lines(r.out) {
		var e watch.Entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			s.t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

func TestWatchTellsWhatHappensOnce(t *testing.T) {
	inMemory(t, nil, func(t *testing.T, s *running) {
		before := path.Base(s.submit())
		time.Sleep(16 * time.Hour) // letters go out by day
		var id string
		all := s.watched(func() {
			id = path.Base(s.submit())
			time.Sleep(time.Minute)
			machines := sfn.NewFromConfig(s.Config())
			if _, err := machines.StartExecution(t.Context(), &sfn.StartExecutionInput{StateMachineArn: aws.String(s.Outputs()["RebuildWorkflowArn"].Value), Name: aws.String("wrong"), Input: aws.String(`{"way":"no"}`)}); err != nil {
				t.Fatal(err)
			}
			queue := s.Outputs()["FailedInvocationsQueueUrl"].Value
			if _, err := sqs.NewFromConfig(s.Config()).SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &queue, MessageBody: aws.String("{}")}); err != nil {
				t.Fatal(err)
			}
		})
		told := map[string]int{}
		for _, e := range all {
			told[string(e.Kind)+" "+e.QuoteID+" "+e.What]++
			if e.QuoteID == before {
				t.Errorf("what happened before is told: %+v", e)
			}
		}
		for _, want := range []string{
			"event " + id + " 1 QuoteRequested by ada", "event " + id + " 4 QuoteOffered by rate", "execution " + id + " milepost-quote " + id + "-1 started",
			"execution " + id + " milepost-quote " + id + "-1 succeeded", "letter " + id + " QUOTE_READY SENT by EMAIL",
			"execution  milepost-rebuild wrong started", "execution  milepost-rebuild wrong failed", "failure  milepost-failed-invocations has 1, after 0",
		} {
			if told[want] != 1 {
				t.Errorf("%q is told %d times, in %v", want, told[want], told)
			}
		}
		for what, n := range told {
			if n != 1 {
				t.Errorf("%q is told %d times", what, n)
			}
		}
		var other string
		for _, e := range s.watched(func() { other = path.Base(s.submit()) }, id, "--since", "3h") {
			if e.QuoteID != id || other == id {
				t.Errorf("of another quote: %+v", e)
			}
			told["again "+string(e.Kind)]++
		}
		if told["again event"] != 4 || told["again execution"] != 2 || told["again letter"] != 1 {
			t.Errorf("what happened to the quote since three hours ago: %v", told)
		}
	})
}

func TestWatchPrintsLines(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	at := time.Date(2026, 5, 1, 12, 0, 0, 5e6, time.UTC)
	for _, c := range []watchCmd{{}, {Quote: "q"}} {
		if err := c.print(streams{out: &out}, watch.Entry{At: at, Kind: watch.Execution, QuoteID: "q", What: "failed", Failed: true}); err != nil {
			t.Fatal(err)
		}
	}
	const want = "12:00:00.005 ! execution  q                           failed\n12:00:00.005 ! execution  failed\n"
	if out.String() != want {
		t.Errorf("printed\n%swant\n%s", out.String(), want)
	}
}
