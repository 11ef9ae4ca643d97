package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"milepost/internal/ops/deadletter"
	"milepost/internal/ops/watch"
)

// watchCmd follows what happens.
type watchCmd struct {
	Quote    string        `arg:"" optional:"" help:"Only what is about this quote. Without it, all."`
	Since    moment        `placeholder:"TIME" help:"Begin then: a time (2026-05-01T09:30:00Z) or how long ago (10m). Default: now."`
	Every    time.Duration `default:"1s" min:"100ms" max:"1h" placeholder:"DURATION" help:"How often to look. Default: ${default}."`
	JSON     bool          `name:"json" help:"Print lines of JSON."`
	Endpoint endpoint      `embed:""`
}

// Help says what is told.
func (*watchCmd) Help() string {
	return `Events of the log, executions, letters and failures, one a line, until Ctrl-C. An index of AWS may tell of something a moment late; nothing is left out or told twice. It only reads, and prints no personal data.

Examples:

  milepost watch
  milepost watch 01KXAMPE0000000000000000QT --since 1h`
}

// Run prints what happens until ctx ends.
func (c *watchCmd) Run(ctx context.Context, s streams) error {
	l, err := c.Endpoint.logs(ctx, s)
	if err != nil {
		return err
	}
	w := &watch.Watcher{Log: l.quotes.Log, Letters: l.outbox, SFN: l.stack.StepFunctions(), QuoteID: strings.ToUpper(c.Quote), Since: c.Since.Time}
	if w.Since.IsZero() {
		w.Since = time.Now()
	}
	for _, machine := range l.stack.outputsEnding("WorkflowArn") {
		w.Machines = append(w.Machines, machine.value)
	}
	for _, d := range l.stack.deadLetters() {
		if queue, ok := d.Place.(*deadletter.Queue); ok {
			w.Queues = append(w.Queues, queue)
		}
	}
	for {
		entries, err := w.Poll(ctx)
		if ctx.Err() != nil {
			return nil // Ctrl-C is how it ends
		}
		if err != nil {
			return plainly(err)
		}
		for _, e := range entries {
			if err := c.print(s, e); err != nil {
				return err
			}
		}
		select {
		case <-time.After(c.Every):
		case <-ctx.Done():
			return nil
		}
	}
}

func (c *watchCmd) print(s streams, e watch.Entry) error {
	if c.JSON {
		return json.NewEncoder(s.out).Encode(e)
	}
	mark := " "
	if e.Failed {
		mark = "!"
	}
	line := fmt.Sprintf("%s %s %-9s  ", e.At.UTC().Format("15:04:05.000"), mark, e.Kind)
	if c.Quote == "" { // else it is always the same
		line += fmt.Sprintf("%-26s  ", e.QuoteID)
	}
	_, err := fmt.Fprintln(s.out, line+e.What)
	return err
}
