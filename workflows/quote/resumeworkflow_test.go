package quote_test

import (
	"context"
	"fmt"
	"maps"
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
	"milepost/internal/platform"
	"milepost/internal/quotes/quotestore"
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
	quoteID       string
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
	r := road{log: stack.Quotes(), workflows: sfn.NewFromConfig(stack.Config()), machine: stack.Outputs()["QuoteWorkflowArn"].Value}
	var err error
	if r.start, err = workflow.NewStartWorkflow(stack.Environment("startworkflow")); err != nil {
		t.Fatal(err)
	}
	if r.resume, err = workflow.NewResumeWorkflow(stack.Environment("resumeworkflow")); err != nil {
		t.Fatal(err)
	}
	return r.withQuote(t, 0)
}

// withQuote is the road with another quote on it.
func (r road) withQuote(t *testing.T, n int) road {
	t.Helper()
	r.quoteID = fmt.Sprintf("01KXAMPE0000000000000000%02d", n)
	submit := quotetest.MustExample(t, "E01").Submit()
	submit.QuoteID = r.quoteID
	if _, err := r.log.Create(t.Context(), r.quoteID, quotestore.Order{ID: "submit/" + r.quoteID, At: time.Now(), Command: submit}); err != nil {
		t.Fatal(err)
	}
	return r
}

// take takes one step and waits until everything is idle.
func (r road) take(t *testing.T, step string) {
	t.Helper()
	e := quotetest.MustExample(t, "E01")
	notice := func(eventType string) []byte {
		return fmt.Appendf(nil, `{"detail":{"eventId":"e-%[1]s","eventType":"%[1]s","streamId":"quote-%s","version":1}}`, eventType, r.quoteID)
	}
	var err error
	switch step {
	case start, startAgain:
		_, err = r.start.Invoke(t.Context(), notice(quote.TypeQuoteRequested))
	case vehicles:
		_, err = r.log.Execute(t.Context(), r.quoteID, quotestore.Order{ID: step, At: time.Now(), Command: e.Vehicles()})
	case histories:
		_, err = r.log.Execute(t.Context(), r.quoteID, quotestore.Order{ID: step, At: time.Now(), Command: e.Histories()})
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

// executions are those of the quote.
func (r road) executions(t *testing.T) []types.ExecutionListItem {
	t.Helper()
	out, err := r.workflows.ListExecutions(t.Context(), &sfn.ListExecutionsInput{StateMachineArn: &r.machine})
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(out.Executions, func(e types.ExecutionListItem) bool {
		return !strings.HasPrefix(aws.ToString(e.Name), r.quoteID)
	})
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
	all = append(all,
		[]string{start, vehicles, vehiclesResume, vehiclesResume2, histories, startAgain, historiesResume},
		[]string{start, startAgain, vehicles, histories, historiesResume, vehiclesResume, vehiclesResume2, startAgain})
	synctest.Test(t, func(t *testing.T) {
		first := newRoad(t)
		for i, order := range all {
			r := first.withQuote(t, i+1)
			began := time.Now()
			for _, step := range order {
				r.take(t, step)
			}
			executions := r.executions(t)
			if len(executions) != 1 || executions[0].Status != types.ExecutionStatusSucceeded || aws.ToString(executions[0].Name) != r.quoteID+"-1" {
				t.Errorf("%v: executions %+v, want one that has succeeded", order, executions)
			}
			if waited := time.Since(began); waited != 0 {
				t.Errorf("%v: %v passed", order, waited)
			}
			if h, err := r.log.Load(t.Context(), r.quoteID); err != nil || h.Quote.Status != quote.StatusQuoted {
				t.Errorf("%v: Status=%s error=%v", order, h.Quote.Status, err)
			}
		}
	})
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
		// There is no answer: the branch gives up, and the quote is referred.
		time.Sleep(16 * time.Minute)
		synctest.Wait()
		if e := r.executions(t); e[0].Status != types.ExecutionStatusSucceeded {
			t.Errorf("after its time the execution is %s", e[0].Status)
		}
		h, err := r.log.Load(t.Context(), r.quoteID)
		if err != nil || h.Quote.Status != quote.StatusReferred || !slices.Equal(h.Quote.Unanswered, []quote.Fact{quote.FactAccidentHistory}) {
			t.Errorf("Status=%s Unanswered=%v error=%v", h.Quote.Status, h.Quote.Unanswered, err)
		}
		// The fact arrives after all. It is in the log, and nothing is left to wake.
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
			`{"replay-name":"r","detail":{"eventType":"VehiclesIdentified","streamId":"quote-` + r.quoteID + `","version":1}}`: "",
			`{"detail":{"eventType":"VehiclesIdentified","streamId":"quote-unknown","version":1}}`:                             "BadPayload",
			`{"detail":{"eventType":"VehiclesIdentified","streamId":"account-1","version":1}}`:                                 "BadPayload",
			`{"detail":{"eventType":"VehiclesIdentified","streamId":"quote-` + r.quoteID + `","version":2}}`:                   "BadPayload",
			// The branches wait for what is not in the log, whatever a notice says.
			`{"detail":{"eventType":"VehiclesIdentified","streamId":"quote-` + r.quoteID + `","version":1}}`: "",
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

// TestALateNoticeWakesNoBranchOfTheNextRevision: a notice of revision 1 that arrives while revision 2 waits for another
// answer must not send revision 2 to be rated without it.
func TestALateNoticeWakesNoBranchOfTheNextRevision(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRoad(t)
		r.take(t, vehicles)
		request := quotetest.MustExample(t, "E01").Request
		request.Vehicles = slices.Clone(request.Vehicles)
		request.Vehicles[0].VIN = "1HGCV1F33NA000101"
		request.Drivers = slices.Clone(request.Drivers)
		request.Drivers[0].LicenseNumber = "ANOTHER"
		amend := quote.AmendQuote{QuoteDate: quotetest.MustExample(t, "E01").QuoteDate, Request: request}
		if _, err := r.log.Execute(t.Context(), r.quoteID, quotestore.Order{ID: "amend", At: time.Now(), Command: amend}); err != nil {
			t.Fatal(err)
		}
		if _, err := r.start.Invoke(t.Context(), fmt.Appendf(nil, `{"detail":{"eventId":"e-3","streamId":"quote-%s","version":3}}`, r.quoteID)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		r.take(t, vehiclesResume)
		if e := r.executions(t); len(e) != 1 || aws.ToString(e[0].Name) != r.quoteID+"-2" || e[0].Status != types.ExecutionStatusRunning {
			t.Errorf("executions %+v, want that of revision 2, waiting", e)
		}
	})
}

// TestBranchesThatNobodyNeedsAreWoken: a revision that is amended, and a quote that is withdrawn, leave no
// execution that waits.
func TestBranchesThatNobodyNeedsAreWoken(t *testing.T) {
	t.Parallel()
	e := quotetest.MustExample(t, "E01")
	longer := e.Request
	longer.TermMonths = 12
	for name, command := range map[string]quote.Command{
		"an amendment": quote.AmendQuote{QuoteDate: e.QuoteDate, Request: longer},
		"a withdrawal": quote.WithdrawQuote{On: e.QuoteDate},
	} {
		for _, announced := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, announced %v", name, announced), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					r := newRoad(t)
					if announced {
						r.take(t, start)
					}
					loaded, err := r.log.Execute(t.Context(), r.quoteID, quotestore.Order{ID: "c", At: time.Now(), Command: command})
					if err != nil {
						t.Fatal(err)
					}
					if announced {
						if _, err := r.resume.Invoke(t.Context(), fmt.Appendf(nil, `{"detail":{"streamId":"quote-%s","version":2}}`, r.quoteID)); err != nil {
							t.Fatal(err)
						}
					} else {
						// The notice of the request comes last.
						r.take(t, start)
					}
					synctest.Wait()
					for _, e := range r.executions(t) {
						if e.Status != types.ExecutionStatusSucceeded {
							t.Errorf("execution %s is %s", aws.ToString(e.Name), e.Status)
						}
					}
					if h, err := r.log.Load(t.Context(), r.quoteID); err != nil || h.Quote.Version != loaded.Quote.Version {
						t.Errorf("Version=%d error=%v: something was rated", h.Quote.Version, err)
					}
				})
			})
		}
	}
}

