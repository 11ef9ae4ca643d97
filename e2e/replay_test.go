package e2e_test

import (
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	ebtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"milepost/local/fault"
	"milepost/system"
)

// effects is what a replay must not have: requests to outside parties, workflows, events and notifications.
type effects struct {
	bureau, vpic  int64
	executions    string
	events        string
	notifications string
	sent          int
}

func (s *running) effects() effects {
	s.t.Helper()
	return effects{
		bureau: s.bureau.requests.Load(), vpic: s.vpic.requests.Load(),
		executions: mustEncode(s.t, s.executions()), events: mustEncode(s.t, s.scan(eventsTable)),
		notifications: mustEncode(s.t, s.scan(notificationsTable)), sent: len(s.sent()),
	}
}

// assertNoEffects checks that nothing has happened since before.
func (s *running) assertNoEffects(before effects) {
	s.t.Helper()
	if after := s.effects(); after != before {
		s.t.Errorf("effects:\n%+v\nwant\n%+v", after, before)
	}
}

// wipe deletes all items of a table, whose key has these attributes.
func (s *running) wipe(table string, key ...string) {
	s.t.Helper()
	for _, item := range s.scan(table) {
		at := maps.Clone(item)
		maps.DeleteFunc(at, func(name string, _ types.AttributeValue) bool { return !slices.Contains(key, name) })
		if _, err := s.db.DeleteItem(s.t.Context(), &dynamodb.DeleteItemInput{TableName: &table, Key: at}); err != nil {
			s.t.Fatal(err)
		}
	}
	if left := s.scan(table); len(left) != 0 {
		s.t.Fatalf("%s still has %d items", table, len(left))
	}
}

// replay replays the whole archive up to now, to the end.
func (s *running) replay(name string, from time.Time) {
	s.t.Helper()
	bus, err := s.bus.DescribeEventBus(s.t.Context(), &eventbridge.DescribeEventBusInput{Name: aws.String(s.Outputs()["EventBusName"].Value)})
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.bus.StartReplay(s.t.Context(), &eventbridge.StartReplayInput{
		ReplayName: &name, EventSourceArn: aws.String(s.Outputs()["EventArchiveArn"].Value),
		EventStartTime: &from, EventEndTime: aws.Time(time.Now()), Destination: &ebtypes.ReplayDestination{Arn: bus.Arn},
	}); err != nil {
		s.t.Fatal(err)
	}
	for range 3600 {
		out, err := s.bus.DescribeReplay(s.t.Context(), &eventbridge.DescribeReplayInput{ReplayName: &name})
		if err != nil {
			s.t.Fatal(err)
		}
		switch out.State {
		case ebtypes.ReplayStateCompleted:
			return
		case ebtypes.ReplayStateFailed, ebtypes.ReplayStateCancelled:
			s.t.Fatalf("replay %s: %s: %s", name, out.State, aws.ToString(out.StateReason))
		}
		time.Sleep(time.Second)
	}
	s.t.Fatalf("replay %s has not ended in an hour", name)
}

// assertReplayRestoresProjections wipes all projections and replays the archive: they must be the same as before, and
// nothing else may have happened.
func (s *running) assertReplayRestoresProjections(name string, from time.Time) {
	s.t.Helper()
	before, quotes, lines := s.effects(), mustEncode(s.t, s.scan(quotesTable)), mustEncode(s.t, s.scan(customerQuotesTable))
	s.wipe(quotesTable, "quoteId")
	s.wipe(customerQuotesTable, "customerId", "quoteKey")
	s.replay(name, from)
	s.settle()
	if got := mustEncode(s.t, s.scan(quotesTable)); got != quotes {
		s.t.Errorf("quotes after the %s replay:\n%s\nwant\n%s", name, got, quotes)
	}
	if got := mustEncode(s.t, s.scan(customerQuotesTable)); got != lines {
		s.t.Errorf("customers' quotes after the %s replay:\n%s\nwant\n%s", name, got, lines)
	}
	s.assertNoEffects(before)
}

func TestReplayMakesTheProjectionsAgain(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		example01 := mustReadExamples(t)[0]
		s := mustRun(t, system.Options{VPIC: example01.nhtsa(), Parameters: map[string]string{"VinProvider": "vpic"}})
		began := time.Now()
		var ids []string
		for _, license := range []string{"RS000001", "CLEAR001", "PARTIAL1", "DOWN0503"} {
			ids = append(ids, s.submit("ada", example("RS000001", license)), s.submit("bob", example("RS000001", license, `"CLEAN"`, `"SALVAGE"`)))
			time.Sleep(90 * time.Second)
		}
		time.Sleep(25 * time.Hour) // until pending facts are no longer requested
		s.assertSound(ids...)
		before := s.effects()
		if before.bureau < 8 || before.vpic != 8 {
			t.Errorf("%d requests to the bureau and %d to vPIC, want one for each of 8 quotes", before.bureau, before.vpic)
		}
		for _, name := range []string{"first", "second"} {
			s.assertReplayRestoresProjections(name, began)
		}
		s.assertSound(ids...)
		s.assertQueuesEmpty()
	})
}

func TestReplayOverProjectionsThatAreThereChangesNothing(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		began := time.Now()
		ids := s.submitAll(3)
		s.settle()
		before, quotes := s.effects(), mustEncode(t, s.scan(quotesTable))
		s.replay("again", began)
		s.settle()
		s.assertNoEffects(before)
		if got := mustEncode(t, s.scan(quotesTable)); got != quotes {
			t.Errorf("quotes after the replay:\n%s\nwant\n%s", got, quotes)
		}
		s.assertPriced(ids...)
	})
}

// The rules keep replayed events from functions with effects. The functions refuse them too, in case somebody changes a
// rule.
func TestFunctionsRefuseEffectsForReplayedEvents(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		var requested atomic.Pointer[[]byte]
		s := mustRun(t, system.Options{
			VPIC: mustReadExamples(t)[0].nhtsa(), Parameters: map[string]string{"VinProvider": "vpic"},
			Faults: &fault.Plan{Event: func(_, _ string, event []byte) []time.Duration {
				requested.CompareAndSwap(nil, &event)
				return []time.Duration{time.Minute}
			}},
		})
		id := s.submit("ada", example())
		synctest.Wait()
		before := s.effects()
		functions := lambda.NewFromConfig(s.Config())
		replayed := slices.Concat([]byte(`{"replay-name":"test",`), (*requested.Load())[1:])
		for _, name := range []string{"VinLookup", "AccidentHistory", "StartWorkflow", "ResumeWorkflow"} {
			out, err := functions.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String(s.function(name)), Payload: replayed})
			if err != nil {
				t.Fatal(err)
			}
			if out.FunctionError != nil {
				t.Errorf("%s: %s", name, out.Payload)
			}
		}
		s.assertNoEffects(before)
		s.settle()
		s.assertPriced(id)
	})
}

// function returns the name of the function with this logical id, less "Function".
func (s *running) function(id string) string {
	s.t.Helper()
	for pages := lambda.NewListFunctionsPaginator(lambda.NewFromConfig(s.Config()), &lambda.ListFunctionsInput{}); pages.HasMorePages(); {
		page, err := pages.NextPage(s.t.Context())
		if err != nil {
			s.t.Fatal(err)
		}
		for _, f := range page.Functions {
			if strings.Contains(*f.FunctionName, id+"Function") {
				return *f.FunctionName
			}
		}
	}
	s.t.Fatalf("there is no function %s", id)
	return ""
}
