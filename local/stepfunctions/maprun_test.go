package stepfunctions_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"milepost/local/awsapi"
	"milepost/local/stepfunctions"
)

// fanOut is a definition with one distributed Map state, which has further members, over a task.
func fanOut(members string) string {
	return `{"StartAt":"Each","States":{"Each":{"Type":"Map","Label":"each",` + members + `
		"ItemsPath":"$.items","ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},
		"StartAt":"Work","States":{"Work":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:work","End":true}}},"End":true}}}`
}

// minute echoes after a minute, and fails an item that is "bad".
func minute(ctx context.Context, call stepfunctions.TaskCall) (json.RawMessage, error) {
	select {
	case <-time.After(time.Minute):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if string(call.Parameters) == `"bad"` {
		return nil, &stepfunctions.TaskError{Name: "Bad", Cause: "as it was told"}
	}
	return call.Parameters, nil
}

// mapRun returns the one Map Run of an execution.
func (w *world) mapRun(arn string) map[string]any {
	w.t.Helper()
	runs := w.mustCall("ListMapRuns", map[string]any{"executionArn": arn})["mapRuns"].([]any)
	if len(runs) != 1 {
		w.t.Fatalf("%d map runs, want 1", len(runs))
	}
	return w.mustCall("DescribeMapRun", map[string]any{"mapRunArn": runs[0].(map[string]any)["mapRunArn"]})
}

// children counts the child executions of a Map Run by their status.
func (w *world) children(run map[string]any) map[string]int {
	w.t.Helper()
	found := map[string]int{}
	for _, e := range w.mustCall("ListExecutions", map[string]any{"mapRunArn": run["mapRunArn"], "maxResults": 1000})["executions"].([]any) {
		found[e.(map[string]any)["status"].(string)]++
	}
	return found
}

// wantCounts checks counts of a Map Run; those that are not named must be 0.
func wantCounts(t *testing.T, run map[string]any, name string, want map[string]int) {
	t.Helper()
	for what, n := range run[name].(map[string]any) {
		if what != "failuresNotRedrivable" && int(n.(float64)) != want[what] {
			t.Errorf("%s %s=%v, want %d", name, what, n, want[what])
		}
	}
}

func TestDistributedMap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fanOut(`"MaxConcurrency":2,"ItemSelector":{"n.$":"$$.Map.Item.Value","of.$":"$.of"},`), stepfunctions.Config{Tasks: runner(minute)})
		defer w.kill()
		arn := w.start("one", `{"items":[1,2,3,4,5],"of":"all"}`)
		time.Sleep(90 * time.Second)
		run := w.mapRun(arn)
		if run["status"] != "RUNNING" || run["executionArn"] != arn || run["maxConcurrency"] != 2.0 || run["stopDate"] != nil {
			t.Errorf("in the middle: %v", run)
		}
		wantCounts(t, run, "itemCounts", map[string]int{"total": 5, "succeeded": 2, "running": 2, "pending": 1})
		list := w.mustCall("ListExecutions", map[string]any{"mapRunArn": run["mapRunArn"], "statusFilter": "RUNNING"})["executions"].([]any)
		child := list[0].(map[string]any)
		if len(list) != 2 || child["itemCount"] != 1.0 || child["stateMachineArn"] != w.machine+"/each" || child["mapRunArn"] != run["mapRunArn"] {
			t.Errorf("%d child executions run, the first is %v", len(list), child)
		}
		if got := w.describe(child["executionArn"].(string)); !strings.Contains(got["input"].(string), `"of":"all"`) || got["mapRunArn"] != run["mapRunArn"] {
			t.Errorf("child execution: %v", got)
		}
		if all := w.mustCall("ListExecutions", map[string]any{"stateMachineArn": w.machine})["executions"].([]any); len(all) != 1 {
			t.Errorf("the machine lists %d executions, want its own alone", len(all))
		}
		time.Sleep(2 * time.Minute)
		wantStatus(t, w.describe(arn), "SUCCEEDED",
			`[{"n":1,"of":"all"},{"n":2,"of":"all"},{"n":3,"of":"all"},{"n":4,"of":"all"},{"n":5,"of":"all"}]`)
		run = w.mapRun(arn)
		if run["status"] != "SUCCEEDED" || run["stopDate"].(float64)-run["startDate"].(float64) != 180 {
			t.Errorf("at the end: %v", run)
		}
		wantCounts(t, run, "executionCounts", map[string]int{"total": 5, "succeeded": 5})
	})
}

