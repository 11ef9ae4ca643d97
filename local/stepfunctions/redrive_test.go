package stepfunctions_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"milepost/local/awsapi"
	"milepost/local/stepfunctions"
)

// shop does tasks, fails those whose parameters are broken, and counts how often each was requested.
type shop struct {
	mu     sync.Mutex
	killed bool // a task that runs when the process is killed is started again
	broken map[string]bool
	calls  map[string]int
	tokens []string
}

func newShop(broken ...string) *shop {
	s := &shop{broken: map[string]bool{}, calls: map[string]int{}}
	for _, parameters := range broken {
		s.broken[parameters] = true
	}
	return s
}

func (s *shop) Run(_ context.Context, call stepfunctions.TaskCall) (json.RawMessage, error) {
	s.mu.Lock()
	broken := s.broken[string(call.Parameters)]
	s.mu.Unlock()
	if broken {
		time.Sleep(time.Second) // what succeeds comes first
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[string(call.Parameters)]++
	if call.TaskToken != "" {
		s.tokens = append(s.tokens, call.TaskToken)
	}
	if broken {
		return nil, &stepfunctions.TaskError{Name: "Broken", Cause: "it is"}
	}
	return call.Parameters, nil
}

// mend makes everything succeed, and resets the counts.
func (s *shop) mend() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.broken)
	clear(s.calls)
}

func (s *shop) wantCalls(t *testing.T, want map[string]int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	got := maps.Clone(s.calls)
	for parameters, n := range want {
		if s.killed && got[parameters] > n {
			got[parameters] = n
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("asked for %v, want %v", s.calls, want)
	}
}

// redrives runs a test where executions are kept in memory, where they are stored, and where the process is
// killed before and after each redrive.
func redrives(t *testing.T, definition string, s *shop, test func(t *testing.T, w *world, redrive func(arn string) map[string]any)) {
	for _, how := range []string{"memory", "stored", "killed"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				config := stepfunctions.Config{Tasks: s}
				s.killed = how == "killed"
				if how != "memory" {
					store := openStore(t)
					defer store.Close()
					config.Store = store
				}
				w := newWorld(t, definition, config)
				defer func() { w.kill() }()
				kill := func() {
					if how == "killed" {
						w.kill()
						w.up()
					}
				}
				test(t, w, func(arn string) map[string]any {
					kill()
					answer := w.mustCall("RedriveExecution", map[string]any{"executionArn": arn})
					kill()
					time.Sleep(time.Minute)
					return answer
				})
			})
		})
	}
}

// task is a Task state that hands over what it is given.
func task(members string) string {
	return `{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:work",` + members + `}`
}

func TestRedrive(t *testing.T) {
	s := newShop()
	definition := `{"StartAt":"Before","States":{"Before":{"Type":"Pass","Assign":{"kept":"yes"},"Next":"Work"},
		"Work":` + task(`"Parameters":{"n":1},"ResultPath":"$.done","Retry":[{"ErrorEquals":["Broken"],"MaxAttempts":1,"IntervalSeconds":600}],"Next":"After"`) + `,
		"After":{"Type":"Pass","Parameters":{"kept.$":"$kept","done.$":"$.done.n","count.$":"$$.Execution.RedriveCount","time.$":"$$.Execution.RedriveTime"},"End":true}}}`
	redrives(t, definition, s, func(t *testing.T, w *world, redrive func(string) map[string]any) {
		s.mend()
		s.broken[`{"n":1}`] = true
		arn := w.start("one", `{}`)
		time.Sleep(time.Hour)
		got := w.describe(arn)
		wantStatus(t, got, "FAILED", "")
		if got["redriveStatus"] != "REDRIVABLE" || got["redriveStatusReason"] != nil || got["redriveCount"] != 0.0 || got["redriveDate"] != nil {
			t.Errorf("before: %v", got)
		}

		redrive(arn)
		got = w.describe(arn)
		wantStatus(t, got, "RUNNING", "") // the retries count from the beginning
		if got["redriveStatusReason"] != "Execution is RUNNING and cannot be redriven" || got["stopDate"] != nil || got["error"] != nil {
			t.Errorf("while it tries again: %v", got)
		}
		time.Sleep(time.Hour)
		wantStatus(t, w.describe(arn), "FAILED", "")

		s.mend()
		at := redrive(arn)["redriveDate"]
		got = w.describe(arn)
		wantStatus(t, got, "SUCCEEDED", fmt.Sprintf(`{"count":2,"done":1,"kept":"yes","time":%q}`, time.Now().Add(-time.Minute).UTC().Format("2006-01-02T15:04:05.000Z")))
		if got["redriveStatus"] != "NOT_REDRIVABLE" || got["redriveCount"] != 2.0 || got["redriveDate"] != at {
			t.Errorf("after: %v, want the redrive of %v", got, at)
		}
		s.wantCalls(t, map[string]int{`{"n":1}`: 1})

		tries := []string{"LambdaFunctionScheduled", "LambdaFunctionStarted", "LambdaFunctionFailed", "LambdaFunctionScheduled", "LambdaFunctionStarted", "LambdaFunctionFailed", "ExecutionFailed", "ExecutionRedriven"}
		want := slices.Concat([]string{"ExecutionStarted", "PassStateEntered", "PassStateExited", "TaskStateEntered"}, tries, tries,
			[]string{"LambdaFunctionScheduled", "LambdaFunctionStarted", "LambdaFunctionSucceeded", "TaskStateExited", "PassStateEntered", "PassStateExited", "ExecutionSucceeded"})
		if kinds := w.history(arn); !slices.Equal(kinds, want) {
			t.Errorf("history\n%v, want\n%v", kinds, want)
		}
		events := w.mustCall("GetExecutionHistory", map[string]any{"executionArn": arn})["events"].([]any)
		redriven, scheduled := events[11].(map[string]any), events[12].(map[string]any)
		if redriven["previousEventId"] != 11.0 || redriven["executionRedrivenEventDetails"].(map[string]any)["redriveCount"] != 1.0 || scheduled["previousEventId"] != 4.0 {
			t.Errorf("the redrive in the history: %v, then %v", redriven, scheduled)
		}
	})
}

