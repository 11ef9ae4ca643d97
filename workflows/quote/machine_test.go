package quote_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"milepost/internal/log/eventstore"
	"milepost/internal/platform"
	"milepost/internal/stacktest"
	"milepost/local/lambda"
)

// script says how the steps of the state machine behave, and notes how they were called.
type script struct {
	// await is called for each task of a branch; an answer of "" leaves the branch waiting.
	await func(fact string, call int) (answer string, err error)
	// rate returns the outcome of the nth call, project fails it.
	rate    func(call int) (outcome string, err error)
	project func(call int) error
	// pending are the seconds after which the steps want to ask again, 0 if they do not. One of them does not.
	pending []int

	workflows *sfn.Client
	mu        sync.Mutex
	calls     map[string]int
	rated     json.RawMessage // what rate was given
	projected json.RawMessage
}

// call counts the calls of a step.
func (s *script) call(step string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[step]++
	return s.calls[step]
}

type step func(ctx context.Context, payload []byte) (any, error)

func (f step) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	out, err := f(ctx, payload)
	if err != nil {
		return nil, platform.Named(err)
	}
	return json.Marshal(out)
}

func (s *script) runAwait(ctx context.Context, payload []byte) (any, error) {
	var task struct {
		QuoteID, Fact, TaskToken string
		Revision                 int
	}
	if err := json.Unmarshal(payload, &task); err != nil {
		return nil, err
	}
	if task.QuoteID != "Q1" || task.Revision != 1 || task.TaskToken == "" {
		return nil, errors.New("the step is given " + string(payload))
	}
	answer, err := s.await(task.Fact, s.call(task.Fact))
	if err != nil || answer == "" {
		return struct{}{}, err
	}
	_, err = s.workflows.SendTaskSuccess(ctx, &sfn.SendTaskSuccessInput{TaskToken: &task.TaskToken, Output: &answer})
	return struct{}{}, err
}

func (s *script) runRate(_ context.Context, payload []byte) (any, error) {
	s.rated = payload
	outcome, err := s.rate(s.call("rate"))
	return map[string]any{"quoteId": "Q1", "revision": 1, "outcome": outcome, "askAgainIn": s.pending[0], "tries": 0}, err
}

func (s *script) runAskAgain(_ context.Context, payload []byte) (any, error) {
	var task map[string]any
	err := json.Unmarshal(payload, &task)
	n := s.call("askagain")
	task["askAgainIn"], task["tries"] = s.pending[n], n
	return task, err
}

func (s *script) runProject(_ context.Context, payload []byte) (any, error) {
	s.projected = payload
	return struct{}{}, s.project(s.call("project"))
}

// answers settles every branch at once.
func answers(fact string, _ int) (string, error) {
	return `{"fact":"` + fact + `","timedOut":false}`, nil
}

// silent leaves some branches waiting.
func silent(facts ...string) func(string, int) (string, error) {
	return func(fact string, call int) (string, error) {
		if slices.Contains(facts, fact) {
			return "", nil
		}
		return answers(fact, call)
	}
}

func outcome(o string) func(int) (string, error) { return func(int) (string, error) { return o, nil } }

// failing fails the first n calls with err.
func failing(n int, err error) func(call int) error {
	return func(call int) error {
		if call <= n {
			return err
		}
		return nil
	}
}

// run is an execution that has ended.
type run struct {
	status types.ExecutionStatus
	// failure is the error's name.
	failure string
	// path are the states that were entered, those inside the parallel state left out; branches has those.
	path, branches []string
	took           time.Duration
	*script
}