func TestItemsThatFail(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		members, items string
		// fails reports whether the threshold is exceeded, otherwise output is what remains.
		fails  bool
		output string
	}{
		"none is tolerated":                      {``, `[1,"bad"]`, true, ""},
		"one is tolerated, and fails":            {`"ToleratedFailureCount":1,`, `[1,"bad",3]`, false, `[1,3]`},
		"one is tolerated, and two fail":         {`"ToleratedFailureCount":1,`, `[1,"bad","bad"]`, true, ""},
		"half of them are tolerated":             {`"ToleratedFailurePercentage":50,`, `[1,"bad","bad",4]`, false, `[1,4]`},
		"half of them are tolerated, and 2 of 3": {`"ToleratedFailurePercentage":50,`, `[1,"bad","bad"]`, true, ""},
		"either threshold counts":                {`"ToleratedFailurePercentage":90,"ToleratedFailureCount":1,`, `[1,"bad","bad"]`, true, ""},
		"no item at all":                         {``, `[]`, false, `[]`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, fanOut(test.members), stepfunctions.Config{Tasks: runner(minute)})
				defer w.kill()
				arn := w.start("one", `{"items":`+test.items+`}`)
				time.Sleep(2 * time.Minute)
				got := w.describe(arn)
				if !test.fails {
					wantStatus(t, got, "SUCCEEDED", test.output)
					return
				}
				wantStatus(t, got, "FAILED", "")
				if got["error"] != "States.ExceedToleratedFailureThreshold" || got["cause"] != "The specified tolerated failure threshold was exceeded" {
					t.Errorf("error %v, cause %v", got["error"], got["cause"])
				}
				want := []string{"ExecutionStarted", "MapStateEntered", "MapStateStarted", "MapRunStarted", "MapRunFailed", "MapStateFailed", "ExecutionFailed"}
				if kinds := w.history(arn); !slices.Equal(kinds, want) {
					t.Errorf("history %v, want %v", kinds, want)
				}
				if run := w.mapRun(arn); run["status"] != "FAILED" {
					t.Errorf("map run: %v", run)
				}
			})
		})
	}
}

func TestAFailedMapRunStopsWhatStillRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fanOut(`"MaxConcurrency":3,"Retry":[{"ErrorEquals":["States.ALL"],"MaxAttempts":1}],`), stepfunctions.Config{Tasks: runner(
			func(ctx context.Context, call stepfunctions.TaskCall) (json.RawMessage, error) {
				if string(call.Parameters) != `"bad"` {
					time.Sleep(time.Minute)
				}
				return minute(ctx, call)
			})})
		defer w.kill()
		arn := w.start("one", `{"items":[1,"bad",3,4]}`)
		time.Sleep(time.Hour)
		wantStatus(t, w.describe(arn), "FAILED", "")
		runs := w.mustCall("ListMapRuns", map[string]any{"executionArn": arn})["mapRuns"].([]any)
		if len(runs) != 2 {
			t.Fatalf("%d map runs, want one for each try", len(runs))
		}
		for _, r := range runs {
			run := w.mustCall("DescribeMapRun", map[string]any{"mapRunArn": r.(map[string]any)["mapRunArn"]})
			wantCounts(t, run, "itemCounts", map[string]int{"total": 4, "failed": 1, "aborted": 2, "pending": 1})
			if got := w.children(run); got["ABORTED"] != 2 || got["FAILED"] != 1 || len(got) != 2 {
				t.Errorf("child executions: %v", got)
			}
		}
	})
}

