package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"milepost/internal/ops/rebuild"
	"milepost/local/fault"
)

// slowly makes every call of a function take this long, and run out of time after one piece of work.
func slowly(function string, d time.Duration) *fault.Plan {
	return &fault.Plan{Invoke: func(ctx context.Context, name string, payload []byte, next func(context.Context, []byte) ([]byte, error)) ([]byte, error) {
		if strings.Contains(name, function) {
			time.Sleep(d)
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, d)
			defer cancel()
		}
		return next(ctx, payload)
	}}
}

// started counts the executions of a state machine of the stack.
func (s *running) started(output string) int {
	s.t.Helper()
	out, err := sfn.NewFromConfig(s.Config()).ListExecutions(s.t.Context(), &sfn.ListExecutionsInput{StateMachineArn: aws.String(s.Outputs()[output].Value)})
	if err != nil {
		s.t.Fatal(err)
	}
	return len(out.Executions)
}

func TestRebuildByWorkflow(t *testing.T) {
	inMemory(t, slowly("Rebuild", 10*time.Second), func(t *testing.T, s *running) {
		ids := []string{s.priced(), s.priced(), s.priced()}
		before := projections(t, s.Config())
		for _, test := range []struct {
			args []string
			want rebuild.Figures
		}{
			{[]string{"all"}, rebuild.Figures{Written: 1}},
			{[]string{"quotes", "--prune"}, rebuild.Figures{Written: 1}},
			{[]string{"all", "--wipe", "--yes", "--workers", "32"}, rebuild.Figures{Written: 9, Removed: 5 + 3*searchEntries}},
		} {
			s.forgetOnly(ids[0])
			var got rebuild.Figures
			s.mustJSON(&got, append([]string{"rebuild", "--workflow"}, test.args...)...)
			test.want.Streams, test.want.Events, test.want.Named = 3, 12, []string{}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("%v: %+v, want %+v", test.args, got, test.want)
			}
			if !reflect.DeepEqual(projections(t, s.Config()), before) {
				t.Errorf("%v: the projections changed", test.args)
			}
		}
		r := s.milepost("rebuild", "--workflow", "all")
		if r.status != 0 || r.out != "12 events of 3 quotes folded, 0 projections written, 0 removed, 0 faults\n" ||
			!strings.Contains(r.err, ":execution:milepost-rebuild:2026") || !strings.Contains(r.err, "\n8 of 32 parts done\n") {
			t.Errorf("status %d, output %q, progress:\n%s", r.status, r.out, r.err)
		}
	})
}

func TestAWorkflowIsJoinedByTheSameCommandAndNoOther(t *testing.T) {
	inMemory(t, slowly("Rebuild", 10*time.Second), func(t *testing.T, s *running) {
		s.priced()
		ctx, cut := context.WithTimeout(t.Context(), 15*time.Second)
		defer cut()
		r := s.milepostUntil(ctx, "rebuild", "all", "--workflow")
		if r.status != 1 || !strings.Contains(r.err, "the workflow continues: the same command follows it again") {
			t.Errorf("interrupted: status %d: %s", r.status, r.err)
		}
		if r := s.milepost("rebuild", "quotes", "--workflow"); r.status != 1 || !strings.Contains(r.err, "milepost-rebuild already does something else") {
			t.Errorf("another: status %d: %s", r.status, r.err)
		}
		var got rebuild.Figures
		s.mustJSON(&got, "rebuild", "all", "--workflow")
		if n := s.started("RebuildWorkflowArn"); got.Streams != 1 || n != 1 {
			t.Errorf("%+v in %d executions, want 1 quote in one", got, n)
		}
	})
}

func TestAWorkflowThatFailsSaysWhy(t *testing.T) {
	b := &breakable{function: "Rebuild"}
	inMemory(t, &fault.Plan{Invoke: b.invoke}, func(t *testing.T, s *running) {
		s.priced()
		r := s.milepost("rebuild", "all", "--workflow", "--wipe", "--yes")
		if last := r.err[strings.LastIndex(strings.TrimSpace(r.err), "\n")+1:]; r.status != 1 || !strings.Contains(last, "the workflow FAILED: broken: ") || !strings.Contains(last, "redrive-execution") {
			t.Errorf("status %d: %s", r.status, r.err)
		}
		b.mend()
		var got rebuild.Figures
		s.mustJSON(&got, "rebuild", "all", "--workflow", "--wipe", "--yes")
		if got.Streams != 1 || got.Written != 3 {
			t.Errorf("%+v", got)
		}
		if r := s.milepost("rebuild", "all", "--workflow", "--stack", "nowhere"); r.status != 1 || !strings.Contains(r.err, "there is no stack nowhere; is --stack its name") {
			t.Errorf("no such stack: status %d: %s", r.status, r.err)
		}
	})
}

func TestAWorkflowThatFailedIsRedrivenAndFollowed(t *testing.T) {
	b := &breakable{function: "Rebuild"}
	// No call ends in the moment it begins, so that the workflow is still running when it is followed.
	lasting := func(ctx context.Context, function string, payload []byte, next func(context.Context, []byte) ([]byte, error)) ([]byte, error) {
		time.Sleep(time.Second)
		return b.invoke(ctx, function, payload, next)
	}
	inMemory(t, &fault.Plan{Invoke: lasting}, func(t *testing.T, s *running) {
		s.priced()
		if r := s.milepost("rebuild", "all", "--workflow"); r.status != 1 {
			t.Errorf("status %d: %s", r.status, r.err)
		}
		b.mend()
		s.must("dlq", "redrive", "rebuild", "--all")
		var got rebuild.Figures
		s.mustJSON(&got, "rebuild", "all", "--workflow")
		if n := s.started("RebuildWorkflowArn"); got.Streams != 1 || n != 1 {
			t.Errorf("%+v in %d executions, want 1 quote in one", got, n)
		}
	})
}

