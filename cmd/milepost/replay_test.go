package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"milepost/internal/ops/replay"
	"milepost/internal/platform/stored"
	"milepost/local/fault"
)

// forget deletes the projection of all quotes.
func (s *running) forget() {
	s.t.Helper()
	db, table := dynamodb.NewFromConfig(s.Config()), aws.String("milepost-quotes")
	all, err := db.Scan(s.t.Context(), &dynamodb.ScanInput{TableName: table})
	if err != nil || len(all.Items) == 0 {
		s.t.Fatalf("%d items: %v", len(all.Items), err)
	}
	for _, item := range all.Items {
		if _, err := db.DeleteItem(s.t.Context(), &dynamodb.DeleteItemInput{
			TableName: table, Key: stored.Item{"quoteId": item["quoteId"]},
		}); err != nil {
			s.t.Fatal(err)
		}
	}
}

// assertKnown checks that only the quotes of these paths have a projection.
func (s *running) assertKnown(paths ...string) {
	s.t.Helper()
	db := dynamodb.NewFromConfig(s.Config())
	out, err := db.Scan(s.t.Context(), &dynamodb.ScanInput{TableName: aws.String("milepost-quotes")})
	if err != nil {
		s.t.Fatal(err)
	}
	var known []string
	for _, item := range out.Items {
		known = append(known, "/quotes/"+item["quoteId"].(*types.AttributeValueMemberS).Value)
	}
	slices.Sort(known)
	if slices.Sort(paths); !slices.Equal(known, paths) {
		s.t.Errorf("projections of %q, want %q", known, paths)
	}
}

// executions counts the workflows that were started.
func (s *running) executions() int {
	s.t.Helper()
	arn := s.Outputs()["QuoteWorkflowArn"].Value
	out, err := sfn.NewFromConfig(s.Config()).ListExecutions(s.t.Context(), &sfn.ListExecutionsInput{StateMachineArn: &arn})
	if err != nil {
		s.t.Fatal(err)
	}
	return len(out.Executions)
}

// settle lets what has begun finish.
func settle() {
	time.Sleep(2 * time.Hour)
	synctest.Wait()
}

func TestReplayBringsAProjectionBackAndNothingElse(t *testing.T) {
	for _, rules := range [][]string{nil, {"--rule=Project"}, {"--rule", "milepost-ProjectFunctionQuoteEvent"}} {
		t.Run(fmt.Sprint(rules), func(t *testing.T) {
			inMemory(t, nil, func(t *testing.T, s *running) {
				early := s.submit()
				time.Sleep(10 * time.Minute)
				late := s.submit()
				settle()
				s.assertPriced(early, late)
				s.forget()
				out := s.must(append([]string{"replay", "start", "--name=again", "--wait"}, rules...)...)
				// It may be over before its first check.
				if !strings.HasSuffix("\n"+out, "\nagain: COMPLETED, replayed up to 2026-05-01T00:10:00Z\n") || !strings.HasPrefix(out, "again: ") {
					t.Errorf("output %q", out)
				}
				s.assertPriced(early, late)
				s.assertKnown(early, late)
				described, err := eventbridge.NewFromConfig(s.Config()).DescribeReplay(t.Context(), &eventbridge.DescribeReplayInput{ReplayName: aws.String("again")})
				var fed []string
				if rules != nil {
					fed = []string{"arn:aws:events:us-east-1:000000000000:rule/milepost-events/milepost-ProjectFunctionQuoteEvent"}
				}
				if err != nil || !slices.Equal(described.Destination.FilterArns, fed) {
					t.Errorf("the replay fed %v, %v, want %v", described.Destination.FilterArns, err, fed)
				}
				if n := s.executions(); n != 2 {
					t.Errorf("%d workflows after the replay, want the 2 of before", n)
				}
				s.assertDepths(nil)
			})
		})
	}
}

func TestReplayTakesWhatIsBetweenItsTimes(t *testing.T) {
	for _, row := range []struct {
		name   string
		times  []string
		misses int // which quote's events are not replayed
	}{
		{"from a time", []string{"--from=2026-05-01T00:05:00Z"}, 0},
		{"from a duration ago", []string{"--from=2h ago"}, 0},
		{"up to a time", []string{"--until", "2026-05-01T02:05:00+02:00"}, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			inMemory(t, nil, func(t *testing.T, s *running) {
				quotes := []string{s.submit()}
				time.Sleep(10 * time.Minute)
				quotes = append(quotes, s.submit())
				time.Sleep(time.Hour)
				synctest.Wait()
				time.Sleep(55 * time.Minute)
				s.forget()
				s.must(append([]string{"replay", "start", "--wait", "--json"}, row.times...)...)
				replayed := quotes[1-row.misses]
				s.assertPriced(replayed)
				s.assertKnown(replayed)
			})
		})
	}
}

