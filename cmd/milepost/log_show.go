package main

import (
	"context"
	"fmt"
	"strconv"
	"text/tabwriter"
	"time"

	"milepost/internal/ops/inspect"
	"milepost/internal/quotes/readmodel"
)

// logShowCmd shows one quote.
type logShowCmd struct {
	Quote    string   `arg:"" help:"The quote's id."`
	AsOf     past     `placeholder:"POINT" help:"Show it as it was at a version (3), a time (2026-05-01T09:30:00Z) or how long ago (36h)."`
	JSON     bool     `name:"json" help:"Print JSON."`
	Endpoint endpoint `embed:""`
}

// Help says what is shown.
func (*logShowCmd) Help() string {
	return `The state is the one that the API returns, but read from the log instead of a projection. People appear only by id.

Examples, a quote as of its first offer, and an hour ago:

  milepost log show 01KXAMPE0000000000000000QT --as-of 4
  milepost log show 01KXAMPE0000000000000000QT --as-of 1h`
}

// Run shows it.
func (c *logShowCmd) Run(ctx context.Context, s streams) error {
	h, err := c.Endpoint.history(ctx, s, c.Quote)
	if err != nil {
		return err
	}
	then, at, err := c.AsOf.Of(h)
	if err != nil {
		return err
	}
	events := inspect.Events(then)
	state := readmodel.Project(then).At(at)
	if c.JSON {
		return printJSON(s.out, map[string]any{"quote": state, "events": events})
	}
	if err := printJSON(s.out, state); err != nil {
		return err
	}
	table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\nVERSION\tEVENT\tOCCURRED AT\tBY")
	for _, e := range events {
		name := e.EventType
		if e.ReversedBy > 0 {
			name += fmt.Sprintf(" (undone by %d)", e.ReversedBy)
		}
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\n", e.Version, name, e.OccurredAt.Format(time.RFC3339Nano), e.Actor)
	}
	return table.Flush()
}

// past is a point in a quote's life as the command line takes it.
type past struct{ inspect.Point }

// UnmarshalText reads "3", "2026-05-01T09:30:00Z" or "36h".
func (p *past) UnmarshalText(text []byte) error {
	if version, err := strconv.Atoi(string(text)); err == nil {
		if version < 1 {
			return fmt.Errorf("%d is not a version: versions count from 1", version)
		}
		p.Version = version
		return nil
	}
	var m moment
	if err := m.UnmarshalText(text); err != nil {
		return fmt.Errorf("%q is neither a version like 3, nor a time like 2026-05-01T09:30:00Z, nor how long ago, like 36h", text)
	}
	if m.After(time.Now()) {
		return fmt.Errorf("%s has not passed", clock(m.Time))
	}
	p.At = m.Time
	return nil
}