func TestARedriveRunsOnlyTheBranchesThatFailed(t *testing.T) {
	s := newShop()
	branch := func(name, state string) string {
		return `{"StartAt":"` + name + `","States":{"` + name + `":` + state + `}}`
	}
	definition := `{"StartAt":"All","States":{"All":{"Type":"Parallel","Branches":[` +
		branch("Good", task(`"Parameters":"good","End":true`)) + `,` +
		branch("Each", `{"Type":"Map","ItemsPath":"$.items","MaxConcurrency":1,"ItemProcessor":`+branch("Item", task(`"End":true`))+`,"End":true}`) + `,` +
		branch("Token", strings.Replace(task(`"Parameters":"token","End":true`), "arn:aws:lambda:us-east-1:000000000000:function:work", "arn:aws:states:::lambda:invoke.waitForTaskToken", 1)) +
		`],"End":true}}}`
	redrives(t, definition, s, func(t *testing.T, w *world, redrive func(string) map[string]any) {
		s.mend()
		s.broken["2"], s.tokens = true, nil
		arn := w.start("one", `{"items":[1,2,3]}`)
		time.Sleep(time.Minute)
		wantStatus(t, w.describe(arn), "FAILED", "")
		s.wantCalls(t, map[string]int{`"good"`: 1, `1`: 1, `2`: 1, `"token"`: 1})

		s.mend()
		redrive(arn)
		wantStatus(t, w.describe(arn), "RUNNING", "")
		s.wantCalls(t, map[string]int{`2`: 1, `3`: 1, `"token"`: 1})
		wantCode(t, w.SendTaskSuccess(t.Context(), s.tokens[0], `"late"`), "TaskTimedOut")
		if err := w.SendTaskSuccess(t.Context(), s.tokens[len(s.tokens)-1], `"answered"`); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		wantStatus(t, w.describe(arn), "SUCCEEDED", `["good",[1,2,3],"answered"]`)
		kinds := w.history(arn)
		for kind, want := range map[string]int{"ParallelStateEntered": 1, "MapStateEntered": 1, "MapIterationStarted": 3, "MapIterationFailed": 1, "ExecutionRedriven": 1, "ParallelStateExited": 1} {
			if n := len(slices.DeleteFunc(slices.Clone(kinds), func(k string) bool { return k != kind })); n != want {
				t.Errorf("%d times %s, want %d", n, kind, want)
			}
		}
	})
}

