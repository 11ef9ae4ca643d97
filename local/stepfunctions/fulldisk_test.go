package stepfunctions_test

import (
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"milepost/local/stepfunctions"
	"milepost/local/storage"
)

// TestExecutionsGoOnAfterAFullDisk fills the disk while executions are in the middle of a wait and of a distributed
// map. Once there is space, each reaches its end, with its whole history, also after a restart.
func TestExecutionsGoOnAfterAFullDisk(t *testing.T) {
	t.Parallel()
	for name, definition := range map[string]string{
		"a wait":            `{"StartAt":"A","States":{"A":{"Type":"Wait","Seconds":60,"Next":"B"},"B":{"Type":"Pass","End":true}}}`,
		"a distributed map": fanOut(`"MaxConcurrency":1,`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store, err := storage.Open(filepath.Join(t.TempDir(), "state.db"))
				if err != nil {
					t.Fatal(err)
				}
				defer store.Close()
				w := newWorld(t, definition, stepfunctions.Config{Store: store, Tasks: runner(minute)})
				defer func() { w.kill() }()
				arn := w.start("one", `{"items":[1,2,3]}`)
				time.Sleep(10 * time.Second)

				store.Break(errFull)
				time.Sleep(time.Hour)
				wantStatus(t, w.describe(arn), "RUNNING", "")
				if name != "a wait" {
					// It waits for its children, and would be stopped as soon as that can be written down.
				} else if _, err := w.call("StopExecution", map[string]any{"executionArn": arn}); !errors.Is(err, errFull) {
					t.Errorf("stopping it returned %v, want the store's error", err)
				}
				store.Break(nil)
				time.Sleep(time.Hour)
				wantStatus(t, w.describe(arn), "SUCCEEDED", "")
				history := w.history(arn)
				if last := history[len(history)-1]; last != "ExecutionSucceeded" {
					t.Errorf("the history ends with %s", last)
				}
				w.kill()
				w.up()
				wantStatus(t, w.describe(arn), "SUCCEEDED", "")
				if again := w.history(arn); len(again) != len(history) {
					t.Errorf("after a restart the history has %d events, before %d", len(again), len(history))
				}
			})
		})
	}
}

// TestAnAnswerIsRefusedWhileTheDiskIsFull has a task answered while nothing can be stored.
func TestAnAnswerIsRefusedWhileTheDiskIsFull(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store, err := storage.Open(filepath.Join(t.TempDir(), "state.db"))
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		s := newShop()
		w := newWorld(t, callback, stepfunctions.Config{Store: store, Tasks: s})
		defer w.kill()
		arn := w.start("one", "{}")
		synctest.Wait()
		store.Break(errFull)
		if err := w.SendTaskSuccess(t.Context(), s.tokens[0], `{"a":1}`); !errors.Is(err, errFull) {
			t.Errorf("an answer that cannot be stored returned %v", err)
		}
		store.Break(nil)
		time.Sleep(time.Minute)
		// The refused caller retries, and learns that nothing is left to do.
		wantCode(t, w.SendTaskSuccess(t.Context(), s.tokens[0], `{"a":1}`), "TaskTimedOut")
		wantStatus(t, w.describe(arn), "SUCCEEDED", `{"a":1}`)
	})
}

var errFull = errors.New("no space left on device")