// TestAReversalEndsOneWaitAndBeginsAnother: who waits for the rest of the facts, when one that was there is
// undone, is overtaken; the next workflow waits for both.
func TestAReversalEndsOneWaitAndBeginsAnother(t *testing.T) {
	t.Parallel()
	for _, startFirst := range []bool{true, false} {
		t.Run(fmt.Sprintf("the next one starts first %v", startFirst), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRoad(t)
				for _, step := range []string{start, vehicles, vehiclesResume} {
					r.take(t, step)
				}
				undo := quote.ReverseEvent{Events: []quote.EventRef{{Version: 2, ID: "event-2"}}, ReasonCode: "BY_MISTAKE", Text: "It was a mistake", By: "employee-7"}
				if _, err := r.log.Execute(t.Context(), r.quoteID, quotestore.Order{ID: "undo", At: time.Now(), Command: undo}); err != nil {
					t.Fatal(err)
				}
				reversed := fmt.Appendf(nil, `{"detail":{"eventId":"e-3","eventType":"EventReversed","streamId":"quote-%s","version":3}}`, r.quoteID)
				steps := []awslambda.Handler{r.start, r.resume}
				if !startFirst {
					slices.Reverse(steps)
				}
				for _, h := range steps {
					if _, err := h.Invoke(t.Context(), reversed); err != nil {
						t.Fatal(err)
					}
					synctest.Wait()
				}
				statuses := map[string]types.ExecutionStatus{}
				for _, e := range r.executions(t) {
					statuses[strings.TrimPrefix(aws.ToString(e.Name), r.quoteID)] = e.Status
				}
				if want := map[string]types.ExecutionStatus{"-1": types.ExecutionStatusSucceeded, "-1-3": types.ExecutionStatusRunning}; !maps.Equal(statuses, want) {
					t.Fatalf("executions %v, want %v", statuses, want)
				}
				e := quotetest.MustExample(t, "E01")
				for i, c := range []quote.Command{e.Vehicles(), e.Histories()} {
					if _, err := r.log.Execute(t.Context(), r.quoteID, quotestore.Order{ID: fmt.Sprint("fact-", i), At: time.Now(), Command: c}); err != nil {
						t.Fatal(err)
					}
				}
				r.take(t, vehiclesResume)
				h, err := r.log.Load(t.Context(), r.quoteID)
				if err != nil || h.Quote.Status != quote.StatusQuoted || h.Events[len(h.Events)-1].Metadata.CommandID != "rate/"+r.quoteID+"-1-3" {
					t.Errorf("Status=%s error=%v, want QUOTED by the second workflow", h.Quote.Status, err)
				}
			})
		})
	}
}
