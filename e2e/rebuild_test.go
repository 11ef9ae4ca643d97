package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	sfntypes "github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"milepost/internal/log/eventstore"
	"milepost/internal/ops/playback"
	"milepost/internal/ops/rebuild"
	"milepost/internal/platform/stored"
	"milepost/internal/quotes/readmodel"
	"milepost/local/fault"
	"milepost/system"
)

// workflow runs an execution of the state machine that an output names, to its end.
func (s *running) workflow(output, input string) *sfn.DescribeExecutionOutput {
	s.t.Helper()
	started, err := s.workflows.StartExecution(s.t.Context(), &sfn.StartExecutionInput{
		StateMachineArn: aws.String(s.Outputs()[output].Value), Input: &input,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return s.ended(*started.ExecutionArn)
}

// ended waits for the end of an execution.
func (s *running) ended(arn string) *sfn.DescribeExecutionOutput {
	s.t.Helper()
	for range 24 * 3600 {
		e, err := s.workflows.DescribeExecution(s.t.Context(), &sfn.DescribeExecutionInput{ExecutionArn: &arn})
		if err != nil {
			s.t.Fatal(err)
		}
		if e.Status != sfntypes.ExecutionStatusRunning {
			return e
		}
		time.Sleep(time.Second)
	}
	s.t.Fatalf("%s does not end within a day", arn)
	return nil
}

// rebuilt runs the rebuild's state machine in one of the ways, to its end.
func (s *running) rebuilt(way string) *sfn.DescribeExecutionOutput {
	s.t.Helper()
	return s.workflow("RebuildWorkflowArn", fmt.Sprintf(`{"projections":["quotes","customer-quotes"],"way":%q,"parts":8,"workers":2}`, way))
}

// rebuildSearch rebuilds the search, in two ways: from nothing, and with surplus entries.
func (s *running) rebuildSearch() {
	s.t.Helper()
	for _, way := range []string{"wipe", "over"} {
		e := s.workflow("RebuildWorkflowArn", fmt.Sprintf(`{"projections":["search"],"way":%q,"parts":2,"workers":2}`, way))
		if e.Status != sfntypes.ExecutionStatusSucceeded {
			s.t.Fatalf("rebuild %s: %s %s %s", way, e.Status, aws.ToString(e.Error), aws.ToString(e.Cause))
		}
		for _, item := range s.scan(searchTable) {
			if list, ok := item["tokens"].(*types.AttributeValueMemberL); ok {
				list.Value = append(list.Value, stored.Text("vin#stray"))
				if _, err := s.db.PutItem(s.t.Context(), &dynamodb.PutItemInput{TableName: aws.String(searchTable), Item: item}); err != nil {
					s.t.Fatal(err)
				}
			}
		}
	}
}

// rebuild is rebuilt, which has to end well. It returns the figures.
func (s *running) rebuild(way string) rebuild.Figures {
	s.t.Helper()
	e := s.rebuilt(way)
	if e.Status != sfntypes.ExecutionStatusSucceeded {
		s.t.Fatalf("rebuild %s: %s %s %s", way, e.Status, aws.ToString(e.Error), aws.ToString(e.Cause))
	}
	var f rebuild.Figures
	mustDecode(s.t, []byte(*e.Output), &f)
	return f
}

// play runs the playback's state machine up to a time, and returns how far it came.
func (s *running) play(until time.Time) playback.Task {
	s.t.Helper()
	e := s.workflow("PlaybackWorkflowArn", mustEncode(s.t, playback.Task{
		Selection: playback.Selection{After: eventstore.CursorAt(time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)), Until: until}, Name: "again",
	}))
	if e.Status != sfntypes.ExecutionStatusSucceeded {
		s.t.Fatalf("playback: %s %s %s", e.Status, aws.ToString(e.Error), aws.ToString(e.Cause))
	}
	var task playback.Task
	mustDecode(s.t, []byte(*e.Output), &task)
	return task
}

// stranger puts a document of a quote that the log does not know.
func (s *running) stranger() {
	s.t.Helper()
	item := s.scan(quotesTable)[0]
	item["quoteId"] = stored.Text("01KXAMPE000000000000000900")
	if _, err := s.db.PutItem(s.t.Context(), &dynamodb.PutItemInput{TableName: aws.String(quotesTable), Item: item}); err != nil {
		s.t.Fatal(err)
	}
}

// spoil makes every projection differ from what it should be.
func (s *running) spoil() {
	s.t.Helper()
	for _, table := range []string{quotesTable, customerQuotesTable} {
		for _, item := range s.scan(table) {
			item["leftover"] = &types.AttributeValueMemberBOOL{Value: true}
			if _, err := s.db.PutItem(s.t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: item}); err != nil {
				s.t.Fatal(err)
			}
		}
	}
}

