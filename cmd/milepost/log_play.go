package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"milepost/domain/quote"
	"milepost/internal/log/eventstore"
	"milepost/internal/ops/playback"
	"milepost/internal/ops/progress"
	"milepost/internal/platform/stored"
	"milepost/internal/quotes/quotestore"
)

// logPlayCmd announces events of the log on a bus again.
type logPlayCmd struct {
	Since    moment        `placeholder:"TIME" help:"Play events from this time on: 2026-05-01T09:30:00Z, or 36h for 36 hours ago. Default: the beginning."`
	Until    moment        `placeholder:"TIME" help:"Play events before this time. Default: now; later events are announced anyway."`
	Type     []string      `placeholder:"TYPE" help:"Play these types only, such as QuoteOffered."`
	Quote    []string      `placeholder:"ID" help:"Play these quotes only."`
	Bus      string        `placeholder:"NAME" help:"Name or ARN of the bus. Default: the stack's."`
	Rate     int           `default:"0" min:"0" max:"1000000" help:"Play at most this many events per second; 0 means no limit."`
	Name     string        `default:"playback" help:"The name that tells listeners that the events are not new."`
	New      bool          `help:"Announce the events as new ones. For events that were never announced: lookups and workflows start."`
	Progress progress.File `placeholder:"FILE" type:"path" help:"Record the progress in this file, and continue from there if the file exists. It is removed at the end."`
	Workflow bool          `help:"Run it as a state machine of the stack, and follow that. It continues when this program ends."`
	JSON     bool          `name:"json" help:"Print JSON."`
	Endpoint endpoint      `embed:""`

	untilNow bool   // no end was specified
	bus      string // the one that they go to
}

// Help says what happens to whom.
func (*logPlayCmd) Help() string {
	return `The events go to the bus in the order in which they occurred, without their data, as when they were new. They are marked as a playback: projections catch up, and nothing leaves the system, because the rules of functions with effects do not match marked events.

Example, the projections of May, at 500 events per second, continuing after an interruption:

  milepost log play --since 2026-05-01T00:00:00Z --until 2026-06-01T00:00:00Z --rate 500 --progress may.json`
}

// theBeginning is before every event.
var theBeginning = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Validate is called by the parser.
func (c *logPlayCmd) Validate() error {
	if c.Since.IsZero() {
		c.Since.Time = theBeginning
	}
	if c.Until.IsZero() {
		c.Until.Time, c.untilNow = time.Now(), true
	}
	for _, eventType := range c.Type {
		if quote.SchemaVersion(eventType) == 0 {
			return fmt.Errorf("--type %s is not a type of event; docs/events.md lists them", eventType)
		}
	}
	switch {
	case c.Workflow && c.Bus != "":
		return errors.New("--bus is for the playback by this program; the workflow may use the stack's own bus only")
	case !c.Since.Before(c.Until.Time):
		return fmt.Errorf("--since (%s) must be before --until (%s)", clock(c.Since.Time), clock(c.Until.Time))
	case c.Name == "":
		return errors.New("--name must not be empty; --new announces events as new ones")
	}
	return nil
}

// mark is the name on the events, "" where they are announced as new.
func (c *logPlayCmd) mark() string {
	if c.New {
		return ""
	}
	return c.Name
}

// Run plays them.
func (c *logPlayCmd) Run(ctx context.Context, s streams) error {
	selection := playback.Selection{After: eventstore.CursorAt(c.Since.Time), Until: c.Until.Time, Types: c.Type}
	for _, id := range c.Quote {
		selection.Streams = append(selection.Streams, quotestore.StreamID(id))
	}
	l, err := c.Endpoint.logs(ctx, s)
	if err != nil {
		return err
	}
	c.bus = cmp.Or(c.Bus, l.stack.Required("EVENT_BUS_NAME"))
	if err := l.stack.Err(); err != nil {
		return err
	}
	at, err := c.resume(s)
	if err != nil {
		return err
	}
	selection.After = max(selection.After, at.Cursor)
	if c.Workflow {
		return c.runWorkflow(ctx, s, l.stack, selection, at)
	}
	player := &playback.Player{
		Log: l.quotes.Log, Bus: l.stack.EventBridge(), BusName: c.bus, Name: c.mark(), PerSecond: c.Rate,
	}
	if !c.Endpoint.here() {
		player.Lag = playback.IndexLag // in the AWS of milepost run, an index is never behind
	}
	if err := player.Check(ctx, selection); err != nil {
		return plainly(err)
	}
	total := 0 // what a choice comes to is not known before
	if c.Since.Equal(theBeginning) && len(selection.Types)+len(selection.Streams) == 0 {
		if total, err = l.quotes.Log.Count(ctx); err != nil {
			return plainly(err)
		}
	}
	before, faults := at.Played, at.Faults
	bar := newBar(s.err, "events", before, total)
	progress, err := player.Play(ctx, selection, func(p playback.Progress) error {
		at.Cursor, at.Played, at.Faults = p.Cursor, before+p.Played, joined(faults, p.Faults)
		bar.show(at.Played)
		return c.Progress.Write(at)
	})
	progress.Played += before
	bar.end(progress.Played)
	progress.Faults = joined(faults, progress.Faults)
	if err := finish(ctx, c.Progress, progress.Played, err); err != nil {
		return err
	}
	return c.print(s, progress)
}

// joined are the faults of two stretches.
func joined(a, b stored.Faults) stored.Faults {
	all := stored.NewFaults()
	all.Join(a)
	all.Join(b)
	all.Bound()
	return all
}

// print prints what was played. It fails if events cannot be read.
func (c *logPlayCmd) print(s streams, p playback.Progress) error {
	if c.JSON {
		return failedFor(p.Faults, printJSON(s.out, p))
	}
	printFaults(s.out, p.Faults)
	_, err := fmt.Fprintf(s.out, "%d events played to %s\n", p.Played, c.bus)
	return failedFor(p.Faults, err)
}

// playing is what the file of --progress keeps: how far which playback is.
type playing struct {
	Since time.Time `json:"since"`
	// Until is zero if no end was specified.
	Until  time.Time         `json:"until"`
	Types  []string          `json:"types"`
	Quotes []string          `json:"quotes"`
	Bus    string            `json:"bus"`
	Name   string            `json:"name"`
	Cursor eventstore.Cursor `json:"cursor"`
	Played int               `json:"played"`
	stored.Faults
}

// resume returns where the playback begins: where an earlier run of the command stopped, or at the beginning.
func (c *logPlayCmd) resume(s streams) (playing, error) {
	begin := playing{Since: c.Since.Time, Types: c.Type, Quotes: c.Quote, Bus: c.bus, Name: c.mark()}
	if !c.untilNow {
		begin.Until = c.Until.Time
	}
	whole := func(p playing) bool { return p.Cursor != "" }
	same := func(p playing) bool {
		return p.Since.Equal(begin.Since) && p.Until.Equal(begin.Until) && slices.Equal(p.Types, begin.Types) &&
			slices.Equal(p.Quotes, begin.Quotes) && p.Bus == begin.Bus && p.Name == begin.Name
	}
	return resume(s, c.Progress, "playback", begin, whole, same)
}
