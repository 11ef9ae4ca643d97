package resumeworkflow_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/handlers/resumeworkflow"
	"milepost/handlers/startworkflow"
	"milepost/internal/platform"
	"milepost/internal/quotestore"
	"milepost/internal/stacktest"
	"milepost/local/lambda"
	workflow "milepost/workflows/quote"
)

// steps of a quote's way that may come in any order, but that a fact is announced after it is in the log.
const (
	start           = "start"
	vehicles        = "vehicles"
	vehiclesResume  = "resume for vehicles"
	histories       = "histories"
	historiesResume = "resume for histories"
	startAgain      = "start again"
	vehiclesResume2 = "resume for vehicles again"
)

// road is the state machine with its own steps and the two functions beside it.
type road struct {
	log           *quotestore.Store
	start, resume awslambda.Handler
	workflows     *sfn.Client
	machine       string
}

func newRoad(t *testing.T) road {
	t.Helper()
	nothing := func(platform.Environment) (lambda.Handler, error) {
		return platform.HandlerFunc(func(context.Context, []byte) ([]byte, error) { return []byte("{}"), nil }), nil
	}
	stack := stacktest.Open(t, stacktest.Code{
		"await":   func(env platform.Environment) (lambda.Handler, error) { return workflow.NewAwait(env) },
		"rate":    func(env platform.Environment) (lambda.Handler, error) { return workflow.NewRate(env) },
		"project": nothing,
	})
	r := road{log: &quotestore.Store{Log: stack.Log()}, workflows: sfn.NewFromConfig(stack.Config()), machine: stack.Outputs()["QuoteWorkflowArn"].Value}
	var err error
	if r.start, err = startworkflow.New(stack.Environment("startworkflow")); err != nil {
		t.Fatal(err)
	}
	if r.resume, err = resumeworkflow.New(stack.Environment("resumeworkflow")); err != nil {
		t.Fatal(err)
	}
	e := quotetest.MustExample(t, "E01")
	if _, err := r.log.Open(t.Context(), quotetest.ID, quotestore.Order{ID: "submit", At: time.Now(), Command: e.Submit()}); err != nil {
		t.Fatal(err)
	}
	return r
}

// take takes one step and waits until everything has come to rest.
func (r road) take(t *testing.T, step string) {
	t.Helper()
	e := quotetest.MustExample(t, "E01")
	notice := func(eventType string) []byte {
		return fmt.Appendf(nil, `{"detail":{"eventId":"e-%[1]s","eventType":"%[1]s","streamId":"quote-%s"}}`, eventType, quotetest.ID)
	}
	var err error
	switch step {
	case start, startAgain:
		_, err = r.start.Invoke(t.Context(), notice(quote.TypeQuoteRequested))
	case vehicles:
		_, err = r.log.Execute(t.Context(), quotetest.ID, quotestore.Order{ID: step, At: time.Now(), Command: e.Vehicles()})
	case histories:
		_, err = r.log.Execute(t.Context(), quotetest.ID, quotestore.Order{ID: step, At: time.Now(), Command: e.Histories()})
	case vehiclesResume, vehiclesResume2:
		_, err = r.resume.Invoke(t.Context(), notice(quote.TypeVehiclesIdentified))
	case historiesResume:
		_, err = r.resume.Invoke(t.Context(), notice(quote.TypeAccidentHistoryRetrieved))
	}
	if err != nil {
		t.Fatalf("%s: %v", step, err)
	}
	synctest.Wait()
}

// executions are those of the state machine.
func (r road) executions(t *testing.T) []types.ExecutionListItem {
	t.Helper()
	out, err := r.workflows.ListExecutions(t.Context(), &sfn.ListExecutionsInput{StateMachineArn: &r.machine})
	if err != nil {
		t.Fatal(err)
	}
	return out.Executions
}