// quoted submits quotes and waits until they are priced.
func (s *running) quoted(n int) []string {
	s.t.Helper()
	ids := s.submitAll(n)
	s.settle()
	return ids
}

// projected are both projections, with all that they have.
func (s *running) projected() string {
	s.t.Helper()
	return mustEncode(s.t, []any{s.scan(quotesTable), s.scan(customerQuotesTable)})
}

func TestTheRebuildWorkflow(t *testing.T) {
	for way, damage := range map[string]func(s *running) rebuild.Figures{
		"over": func(s *running) rebuild.Figures {
			s.wipe(quotesTable, "quoteId")
			return rebuild.Figures{Written: 12}
		},
		"prune": func(s *running) rebuild.Figures {
			s.spoil()
			s.stranger()
			return rebuild.Figures{Written: 24, Removed: 1, Faults: stored.Faults{Named: []string{
				"stream quote-01KXAMPE000000000000000900 is gone from the log, according to its projection",
			}}}
		},
		"wipe": func(*running) rebuild.Figures { return rebuild.Figures{Written: 24, Removed: 24} },
	} {
		t.Run(way, func(t *testing.T) {
			onDay(t, today, func(t *testing.T) {
				s := mustRun(t, system.Options{})
				ids := s.quoted(12)
				before, effects := s.projected(), s.effects()
				want := damage(s)
				want.Streams, want.Events = 12, 48
				if got := s.rebuild(way); fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("figures=%+v, want %+v", got, want)
				}
				if after := s.projected(); after != before {
					t.Errorf("the projections are not what they were:\n%s\nwant\n%s", after, before)
				}
				s.settle()
				s.assertNoEffects(effects)
				s.assertSound(ids...)
				s.assertQueuesEmpty()
			})
		})
	}
}

func TestTheRebuildWorkflowRefusesAnotherWay(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		if e := s.rebuilt("sideways"); e.Status != sfntypes.ExecutionStatusFailed || aws.ToString(e.Error) != "BadPayload" {
			t.Errorf("%s %s", e.Status, aws.ToString(e.Error))
		}
	})
}

func TestTheRebuildWorkflowCallsItsFunctionUntilAPartIsDone(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		var calls atomic.Int64
		s := mustRun(t, system.Options{Faults: hurried("Rebuild", -time.Second, &calls)})
		s.quoted(readmodel.MaxRenewed + 20)
		before := s.projected()
		e := s.workflow("RebuildWorkflowArn", `{"projections":["quotes","customer-quotes"],"way":"wipe","parts":1,"workers":1}`)
		var got rebuild.Figures
		if e.Status != sfntypes.ExecutionStatusSucceeded {
			t.Fatalf("%s %s %s", e.Status, aws.ToString(e.Error), aws.ToString(e.Cause))
		}
		mustDecode(t, []byte(*e.Output), &got)
		// Three or more to remove, two to fold, and one to add up.
		if n := calls.Load(); got.Streams != 120 || got.Written != 240 || got.Removed != 240 || n < 6 {
			t.Errorf("%+v in %d calls", got, n)
		}
		if after := s.projected(); after != before {
			t.Error("the projections are not what they were")
		}
	})
}