func TestStoppingADistributedMap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fanOut(`"MaxConcurrency":2,`), stepfunctions.Config{Tasks: runner(minute)})
		defer w.kill()
		arn := w.start("one", `{"items":[1,2,3,4,5]}`)
		time.Sleep(90 * time.Second)
		if err := w.StopExecution(t.Context(), arn, nil, nil); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		want := []string{"ExecutionStarted", "MapStateEntered", "MapStateStarted", "MapRunStarted", "MapRunAborted", "ExecutionAborted"}
		if kinds := w.history(arn); !slices.Equal(kinds, want) {
			t.Errorf("history %v, want %v", kinds, want)
		}
		run := w.mapRun(arn)
		wantCounts(t, run, "itemCounts", map[string]int{"total": 5, "succeeded": 2, "aborted": 2, "pending": 1})
		if got := w.children(run); run["status"] != "ABORTED" || got["ABORTED"] != 2 || got["SUCCEEDED"] != 2 {
			t.Errorf("map run %v, child executions %v", run["status"], got)
		}
	})
}

func TestAChildExecutionThatIsStoppedHasNotFailed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fanOut(``), stepfunctions.Config{Tasks: runner(minute)})
		defer w.kill()
		arn := w.start("one", `{"items":[1,2]}`)
		synctest.Wait()
		run := w.mapRun(arn)
		list := w.mustCall("ListExecutions", map[string]any{"mapRunArn": run["mapRunArn"]})["executions"].([]any)
		if err := w.StopExecution(t.Context(), list[0].(map[string]any)["executionArn"].(string), nil, nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		if got := w.describe(arn); got["status"] != "SUCCEEDED" || len(got["output"].(string)) != len(`[1]`) {
			t.Errorf("%v with %v", got["status"], got["output"])
		}
		wantCounts(t, w.mapRun(arn), "itemCounts", map[string]int{"total": 2, "succeeded": 1, "aborted": 1})
	})
}

func TestBatches(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ batcher, output string }{
		"by number":           {`{"MaxItemsPerBatch":2}`, `[{"Items":[1,2]},{"Items":[3,4]},{"Items":[5]}]`},
		"by a path":           {`{"MaxItemsPerBatchPath":"$.most"}`, `[{"Items":[1,2,3]},{"Items":[4,5]}]`},
		"by bytes":            {`{"MaxInputBytesPerBatch":15}`, `[{"Items":[1,2]},{"Items":[3,4]},{"Items":[5]}]`},
		"whichever is less":   {`{"MaxItemsPerBatch":1,"MaxInputBytesPerBatch":15}`, `[{"Items":[1]},{"Items":[2]},{"Items":[3]},{"Items":[4]},{"Items":[5]}]`},
		"with what they need": {`{"MaxItemsPerBatch":3,"BatchInput":{"most.$":"$.most"}}`, `[{"BatchInput":{"most":3},"Items":[1,2,3]},{"BatchInput":{"most":3},"Items":[4,5]}]`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, fanOut(`"ItemBatcher":`+test.batcher+`,`), stepfunctions.Config{Tasks: runner(minute)})
				defer w.kill()
				arn := w.start("one", `{"items":[1,2,3,4,5],"most":3}`)
				time.Sleep(2 * time.Minute)
				wantStatus(t, w.describe(arn), "SUCCEEDED", test.output)
				run := w.mapRun(arn)
				wantCounts(t, run, "itemCounts", map[string]int{"total": 5, "succeeded": 5})
				n := strings.Count(test.output, "Items")
				wantCounts(t, run, "executionCounts", map[string]int{"total": n, "succeeded": n})
			})
		})
	}
}

func TestAnItemThatIsLargerThanItsBatchMayBe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fanOut(`"ItemBatcher":{"MaxInputBytesPerBatch":20},`), stepfunctions.Config{Tasks: runner(minute)})
		defer w.kill()
		arn := w.start("one", `{"items":["a very long item indeed"]}`)
		synctest.Wait()
		if got := w.describe(arn); got["status"] != "FAILED" || got["error"] != "States.DataLimitExceeded" {
			t.Errorf("%v", got)
		}
	})
}

func TestADistributedMapNeedsPermission(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fanOut(``), stepfunctions.Config{Tasks: runner(minute), Assume: func(roleARN string) (awsapi.Caller, error) {
			return awsapi.Caller{ARN: roleARN, Policy: denied{}}, nil
		}})
		defer w.kill()
		arn := w.start("one", `{"items":[1]}`)
		synctest.Wait()
		got := w.describe(arn)
		if want := "states:StartExecution on " + w.machine + " is not allowed"; got["error"] != "States.Permissions" || got["cause"] != want {
			t.Errorf("error %v, cause %v; want States.Permissions, %s", got["error"], got["cause"], want)
		}
		wantCounts(t, w.mapRun(arn), "itemCounts", map[string]int{"total": 1, "pending": 1})
	})
}

func TestADistributedMapIsKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	for _, every := range []time.Duration{time.Second, 17 * time.Second, time.Minute, 61 * time.Second} {
		t.Run(every.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				done := map[string]time.Duration{} // how long each item has been worked on
				work := func(ctx context.Context, call stepfunctions.TaskCall) (json.RawMessage, error) {
					began := time.Now()
					mu.Lock()
					left := time.Minute - done[string(call.Parameters)]
					mu.Unlock()
					select {
					case <-time.After(left):
					case <-ctx.Done():
					}
					mu.Lock()
					defer mu.Unlock()
					done[string(call.Parameters)] += time.Since(began)
					return call.Parameters, ctx.Err()
				}
				store := openStore(t)
				w := newWorld(t, fanOut(`"MaxConcurrency":2,`), stepfunctions.Config{Store: store, Tasks: runner(work)})
				arn := w.start("one", `{"items":[1,2,3,4,5]}`)
				for range 10 * time.Minute / every {
					time.Sleep(every)
					w.kill()
					w.up()
				}
				synctest.Wait()
				wantStatus(t, w.describe(arn), "SUCCEEDED", `[1,2,3,4,5]`)
				run := w.mapRun(arn)
				wantCounts(t, run, "executionCounts", map[string]int{"total": 5, "succeeded": 5})
				if got := w.children(run); got["SUCCEEDED"] != 5 || len(got) != 1 {
					t.Errorf("child executions: %v", got)
				}
				want := []string{"ExecutionStarted", "MapStateEntered", "MapStateStarted", "MapRunStarted", "MapRunSucceeded", "MapStateSucceeded", "MapStateExited", "ExecutionSucceeded"}
				if kinds := w.history(arn); !slices.Equal(kinds, want) {
					t.Errorf("history %v, want %v", kinds, want)
				}
				w.kill()
				store.Close()
			})
		})
	}
}

func TestMapRunsGoWithTheirExecution(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := openStore(t)
		w := newWorld(t, fanOut(``), stepfunctions.Config{Store: store, Tasks: runner(minute)})
		arn := w.start("one", `{"items":[1,2]}`)
		time.Sleep(2 * time.Minute)
		run := w.mapRun(arn)["mapRunArn"]
		time.Sleep(91 * 24 * time.Hour)
		w.start("two", `{"items":[]}`)
		for range 2 {
			_, err := w.call("DescribeMapRun", map[string]any{"mapRunArn": run})
			wantCode(t, err, "ResourceNotFound")
			w.kill()
			w.up()
		}
		w.kill()
		store.Close()
	})
}

func TestListingMapRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fanOut(`"Retry":[{"ErrorEquals":["States.ALL"],"MaxAttempts":2,"IntervalSeconds":1}],`), stepfunctions.Config{Tasks: runner(minute)})
		defer w.kill()
		arn := w.start("one", `{"items":["bad"]}`)
		time.Sleep(time.Hour)
		var last float64
		token, seen := any(nil), 0
		for {
			request := map[string]any{"executionArn": arn, "maxResults": 2}
			if token != nil {
				request["nextToken"] = token
			}
			page := w.mustCall("ListMapRuns", request)
			for _, r := range page["mapRuns"].([]any) {
				began := r.(map[string]any)["startDate"].(float64)
				if seen > 0 && began >= last {
					t.Errorf("a run that began at %v follows one of %v", began, last)
				}
				last, seen = began, seen+1
			}
			if token = page["nextToken"]; token == nil {
				break
			}
		}
		if seen != 3 {
			t.Errorf("%d map runs, want 3", seen)
		}
		_, err := w.call("ListExecutions", map[string]any{"mapRunArn": "arn:aws:states:us-east-1:000000000000:mapRun:quote/each:none"})
		wantCode(t, err, "ResourceNotFound")
		_, err = w.call("ListExecutions", map[string]any{"mapRunArn": "m", "stateMachineArn": w.machine})
		wantCode(t, err, "ValidationException")
		_, err = w.call("UpdateMapRun", map[string]any{"mapRunArn": "m"})
		wantCode(t, err, "NotImplemented")
	})
}