func TestAStateThatFailedByItselfIsRedrivenAsAWhole(t *testing.T) {
	s := newShop()
	definition := `{"StartAt":"All","States":{"All":{"Type":"Parallel","Branches":[{"StartAt":"In","States":{"In":` + task(`"Parameters":"good","End":true`) + `}}],
		"ResultSelector":{"none.$":"$.none"},"End":true}}}`
	redrives(t, definition, s, func(t *testing.T, w *world, redrive func(string) map[string]any) {
		s.mend()
		arn := w.start("one", `{}`)
		time.Sleep(time.Minute)
		wantStatus(t, w.describe(arn), "FAILED", "")
		redrive(arn)
		wantStatus(t, w.describe(arn), "FAILED", "")
		s.wantCalls(t, map[string]int{`"good"`: 2})
	})
}

func TestRedriveAfterATimeoutAndAfterAStop(t *testing.T) {
	definition := `{"StartAt":"Wait","TimeoutSeconds":3600,"States":{"Wait":{"Type":"Wait","SecondsPath":"$.s","Next":"Retried"},
		"Retried":` + task(`"Retry":[{"ErrorEquals":["Broken"],"IntervalSeconds":600}],"End":true`) + `}}`
	s := newShop()
	redrives(t, definition, s, func(t *testing.T, w *world, redrive func(string) map[string]any) {
		s.mend()
		s.broken[`{"s":2400}`] = true
		arn := w.start("one", `{"s":2400}`)
		time.Sleep(2 * time.Hour)
		wantStatus(t, w.describe(arn), "TIMED_OUT", "")
		s.mend()
		redrive(arn)
		wantStatus(t, w.describe(arn), "SUCCEEDED", `{"s":2400}`) // the attempt that was waited for is made at once

		arn = w.start("two", `{"s":1800}`)
		time.Sleep(20 * time.Minute)
		w.mustCall("StopExecution", map[string]any{"executionArn": arn})
		wantStatus(t, w.describe(arn), "ABORTED", "")
		time.Sleep(time.Hour)
		redrive(arn)
		time.Sleep(28 * time.Minute)
		wantStatus(t, w.describe(arn), "RUNNING", "") // it waits, and its time limit counts, from the beginning
		time.Sleep(2 * time.Minute)
		wantStatus(t, w.describe(arn), "SUCCEEDED", `{"s":1800}`)
		want := []string{"ExecutionStarted", "WaitStateEntered", "ExecutionAborted", "ExecutionRedriven", "WaitStateExited"}
		if kinds := w.history(arn)[:len(want)]; !slices.Equal(kinds, want) {
			t.Errorf("history %v, want %v", kinds, want)
		}
	})
}

func TestWhatCannotBeRedriven(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShop("1")
		w := newWorld(t, `{"StartAt":"In","States":{"In":`+task(`"Next":"Wait"`)+`,"Wait":{"Type":"Wait","Seconds":60,"End":true}}}`, stepfunctions.Config{Tasks: s})
		defer w.kill()
		refused := func(arn, code, reason string) {
			t.Helper()
			_, err := w.call("RedriveExecution", map[string]any{"executionArn": arn, "clientToken": "another"})
			wantCode(t, err, code)
			if err != nil && !strings.Contains(err.Error(), reason) {
				t.Errorf("%v, want %s", err, reason)
			}
		}
		refused("arn:aws:states:us-east-1:000000000000:execution:quote:none", "ExecutionDoesNotExist", "none")
		good, bad := w.start("good", "2"), w.start("bad", "1")
		refused(good, "ExecutionNotRedrivable", "RUNNING")
		time.Sleep(time.Minute)

		time.Sleep(2 * time.Minute)
		refused(good, "ExecutionNotRedrivable", "SUCCEEDED")

		// The same request again is not another one.
		request := map[string]any{"executionArn": bad, "clientToken": "first"}
		first := w.mustCall("RedriveExecution", request)
		time.Sleep(14 * time.Minute)
		if again := w.mustCall("RedriveExecution", request); again["redriveDate"] != first["redriveDate"] {
			t.Errorf("the same token returned %v, want %v", again, first)
		}
		time.Sleep(2 * time.Minute)
		w.mustCall("RedriveExecution", request)
		time.Sleep(time.Minute)
		if got := w.describe(bad); got["redriveCount"] != 2.0 {
			t.Errorf("redriven %v times, want 2", got["redriveCount"])
		}

		time.Sleep(14*24*time.Hour + time.Second)
		refused(bad, "ExecutionNotRedrivable", "Execution redrivable period exceeded")
		_, err := w.Call(awsapi.WithCaller(t.Context(), awsapi.Caller{Policy: denied{}}), "RedriveExecution", []byte(`{"executionArn":"`+bad+`"}`))
		wantCode(t, err, "AccessDeniedException")
		_, err = w.call("ListExecutions", map[string]any{"stateMachineArn": w.machine, "redriveFilter": "REDRIVEN"})
		wantCode(t, err, "ValidationException")

		late := w.start("late", "1")
		time.Sleep(time.Minute)
		w.mustCall("DeleteStateMachine", map[string]any{"stateMachineArn": w.machine})
		refused(late, "ExecutionNotRedrivable", "State machine is in DELETING status")
	})
}