func TestCrashesOfARebuildDoNoHarm(t *testing.T) {
	t.Parallel()
	for _, after := range []bool{false, true} {
		for _, times := range []int64{1, 3} {
			t.Run(fmt.Sprintf("%d times, after its work %v", times, after), func(t *testing.T) {
				onDay(t, today, func(t *testing.T) {
					s := mustRun(t, system.Options{Faults: crashing("Rebuild", times, after)})
					ids := s.quoted(12)
					before := s.projected()
					if got := s.rebuild("wipe"); got.Streams != 12 || got.Events != 48 || !after && (got.Written != 24 || got.Removed != 24) {
						t.Errorf("figures=%+v", got)
					}
					if s.projected() != before {
						t.Error("the projections are not what they were")
					}
					s.assertSound(ids...)
				})
			})
		}
	}
}

func TestAPartThatFailsFailsTheRebuildAndTheNextOneGoesOn(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		var mended atomic.Bool
		s := mustRun(t, system.Options{Faults: brokenUntil(&mended, "Rebuild", `"number":3`)})
		s.quoted(12)
		before := s.projected()
		s.spoil()
		if e := s.rebuilt("over"); e.Status != sfntypes.ExecutionStatusFailed || aws.ToString(e.Error) != "States.ExceedToleratedFailureThreshold" {
			t.Errorf("%s %s %s", e.Status, aws.ToString(e.Error), aws.ToString(e.Cause))
		}
		mended.Store(true)
		if got := s.rebuild("over"); got.Streams != 12 || got.Written >= 24 {
			t.Errorf("figures=%+v, want what was not written yet", got)
		}
		if s.projected() != before {
			t.Error("the projections are not what they were")
		}
	})
}

func TestARebuildWithAPartThatFailedIsRedriven(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		var mended atomic.Bool
		var calls atomic.Int64
		plan := brokenUntil(&mended, "Rebuild", `"number":3`)
		broken := plan.Invoke
		plan.Invoke = func(ctx context.Context, name string, payload []byte, next func(context.Context, []byte) ([]byte, error)) ([]byte, error) {
			if strings.Contains(name, "Rebuild") && mended.Load() {
				calls.Add(1)
			}
			return broken(ctx, name, payload, next)
		}
		s := mustRun(t, system.Options{Faults: plan})
		s.quoted(12)
		before := s.projected()
		s.spoil()
		failed := s.rebuilt("over")
		if failed.Status != sfntypes.ExecutionStatusFailed || failed.RedriveStatus != sfntypes.ExecutionRedriveStatusRedrivable {
			t.Errorf("%s, %s", failed.Status, failed.RedriveStatus)
		}
		mended.Store(true)
		s.redrive(*failed.ExecutionArn)
		e := s.ended(*failed.ExecutionArn)
		var got rebuild.Figures
		if mustDecode(t, []byte(aws.ToString(e.Output)), &got); got.Streams != 12 || aws.ToInt32(e.RedriveCount) != 1 {
			t.Errorf("figures=%+v after %d redrives, want those of all parts", got, aws.ToInt32(e.RedriveCount))
		}
		if n := calls.Load(); n >= 8 {
			t.Errorf("%d calls of the function, want none for the parts that had succeeded", n)
		}
		if s.projected() != before {
			t.Error("the projections are not what they were")
		}
	})
}

