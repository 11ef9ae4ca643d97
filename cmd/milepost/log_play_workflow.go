package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"milepost/internal/ops/playback"
	"milepost/internal/ops/workflow"
)

// runWorkflow has the stack play, after the events that an earlier run played.
func (c *logPlayCmd) runWorkflow(ctx context.Context, s streams, st *stack, selection playback.Selection, from playing) error {
	w, err := st.workflow("PLAYBACK_WORKFLOW_ARN")
	if err != nil {
		return err
	}
	task := playback.Task{Selection: selection, Name: c.mark(), PerSecond: c.Rate, Played: from.Played, Faults: from.Faults}
	arn, err := workflow.Begin(ctx, w, task, c.same)
	if err != nil {
		return plainly(err)
	}
	fmt.Fprintln(s.err, arn)
	shown := time.Now()
	var done playback.Task
	err = follow(ctx, w, arn, func() error {
		var at playback.Task
		ok, err := w.Last(ctx, arn, &at)
		if !ok || err != nil {
			return err
		}
		if now := time.Now(); now.Sub(shown) >= 5*time.Second {
			shown = now
			fmt.Fprintf(s.err, "%d events played\n", at.Played)
		}
		from.Cursor, from.Played, from.Faults = at.After, at.Played, at.Faults
		return c.Progress.Write(from)
	}, &done)
	if err != nil {
		return err
	}
	if err := c.Progress.Remove(); err != nil {
		return err
	}
	return c.print(s, playback.Progress{Cursor: done.After, Played: done.Played, Done: done.Done, Faults: done.Faults})
}

// same reports whether a running playback is the one that the command line requests. If the command line says nothing
// about the end, or continues in the middle, these are as they were when that playback began.
func (c *logPlayCmd) same(running, wanted playback.Task) bool {
	if c.untilNow {
		running.Until = wanted.Until
	}
	if c.Progress != "" {
		running.After, running.Played, running.Faults = wanted.After, wanted.Played, wanted.Faults
	}
	running.Until = running.Until.In(wanted.Until.Location())
	a, errA := json.Marshal(running)
	b, errB := json.Marshal(wanted)
	return errA == nil && errB == nil && string(a) == string(b)
}
