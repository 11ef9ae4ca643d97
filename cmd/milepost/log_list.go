package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"milepost/internal/log/eventstore"
	"milepost/internal/quotes/quotestore"
)

// logListCmd lists the quotes that something happened to.
type logListCmd struct {
	Since    moment   `placeholder:"TIME" help:"Events from then on: a time (2026-05-01T09:30:00Z) or how long ago (36h). Default: 24h."`
	Until    moment   `placeholder:"TIME" help:"Events before then. Default: now."`
	Limit    int      `default:"100" min:"1" max:"10000" help:"List at most this many quotes, those with the newest events. Default: ${default}."`
	JSON     bool     `name:"json" help:"Print JSON."`
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

// listed is a quote with the last of its events in some time.
type listed struct {
	QuoteID string `json:"quoteId"`
	// Events counts those in that time.
	Events int `json:"events"`
	// Version, EventType, OccurredAt and Actor are those of the last.
	Version    int    `json:"version"`
	EventType  string `json:"eventType"`
	OccurredAt string `json:"occurredAt"`
	Actor      string `json:"actor"`
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
	last, counts := map[string]eventstore.Place{}, map[string]int{}
	for place, err := range l.quotes.Log.Places(ctx, eventstore.CursorAt(since), until) {
		if err != nil {
			return plainly(err)
		}
		if _, ok := quotestore.QuoteID(place.StreamID); !ok {
			continue
		}
		counts[place.StreamID]++
		if place.Version > last[place.StreamID].Version { // those of the same moment come in any order
			last[place.StreamID] = place
		}
	}
	var places []eventstore.Place
	for _, place := range last {
		places = append(places, place)
	}
	slices.SortFunc(places, func(a, b eventstore.Place) int { return -cmp.Compare(a.Cursor, b.Cursor) })
	places = places[:min(len(places), c.Limit)]
	quotes := []listed{}
	unreadable := 0
	for batch := range slices.Chunk(places, 100) {
		notices, broken, err := l.quotes.Log.Notices(ctx, batch)
		if err != nil {
			return plainly(err)
		}
		for _, b := range broken {
			fmt.Fprintln(s.err, b)
		}
		unreadable += len(broken)
		for _, n := range notices {
			id, _ := quotestore.QuoteID(n.StreamID)
			quotes = append(quotes, listed{id, counts[n.StreamID], n.Version, n.EventType, n.OccurredAt, n.Actor})
		}
	}
	if err := c.print(s, quotes); err != nil {
		return err
	}
	if unreadable > 0 {
		return exitStatus(1)
	}
	return nil
}

func (c *logListCmd) print(s streams, quotes []listed) error {
	if c.JSON {
		return printJSON(s.out, quotes)
	}
	table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "QUOTE\tVERSION\tLAST EVENT\tOCCURRED AT\tBY")
	for _, q := range quotes {
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%s\n", q.QuoteID, q.Version, q.EventType, q.OccurredAt, q.Actor)
	}
	return table.Flush()
}