// TestReadersSeeNoGapDuringARebuild rebuilds all projections while quotes are submitted, amended and read all the time.
func TestReadersSeeNoGapDuringARebuild(t *testing.T) {
	for _, way := range []string{"over", "prune"} {
		t.Run(way, func(t *testing.T) {
			onDay(t, today, func(t *testing.T) {
				slow := &fault.Plan{Invoke: func(ctx context.Context, name string, payload []byte, next func(context.Context, []byte) ([]byte, error)) ([]byte, error) {
					if strings.Contains(name, "Rebuild") {
						time.Sleep(time.Second)
					}
					return next(ctx, payload)
				}}
				s := mustRun(t, system.Options{Faults: slow})
				ids := s.quoted(10)
				s.spoil()
				token := s.token("ada", "quotes")
				var done atomic.Bool
				var reads atomic.Int64
				var others sync.WaitGroup
				for reader := range 2 {
					others.Go(func() {
						seen := map[string]int{}
						for i := reader; !done.Load(); i++ {
							id := ids[i%len(ids)]
							answer := s.call(token, "GET", "/quotes/"+id, "")
							var v view
							if answer.Status == http.StatusOK {
								mustDecode(t, answer.Body, &v)
							}
							if answer.Status != http.StatusOK || v.Version < seen[id] {
								t.Errorf("quote %s: status %d, version %d after %d", id, answer.Status, v.Version, seen[id])
							}
							seen[id] = v.Version
							reads.Add(1)
							time.Sleep(11 * time.Millisecond)
						}
					})
				}
				var fresh []string
				others.Go(func() {
					for i := 0; !done.Load(); i++ {
						fresh = append(fresh, s.submit("ada", example()))
						s.command(token, ids[i%len(ids)], "amendments", example(`"termMonths": 6`, fmt.Sprintf(`"termMonths": %d`, 6+6*(i/len(ids)%2))))
						time.Sleep(200 * time.Millisecond)
					}
				})
				s.rebuild(way)
				done.Store(true)
				others.Wait()
				if reads.Load() < 500 || len(fresh) < 20 {
					t.Errorf("only %d reads and %d new quotes meanwhile", reads.Load(), len(fresh))
				}
				s.settle()
				for _, table := range []string{quotesTable, customerQuotesTable} {
					for _, item := range s.scan(table) {
						if item["leftover"] != nil {
							t.Errorf("%s: %s is as it was", table, text(item, "quoteId")+text(item, "quoteKey"))
						}
					}
				}
				s.assertSound(slices.Concat(ids, fresh)...)
			})
		})
	}
}

func TestThePlaybackWorkflow(t *testing.T) {
	for name, test := range map[string]func(calls *atomic.Int64) *fault.Plan{
		"in one call":   func(*atomic.Int64) *fault.Plan { return nil },
		"in many calls": func(calls *atomic.Int64) *fault.Plan { return hurried("Playback", 3*time.Second, calls) },
		"which crashes": func(*atomic.Int64) *fault.Plan { return crashing("Playback", 3, false) },
		"which crashes after its work": func(*atomic.Int64) *fault.Plan {
			return crashing("Playback", 2, true)
		},
	} {
		t.Run(name, func(t *testing.T) {
			onDay(t, today, func(t *testing.T) {
				var calls atomic.Int64
				s := mustRun(t, system.Options{Faults: test(&calls)})
				ids := s.quoted(12)
				before, effects := s.projected(), s.effects()
				s.wipe(quotesTable, "quoteId")
				s.wipe(customerQuotesTable, "customerId", "quoteKey")
				task := playback.Task{Selection: playback.Selection{After: eventstore.CursorAt(time.Now().Add(-24 * time.Hour)), Until: time.Now()}, Name: "again", PerSecond: 10}
				e := s.workflow("PlaybackWorkflowArn", mustEncode(t, task))
				if e.Status != sfntypes.ExecutionStatusSucceeded {
					t.Fatalf("%s %s %s", e.Status, aws.ToString(e.Error), aws.ToString(e.Cause))
				}
				mustDecode(t, []byte(*e.Output), &task)
				if task.Played != 48 || !task.Done {
					t.Errorf("%+v, want 48 played", task)
				}
				if name == "in many calls" && calls.Load() < 3 {
					t.Errorf("%d calls", calls.Load())
				}
				s.settle()
				if s.projected() != before {
					t.Error("the projections are not what they were")
				}
				s.assertNoEffects(effects)
				s.assertSound(ids...)
				s.assertQueuesEmpty()
			})
		})
	}
}

// hurried makes the time of each call of a function run out after this long.
func hurried(function string, d time.Duration, calls *atomic.Int64) *fault.Plan {
	return &fault.Plan{Invoke: func(ctx context.Context, name string, payload []byte, next func(context.Context, []byte) ([]byte, error)) ([]byte, error) {
		if strings.Contains(name, function) {
			calls.Add(1)
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, 30*time.Second+d)
			defer cancel()
		}
		return next(ctx, payload)
	}}
}