func TestAHistoryWithoutRoomIsNotRedriven(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, `{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"B"},"B":{"Type":"Pass","Next":"A"}}}`, stepfunctions.Config{})
		defer w.kill()
		arn := w.start("one", "{}")
		time.Sleep(time.Minute)
		if got := w.describe(arn); got["status"] != "FAILED" || got["redriveStatusReason"] != "Execution history event limit exceeded" {
			t.Errorf("%v", got)
		}
		_, err := w.call("RedriveExecution", map[string]any{"executionArn": arn})
		wantCode(t, err, "ExecutionNotRedrivable")
	})
}

func TestRedriveOfADistributedMap(t *testing.T) {
	s := newShop()
	redrives(t, fanOut(`"MaxConcurrency":2,`), s, func(t *testing.T, w *world, redrive func(string) map[string]any) {
		s.mend()
		s.broken["3"] = true
		arn := w.start("one", `{"items":[1,2,3,4,5]}`)
		time.Sleep(time.Minute)
		wantStatus(t, w.describe(arn), "FAILED", "")
		run := w.mapRun(arn)
		if run["status"] != "FAILED" || run["executionCounts"].(map[string]any)["failuresNotRedrivable"] != 0.0 {
			t.Errorf("before: %v", run)
		}
		for _, e := range w.mustCall("ListExecutions", map[string]any{"mapRunArn": run["mapRunArn"], "statusFilter": "FAILED"})["executions"].([]any) {
			child := e.(map[string]any)["executionArn"].(string)
			if got := w.describe(child); got["redriveStatus"] != "REDRIVABLE_BY_MAP_RUN" {
				t.Errorf("a child execution that failed: %v", got)
			}
			_, err := w.call("RedriveExecution", map[string]any{"executionArn": child})
			wantCode(t, err, "ExecutionNotRedrivable")
		}

		redrive(arn) // and it fails again
		wantStatus(t, w.describe(arn), "FAILED", "")
		s.mu.Lock()
		done := len(s.calls)
		s.mu.Unlock()
		s.mend()
		redrive(arn)
		wantStatus(t, w.describe(arn), "SUCCEEDED", `[1,2,3,4,5]`)
		run = w.mapRun(arn)
		if run["status"] != "SUCCEEDED" || run["redriveCount"] != 2.0 || run["redriveDate"] == nil {
			t.Errorf("after: %v", run)
		}
		wantCounts(t, run, "itemCounts", map[string]int{"total": 5, "succeeded": 5})
		s.mu.Lock()
		if s.calls["1"]+s.calls["2"] != 0 || s.calls["3"] != 1 || done < 3 {
			t.Errorf("asked for %v, want no repetition of what succeeded", s.calls)
		}
		s.mu.Unlock()
		list := w.mustCall("ListExecutions", map[string]any{"mapRunArn": run["mapRunArn"], "redriveFilter": "NOT_REDRIVEN"})["executions"].([]any)
		for _, e := range list {
			if e.(map[string]any)["redriveCount"] != 0.0 {
				t.Errorf("listed as not redriven: %v", e)
			}
		}
		want := []string{"ExecutionStarted", "MapStateEntered", "MapStateStarted", "MapRunStarted", "MapRunFailed", "MapStateFailed", "ExecutionFailed",
			"ExecutionRedriven", "MapRunRedriven", "MapRunFailed", "MapStateFailed", "ExecutionFailed",
			"ExecutionRedriven", "MapRunRedriven", "MapRunSucceeded", "MapStateSucceeded", "MapStateExited", "ExecutionSucceeded"}
		if kinds := w.history(arn); !slices.Equal(kinds, want) {
			t.Errorf("history\n%v, want\n%v", kinds, want)
		}
	})
}