func orders(steps []string) [][]string {
	if len(steps) == 0 {
		return [][]string{nil}
	}
	var all [][]string
	for i, first := range steps {
		for _, rest := range orders(slices.Concat(steps[:i], steps[i+1:])) {
			order := append([]string{first}, rest...)
			inLog := func(fact, announced string) bool {
				at := slices.Index(order, announced)
				return at < 0 || !slices.Contains(order[at:], fact)
			}
			if inLog(vehicles, vehiclesResume) && inLog(vehicles, vehiclesResume2) && inLog(histories, historiesResume) {
				all = append(all, order)
			}
		}
	}
	return all
}

func TestWhicheverComesFirstTheWorkflowGoesOn(t *testing.T) {
	t.Parallel()
	all := orders([]string{start, vehicles, vehiclesResume, histories, historiesResume})
	if len(all) != 30 {
		t.Fatalf("%d orders, want 30", len(all))
	}
	for _, order := range append(all,
		[]string{start, vehicles, vehiclesResume, vehiclesResume2, histories, startAgain, historiesResume},
		[]string{start, startAgain, vehicles, histories, historiesResume, vehiclesResume, vehiclesResume2, startAgain}) {
		t.Run(strings.Join(order, ", "), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRoad(t)
				began := time.Now()
				for _, step := range order {
					r.take(t, step)
				}
				executions := r.executions(t)
				if len(executions) != 1 || executions[0].Status != types.ExecutionStatusSucceeded || aws.ToString(executions[0].Name) != quotetest.ID+"-1" {
					t.Errorf("executions %+v, want one that has succeeded", executions)
				}
				if waited := time.Since(began); waited != 0 {
					t.Errorf("%v passed", waited)
				}
				if h, err := r.log.Load(t.Context(), quotetest.ID); err != nil || h.Quote.Status != quote.StatusQuoted {
					t.Errorf("Status=%s error=%v", h.Quote.Status, err)
				}
			})
		})
	}
}

func TestOneFactLeavesTheOtherBranchWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRoad(t)
		for _, step := range []string{start, vehicles, vehiclesResume} {
			r.take(t, step)
		}
		if e := r.executions(t); len(e) != 1 || e[0].Status != types.ExecutionStatusRunning {
			t.Fatalf("executions %+v, want one that waits", e)
		}
		// Nobody answers: the branch gives up, and the quote is referred.
		time.Sleep(16 * time.Minute)
		synctest.Wait()
		if e := r.executions(t); e[0].Status != types.ExecutionStatusSucceeded {
			t.Errorf("after its time the execution is %s", e[0].Status)
		}
		h, err := r.log.Load(t.Context(), quotetest.ID)
		if err != nil || h.Quote.Status != quote.StatusReferred || !slices.Equal(h.Quote.Unanswered, []quote.Fact{quote.FactAccidentHistory}) {
			t.Errorf("Status=%s Unanswered=%v error=%v", h.Quote.Status, h.Quote.Unanswered, err)
		}
		// The fact comes after all. It is in the log, and nobody is left to be woken.
		r.take(t, histories)
		r.take(t, historiesResume)
	})
}

func TestReplaysAndStrangersWakeNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRoad(t)
		r.take(t, start)
		for payload, want := range map[string]string{
			`{"replay-name":"r","detail":{"eventType":"VehiclesIdentified","streamId":"quote-` + quotetest.ID + `"}}`: "",
			`{"detail":{"eventType":"VehiclesIdentified","streamId":"quote-unknown"}}`:                                "",
			`{"detail":{"eventType":"QuoteOffered","streamId":"quote-` + quotetest.ID + `"}}`:                         "BadPayload",
			`[]`: "BadPayload",
		} {
			got := ""
			if _, err := r.resume.Invoke(t.Context(), []byte(payload)); err != nil {
				got = platform.ErrorType(err)
			}
			if got != want {
				t.Errorf("%s: %q, want %q", payload, got, want)
			}
		}
		synctest.Wait()
		if e := r.executions(t); e[0].Status != types.ExecutionStatusRunning {
			t.Errorf("the execution is %s", e[0].Status)
		}
	})
}