func TestLogPlayByWorkflow(t *testing.T) {
	file := filepath.Join(t.TempDir(), "progress.json")
	inMemory(t, nil, func(t *testing.T, s *running) {
		var ids []string
		for range 10 {
			ids = append(ids, s.priced())
		}
		events := s.events()
		s.forgetOnly(ids...)
		var progress struct {
			Played int
			Done   bool
		}
		s.mustJSON(&progress, "log", "play", "--workflow")
		time.Sleep(10 * time.Second)
		if known := s.known(ids...); progress.Played != 40 || !progress.Done || len(known) != 10 {
			t.Errorf("%+v, want 40 events played; %d quotes known", progress, len(known))
		}
		if n := s.events(); n != events {
			t.Errorf("%d events, want no more than %d: a playback has no effects", n, events)
		}

		// At this pace a call of the function ends twice before all is played.
		args := []string{"log", "play", "--workflow", "--rate", "1", "--quote", strings.Join(ids, ","), "--progress", file}
		s.forgetOnly(ids...)
		ctx, cut := context.WithTimeout(t.Context(), 20*time.Second)
		defer cut()
		if r := s.milepostUntil(ctx, args...); r.status != 1 || !strings.Contains(r.err, "the workflow continues") {
			t.Errorf("interrupted: status %d: %s", r.status, r.err)
		}
		if r := s.milepost("log", "play", "--workflow"); r.status != 1 || !strings.Contains(r.err, "milepost-playback already does something else") {
			t.Errorf("another: status %d: %s", r.status, r.err)
		}
		s.mustJSON(&progress, args...)
		time.Sleep(10 * time.Second)
		if known := s.known(ids...); progress.Played != 40 || len(known) != 10 || s.started("PlaybackWorkflowArn") != 2 {
			t.Errorf("%+v in %d executions, want 40 events in 2; %d quotes known", progress, s.started("PlaybackWorkflowArn"), len(known))
		}
		if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the progress file after the end: %v", err)
		}
	})
}

func TestAPlaybackThatFailedGoesOnAtItsCursor(t *testing.T) {
	file := filepath.Join(t.TempDir(), "progress.json")
	calls := 0
	plan := &fault.Plan{Invoke: func(ctx context.Context, name string, payload []byte, next func(context.Context, []byte) ([]byte, error)) ([]byte, error) {
		if !strings.Contains(name, "Playback") {
			return next(ctx, payload)
		}
		if calls++; calls > 1 && calls < 13 {
			return nil, &broken{}
		}
		ctx, cancel := context.WithTimeout(ctx, 41*time.Second)
		defer cancel()
		return next(ctx, payload)
	}}
	inMemory(t, plan, func(t *testing.T, s *running) {
		for range 10 {
			s.priced()
		}
		args := []string{"log", "play", "--workflow", "--rate", "2", "--progress", file}
		r := s.milepost(args...)
		var kept struct{ Played int }
		text, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(text, &kept)
		}
		if r.status != 1 || err != nil || kept.Played == 0 || kept.Played >= 40 {
			t.Fatalf("status %d: %s; the file keeps %s, error %v", r.status, r.err, text, err)
		}
		var progress struct{ Played int }
		s.mustJSON(&progress, args...)
		if progress.Played != 40 {
			t.Errorf("%d events played, want 40 in all", progress.Played)
		}
	})
}

func TestAKilledRebuildWorkflowGoesOn(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	s := mustServe(t, append(freePorts, "--data", data)...)
	var ids []string
	for i := range 40 {
		ids = append(ids, s.mustSubmit(fmt.Sprint("rebuild-", i)))
	}
	s.awaitQuoted(ids...)
	s.assertSound(ids...)
	before := projections(t, s.config())
	args := []string{"rebuild", "all", "--workflow", "--wipe", "--yes", "--json", "--workers", "1", "--endpoint", "http://" + s.aws}
	follower := program(t.Context(), t, args...)
	if err := follower.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); len(rebuilds(t, s)) == 0; { // the whole takes some milliseconds
		if time.Now().After(deadline) {
			t.Fatalf("nothing begins within %v", patience)
		}
	}
	s.mustKill()
	_ = follower.Process.Kill()
	_ = follower.Wait()
	s = mustServe(t, append(s.samePorts(), "--data", data)...)
	for deadline := time.Now().Add(patience); rebuilds(t, s)[0].Status == types.ExecutionStatusRunning && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	if all := rebuilds(t, s); len(all) != 1 || all[0].Status != types.ExecutionStatusSucceeded {
		t.Errorf("%d executions, the first is %s", len(all), all[0].Status)
	}
	if !reflect.DeepEqual(projections(t, s.config()), before) {
		t.Error("the projections changed")
	}
	s.assertSound(ids...)
	s.mustStop()
}

// rebuilds are the executions of the rebuild's state machine.
func rebuilds(t *testing.T, s *served) []types.ExecutionListItem {
	t.Helper()
	out, err := sfn.NewFromConfig(s.config()).ListExecutions(t.Context(), &sfn.ListExecutionsInput{
		StateMachineArn: aws.String("arn:aws:states:us-east-1:000000000000:stateMachine:milepost-rebuild"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.Executions
}
