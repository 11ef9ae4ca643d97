package main

import (
	"context"
	"fmt"
	"time"

	"milepost/internal/ops/inspect"
)

// logListCmd lists the quotes that something happened to.
type logListCmd struct {
	Since    moment   `placeholder:"TIME" help:"Events from then on: a time (2026-05-01T09:30:00Z) or how long ago (36h). Default: 24h."`
	Until    moment   `placeholder:"TIME" help:"Events before then. Default: now."`
	Limit    int      `default:"100" min:"1" max:"10000" help:"List at most this many quotes, those with the newest events. Default: ${default}."`
	Format   format   `embed:""`
	Endpoint endpoint `embed:""`
}

// Help says what is listed.
func (*logListCmd) Help() string {
	return `Each line is a quote with an event in that time, and the last of these events, newest first. The list comes from the log's index by time, which contains no personal data, and on AWS may be a moment behind the log. The exit status is 1 if an event cannot be read.

Examples, what happened in the last day, and on the first of May:

  milepost log list
  milepost log list --since 2026-05-01T00:00:00Z --until 2026-05-02T00:00:00Z --json`
}

// Validate is called by the parser.
func (c *logListCmd) Validate() error {
	if !c.Until.IsZero() && !c.Since.Before(c.Until.Time) {
		return fmt.Errorf("--until %s is not after --since %s", clock(c.Until.Time), clock(c.Since.Time))
	}
	return nil
}

// Run lists them.
func (c *logListCmd) Run(ctx context.Context, s streams) error {
	l, err := c.Endpoint.logs(ctx, s)
	if err != nil {
		return err
	}
	since, until := c.Since.Time, c.Until.Time
	if since.IsZero() {
		since = time.Now().Add(-24 * time.Hour)
	}
	if until.IsZero() {
		until = time.Now().Add(time.Second)
	}
	quotes, unreadable, err := inspect.Recent(ctx, l.quotes.Log, since, until, c.Limit)
	for _, u := range unreadable {
		fmt.Fprintln(s.err, u)
	}
	if err != nil {
		return plainly(err)
	}
	if err := c.print(s, quotes); err != nil {
		return err
	}
	if len(unreadable) > 0 {
		return exitStatus(1)
	}
	return nil
}

func (c *logListCmd) print(s streams, quotes []inspect.Latest) error {
	if c.Format.JSON {
		return printJSON(s.out, quotes)
	}
	l := newList("quote", "version", "last event", "occurred at", "by")
	for _, q := range quotes {
		l.add(q.QuoteID, q.Version, q.EventType, q.OccurredAt, q.Actor)
	}
	return l.print(s.out, c.Format)
}
