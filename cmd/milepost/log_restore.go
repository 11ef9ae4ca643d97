package main

import (
	"context"
	"fmt"
	"slices"

	"milepost/internal/ops/restore"
	"milepost/internal/quotes/quotestore"
)

// logRestoreCmd puts events back.
type logRestoreCmd struct {
	Quote    []string `arg:"" optional:"" help:"Quotes to restore. Default: all."`
	Check    bool     `help:"Show what would be restored, and write nothing."`
	JSON     bool     `name:"json" help:"Print JSON."`
	Endpoint endpoint `embed:""`
}

// Help says where the events come from.
func (*logRestoreCmd) Help() string {
	return `Every event that is missing from the log, or differs from what was appended, is restored. Its content comes from the stack's archive: from its line or, if it has none yet, from the item that was kept when somebody changed it. If the two disagree, the line is right. Events that only the log has stay; log verify --archive names them.

The projections of these quotes are rebuilt. Staff get an alert for each event that is overwritten, as for any change. The exit status is 1 if something could not be restored.

Examples, what would be restored, and one quote:

  milepost log restore --check
  milepost log restore 01KXAMPE0000000000000000QT`
}

// Run restores.
func (c *logRestoreCmd) Run(ctx context.Context, s streams) error {
	l, err := c.Endpoint.logs(ctx, s)
	if err != nil {
		return err
	}
	r := &restore.Restorer{
		Quotes: l.quotes, Projections: l.projections, Bucket: l.archive, Check: c.Check, Snapshots: l.snapshots,
	}
	if len(c.Quote) > 0 {
		r.Only = func(stream string) bool {
			id, ok := quotestore.QuoteID(stream)
			return ok && slices.Contains(c.Quote, id)
		}
	}
	done, err := r.Run(ctx)
	if err != nil {
		return plainly(err)
	}
	if c.JSON {
		err = printJSON(s.out, done)
	} else {
		what := "is put back"
		if c.Check {
			what = "would be put back"
		}
		for _, fault := range done.Faults {
			fmt.Fprintln(s.out, fault)
		}
		for _, p := range done.Events {
			fmt.Fprintf(s.out, "stream %s: version %d %s\n", p.StreamID, p.Version, what)
		}
		_, err = fmt.Fprintf(s.out, "%d events, %d faults\n", len(done.Events), len(done.Faults))
	}
	if err == nil && len(done.Faults) > 0 {
		err = exitStatus(1)
	}
	return err
}