// mustRun runs one execution of the state machine of the template to its end, in virtual time.
func mustRun(t *testing.T, s *script) run {
	t.Helper()
	s.calls = map[string]int{}
	if s.project == nil {
		s.project = failing(0, nil)
	}
	if s.pending == nil {
		s.pending = []int{0}
	}
	of := func(f step) func(platform.Environment) (lambda.Handler, error) {
		return func(platform.Environment) (lambda.Handler, error) { return f, nil }
	}
	stack := stacktest.Open(t, stacktest.Code{"await": of(s.runAwait), "rate": of(s.runRate), "project": of(s.runProject), "askagain": of(s.runAskAgain)})
	s.workflows = sfn.NewFromConfig(stack.Config())
	began := time.Now()
	started, err := s.workflows.StartExecution(t.Context(), &sfn.StartExecutionInput{
		StateMachineArn: aws.String(stack.Outputs()["QuoteWorkflowArn"].Value),
		Input:           aws.String(`{"quoteId":"Q1","revision":1,"reversal":0,"causationId":"e1","correlationId":"r1"}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	r := run{script: s}
	for {
		synctest.Wait()
		e, err := s.workflows.DescribeExecution(t.Context(), &sfn.DescribeExecutionInput{ExecutionArn: started.ExecutionArn})
		if err != nil {
			t.Fatal(err)
		}
		if r.status, r.failure = e.Status, aws.ToString(e.Error); r.status != types.ExecutionStatusRunning {
			r.took = e.StopDate.Sub(began)
			break
		}
		time.Sleep(time.Second)
	}
	history, err := s.workflows.GetExecutionHistory(t.Context(), &sfn.GetExecutionHistoryInput{ExecutionArn: started.ExecutionArn, MaxResults: 1000})
	if err != nil {
		t.Fatal(err)
	}
	inside := false
	for _, e := range history.Events {
		switch e.Type {
		case types.HistoryEventTypeParallelStateStarted:
			inside = true
		case types.HistoryEventTypeParallelStateExited:
			inside = false
		}
		if e.StateEnteredEventDetails == nil {
			continue
		}
		if name := aws.ToString(e.StateEnteredEventDetails.Name); inside {
			r.branches = append(r.branches, name)
		} else {
			r.path = append(r.path, name)
		}
	}
	slices.Sort(r.branches)
	return r
}

// States of the machine.
const (
	gather          = "Gather the facts"
	rateState       = "Rate the quote"
	projectState    = "Project the quote"
	decide          = "What was decided?"
	waitVehicles    = "Wait for the vehicles"
	waitHistory     = "Wait for the accident history"
	noVehicles      = "Vehicles not answered"
	noHistory       = "Accident history not answered"
	branchTimeout   = 900 * time.Second
	longestOfSixTry = 63 * time.Second
)

func TestTheStateMachineEndsWhereTheOutcomeSays(t *testing.T) {
	t.Parallel()
	for o, end := range map[string]string{"QUOTED": "Quoted", "REFERRED": "Referred to an underwriter", "DECLINED": "Declined", "OVERTAKEN": "Overtaken by the customer"} {
		t.Run(o, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := mustRun(t, &script{await: answers, rate: outcome(o)})
				if want := []string{gather, rateState, projectState, decide, end}; r.status != types.ExecutionStatusSucceeded || !slices.Equal(r.path, want) {
					t.Errorf("%s %v, want %v", r.status, r.path, want)
				}
				if want := []string{waitHistory, waitVehicles}; !slices.Equal(r.branches, want) || r.took > time.Second {
					t.Errorf("branches %v in %v, want %v at once", r.branches, r.took, want)
				}
				assertJSON(t, r.rated, `{"quoteId":"Q1","revision":1,"reversal":0,"causationId":"e1","correlationId":"r1",
					"facts":[{"fact":"VEHICLES","timedOut":false},{"fact":"ACCIDENT_HISTORY","timedOut":false}]}`)
				assertJSON(t, r.projected, `{"detail":{"correlationId":"r1","streamId":"quote-Q1"}}`)
			})
		})
	}
}

func assertJSON(t *testing.T, got json.RawMessage, want string) {
	t.Helper()
	var g, w any
	if err := json.Unmarshal(got, &g); err != nil {
		t.Fatalf("%v: %s", err, got)
	}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatal(err)
	}
	gotText, _ := json.Marshal(g)
	wantText, _ := json.Marshal(w)
	if string(gotText) != string(wantText) {
		t.Errorf("got  %s\nwant %s", gotText, wantText)
	}
}

func TestABranchThatIsNotAnsweredTimesOutAndTheQuoteIsRated(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		silent   []string
		branches []string
		facts    string
	}{
		"no vehicles": {[]string{"VEHICLES"}, []string{noVehicles, waitHistory, waitVehicles},
			`[{"fact":"VEHICLES","timedOut":true},{"fact":"ACCIDENT_HISTORY","timedOut":false}]`},
		"no accident history": {[]string{"ACCIDENT_HISTORY"}, []string{noHistory, waitHistory, waitVehicles},
			`[{"fact":"VEHICLES","timedOut":false},{"fact":"ACCIDENT_HISTORY","timedOut":true}]`},
		"neither": {[]string{"VEHICLES", "ACCIDENT_HISTORY"}, []string{noHistory, noVehicles, waitHistory, waitVehicles},
			`[{"fact":"VEHICLES","timedOut":true},{"fact":"ACCIDENT_HISTORY","timedOut":true}]`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := mustRun(t, &script{await: silent(test.silent...), rate: outcome("REFERRED")})
				slices.Sort(test.branches)
				if r.status != types.ExecutionStatusSucceeded || !slices.Equal(r.branches, test.branches) || r.path[len(r.path)-1] != "Referred to an underwriter" {
					t.Errorf("%s %v %v, want branches %v", r.status, r.path, r.branches, test.branches)
				}
				if r.took < branchTimeout || r.took > branchTimeout+5*time.Second {
					t.Errorf("took %v, want the timeout of a branch: both wait at the same time", r.took)
				}
				var given struct{ Facts json.RawMessage }
				if err := json.Unmarshal(r.rated, &given); err != nil {
					t.Fatal(err)
				}
				assertJSON(t, given.Facts, test.facts)
			})
		})
	}
}

func TestFailuresThatMayPassAreTriedAgain(t *testing.T) {
	t.Parallel()
	conflict := &eventstore.VersionConflict{StreamID: "quote-Q1", Version: 4}
	transient := &platform.TransientFailure{Err: errors.New("throttled")}
	final := errors.New("no such revision")
	rateFailing := func(n int, err error) func(int) (string, error) {
		return func(call int) (string, error) { return "QUOTED", failing(n, err)(call) }
	}
	awaitFailing := func(n int, err error) func(string, int) (string, error) {
		return func(fact string, call int) (string, error) {
			if failure := failing(n, err)(call); fact == "VEHICLES" && failure != nil {
				return "", failure
			}
			return answers(fact, call)
		}
	}
	tests := map[string]struct {
		script *script
		step   string
		calls  int
		fails  string
	}{
		"a lost race while rating":                      {&script{await: answers, rate: rateFailing(3, conflict)}, "rate", 4, ""},
		"a service that throttles the rating":           {&script{await: answers, rate: rateFailing(6, transient)}, "rate", 7, ""},
		"a race that is lost for ever":                  {&script{await: answers, rate: rateFailing(99, conflict)}, "rate", 7, "VersionConflict"},
		"a rating that makes no sense":                  {&script{await: answers, rate: rateFailing(99, final)}, "rate", 1, "Failure"},
		"a service that throttles the projection":       {&script{await: answers, rate: outcome("QUOTED"), project: failing(2, transient)}, "project", 3, ""},
		"a projection that makes no sense":              {&script{await: answers, rate: outcome("QUOTED"), project: failing(1, final)}, "project", 1, "Failure"},
		"a service that throttles a branch":             {&script{await: awaitFailing(2, transient), rate: outcome("QUOTED")}, "VEHICLES", 3, ""},
		"a branch that makes no sense is not answered":  {&script{await: awaitFailing(1, final), rate: outcome("REFERRED")}, "VEHICLES", 1, ""},
		"an outcome that the state machine is not told": {&script{await: answers, rate: outcome("MAYBE")}, "rate", 1, "States.NoChoiceMatched"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := mustRun(t, test.script)
				want := types.ExecutionStatusSucceeded
				if test.fails != "" {
					want = types.ExecutionStatusFailed
				}
				if r.status != want || r.failure != test.fails || r.calls[test.step] != test.calls {
					t.Errorf("%s %q after %d calls of %s, want %s %q after %d", r.status, r.failure, r.calls[test.step], test.step, want, test.fails, test.calls)
				}
				if r.took > longestOfSixTry {
					t.Errorf("took %v, want at most %v", r.took, longestOfSixTry)
				}
				if given := slices.Contains(r.branches, noVehicles); given != strings.HasSuffix(name, "not answered") {
					t.Errorf("branches %v", r.branches)
				}
			})
		})
	}
}

func TestPendingFactsAreAskedForAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := mustRun(t, &script{await: answers, rate: outcome("QUOTED"), pending: []int{60, 120, 0}})
		want := []string{"What was decided?", "Wait to ask again", "Ask again", "What was decided?", "Wait to ask again", "Ask again", "What was decided?", "Quoted"}
		if got := r.path[len(r.path)-len(want):]; !slices.Equal(got, want) || r.calls["askagain"] != 2 || r.took < 3*time.Minute || r.took > 3*time.Minute+longestOfSixTry {
			t.Errorf("%v %d calls after %v, path %v", r.status, r.calls["askagain"], r.took, r.path)
		}
	})
}