func TestReplayStatusAndNames(t *testing.T) {
	inMemory(t, nil, func(t *testing.T, s *running) {
		if out := s.must("replay", "status"); strings.Count(out, "\n") != 1 {
			t.Errorf("without replays status is %q, want the heading", out)
		}
		began := time.Now()
		for range 2 { // the names are different although they were not chosen
			s.must("replay", "start", "--from=1h")
			time.Sleep(time.Minute)
		}
		var all []replay.Replay
		s.mustJSON(&all, "replay", "status")
		if len(all) != 2 || !all[0].Started.Equal(began.Add(time.Minute)) || !all[1].Started.Equal(began) {
			t.Fatalf("status=%+v, want both replays, the latest first", all)
		}
		var one replay.Replay
		s.mustJSON(&one, "replay", "status", all[1].Name)
		want := replay.Replay{
			Name: "replay-20260501T000000.000", State: "COMPLETED", Archive: "arn:aws:events:us-east-1:000000000000:archive/milepost-events",
			From: began.Add(-time.Hour), Until: began, Started: began, Ended: began,
		}
		if !one.From.Equal(want.From) || !one.Until.Equal(want.Until) || !one.Started.Equal(want.Started) || !one.Ended.Equal(want.Ended) {
			t.Errorf("times of %+v, want those of %+v", one, want)
		}
		one.From, one.Until, one.Started, one.Ended = want.From, want.Until, want.Started, want.Ended
		if one != want || all[1].Name != want.Name {
			t.Errorf("status=%+v, want %+v", one, want)
		}
		table := s.must("replay", "status")
		for _, line := range []string{
			"NAME                        STATE      FROM                  UNTIL                 REPLAYED UP TO  REASON\n",
			"replay-20260501T000000.000  COMPLETED  2026-04-30T23:00:00Z  2026-05-01T00:00:00Z  -               \n",
		} {
			if !strings.Contains(table, line) {
				t.Errorf("status:\n%s\nwant the line %q", table, line)
			}
		}
		if out := s.must("replay", "status", want.Name); out != want.Name+": COMPLETED\n" {
			t.Errorf("status of one is %q", out)
		}
	})
}

// slowReplays delays what a replay sends by an hour.
var slowReplays = &fault.Plan{Event: func(_, _ string, event []byte) []time.Duration {
	if bytes.Contains(event, []byte(`"replay-name"`)) {
		return []time.Duration{time.Hour}
	}
	return nil
}}

func TestReplayIsCancelled(t *testing.T) {
	inMemory(t, slowReplays, func(t *testing.T, s *running) {
		s.submit()
		settle()
		waited := make(chan result)
		go func() { waited <- s.milepost("replay", "start", "--wait", "--name=slow") }()
		time.Sleep(time.Minute)
		var r replay.Replay
		s.mustJSON(&r, "replay", "cancel", "slow")
		if r.State != "CANCELLING" {
			t.Errorf("State=%s, want CANCELLING", r.State)
		}
		if got := <-waited; got.status != 1 || got.err != "" || !strings.Contains(got.out, "slow: RUNNING\nslow: CANCELLING\nslow: CANCELLED") {
			t.Errorf("who waited got %+v, want status 1 and the states", got)
		}
		if got := s.milepost("replay", "cancel", "slow"); got.status != 1 || !strings.Contains(got.err, "IllegalStatusException") {
			t.Errorf("cancelling it again: %+v", got)
		}
	})
}

func TestReplayGoesOnWhenNobodyWaits(t *testing.T) {
	inMemory(t, slowReplays, func(t *testing.T, s *running) {
		s.submit()
		settle()
		ctx, interrupt := context.WithTimeout(t.Context(), time.Minute)
		defer interrupt()
		got := s.milepostUntil(ctx, "replay", "start", "--wait", "--name=slow")
		if got.status != 1 || got.err != "milepost: the replay continues; milepost replay status slow shows its progress\n" {
			t.Errorf("interrupted: %+v", got)
		}
		settle()
		if out := s.must("replay", "status", "slow"); !strings.HasPrefix(out, "slow: COMPLETED") {
			t.Errorf("status=%q, want COMPLETED", out)
		}
	})
}

func TestReplayRefuses(t *testing.T) {
	inMemory(t, nil, func(t *testing.T, s *running) {
		s.must("replay", "start", "--name=taken")
		for _, row := range []struct{ args, want string }{
			{"start --archive=x", "there is no archive x; choose with --archive from: milepost-events"},
			{"start --stack=other", "there is no stack other; is --stack its name, and --endpoint its address?"},
			{"start --rule=x", "there is no rule x; there are: milepost-AccidentHistoryFunctionAskedAgain, milepost-"},
			{"start --rule=NewRevision", "NewRevision may be any of the rules: milepost-AccidentHistoryFunctionNewRevision, milepost-"},
			{"start --rule=VinLookupFunctionNewRevision", "the rule milepost-VinLookupFunctionNewRevision takes no replayed events, so that effects are not had twice; a replay can feed: milepost-ProjectFunctionQuoteEvent"},
			{"start --name=taken", "EventBridge StartReplay: Replay taken already exists. (ResourceAlreadyExistsException)"},
			{"status x", "there is no replay x; milepost replay status lists them"},
			{"cancel x", "EventBridge CancelReplay: Replay x does not exist. (ResourceNotFoundException)"},
		} {
			got := s.milepost(append([]string{"replay"}, strings.Fields(row.args)...)...)
			if got.status != 1 || got.out != "" || !strings.HasPrefix(got.err, "milepost: "+row.want) || strings.Count(got.err, "\n") != 1 {
				t.Errorf("replay %s: %+v, want status 1 and the line %q", row.args, got, row.want)
			}
		}
	})
}