// What a Map Run had stopped, or had not begun, is done when it is redriven, also if the process is killed
// in between.
func TestARedrivenMapRunIsKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		every           time.Duration
		members, broken string
	}{
		{time.Second, `"MaxConcurrency":2,`, "2"},
		{17 * time.Second, `"MaxConcurrency":2,`, "2"},
		{61 * time.Second, `"MaxConcurrency":2,`, "2"},
		{time.Second, `"MaxConcurrency":1,"ToleratedFailureCount":1,`, "23"},
		{61 * time.Second, `"MaxConcurrency":1,"ToleratedFailureCount":1,`, "23"},
	} {
		t.Run(fmt.Sprint(row), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				broken, done := true, map[string]time.Duration{}
				work := func(ctx context.Context, call stepfunctions.TaskCall) (json.RawMessage, error) {
					began, item := time.Now(), string(call.Parameters)
					mu.Lock()
					left, fails := time.Minute-done[item], broken && strings.Contains(row.broken, item)
					mu.Unlock()
					if fails {
						left = 30 * time.Second
					}
					select {
					case <-time.After(left):
					case <-ctx.Done():
					}
					mu.Lock()
					defer mu.Unlock()
					if fails {
						return nil, &stepfunctions.TaskError{Name: "Broken"}
					}
					done[item] += time.Since(began)
					return call.Parameters, ctx.Err()
				}
				store := openStore(t)
				defer store.Close()
				w := newWorld(t, fanOut(row.members), stepfunctions.Config{Store: store, Tasks: runner(work)})
				defer func() { w.kill() }()
				arn := w.start("one", `{"items":[1,2,3,4,5]}`)
				time.Sleep(150 * time.Second)
				wantStatus(t, w.describe(arn), "FAILED", "")
				broken = false
				w.mustCall("RedriveExecution", map[string]any{"executionArn": arn})
				for range 10 * time.Minute / row.every {
					w.kill()
					w.up()
					time.Sleep(row.every)
				}
				time.Sleep(time.Minute)
				wantStatus(t, w.describe(arn), "SUCCEEDED", `[1,2,3,4,5]`)
				run := w.mapRun(arn)
				wantCounts(t, run, "executionCounts", map[string]int{"total": 5, "succeeded": 5})
				if got := w.children(run); got["SUCCEEDED"] != 5 || len(got) != 1 {
					t.Errorf("child executions: %v", got)
				}
			})
		})
	}
}

// An execution that is redriven at the moment it fails waits until its child executions have been stopped.
func TestARedriveAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		tried := map[string]bool{}
		work := func(ctx context.Context, call stepfunctions.TaskCall) (json.RawMessage, error) {
			mu.Lock()
			first := !tried[string(call.Parameters)]
			tried[string(call.Parameters)] = true
			mu.Unlock()
			if first && strings.HasPrefix(string(call.Parameters), `"bad`) {
				return nil, &stepfunctions.TaskError{Name: "Broken"}
			}
			return minute(ctx, call)
		}
		w := newWorld(t, fanOut(``), stepfunctions.Config{Tasks: runner(work)})
		defer w.kill()
		for i := range 20 {
			output := fmt.Sprintf(`[1,2,3,"bad %d",5,6,7,8]`, i)
			arn := w.start(fmt.Sprint(i), `{"items":`+output+`}`)
			for {
				_, err := w.RedriveExecution(t.Context(), arn, "")
				if err == nil {
					break
				}
				wantCode(t, err, "ExecutionNotRedrivable") // it still runs
			}
			time.Sleep(2 * time.Minute)
			wantStatus(t, w.describe(arn), "SUCCEEDED", output)
		}
	})
}

func TestRedrivingChildExecutionsNeedsPermission(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShop("2")
		w := newWorld(t, fanOut(``), stepfunctions.Config{Tasks: s, Assume: func(string) (awsapi.Caller, error) {
			return awsapi.Caller{Policy: allowed{"states:StartExecution"}}, nil
		}})
		defer w.kill()
		arn := w.start("one", `{"items":[2]}`)
		time.Sleep(time.Minute)
		s.mend()
		w.mustCall("RedriveExecution", map[string]any{"executionArn": arn})
		time.Sleep(time.Minute)
		got := w.describe(arn)
		wantStatus(t, got, "FAILED", "")
		if got["error"] != "States.Permissions" || !strings.Contains(got["cause"].(string), "states:RedriveExecution on arn:aws:states:us-east-1:000000000000:execution:quote/each:") {
			t.Errorf("%v", got)
		}
		s.wantCalls(t, map[string]int{})
	})
}

// allowed is a policy that allows one action.
type allowed struct{ action string }

func (a allowed) Authorize(action, resource string) error {
	if action == a.action {
		return nil
	}
	return denied{}.Authorize(action, resource)
}
