package main

import (
	"context"
	"errors"
	"fmt"

	"milepost/internal/log/archive"
	"milepost/internal/ops/intake"
)

// logImportCmd reads an archive into the log.
type logImportCmd struct {
	From     place    `arg:"" help:"A file from milepost log export, a directory of such files, s3://bucket/prefix/, or - for standard input."`
	Check    bool     `help:"Read and check all of it, and write nothing."`
	Workers  int      `default:"16" min:"1" max:"256" help:"How many parts to write at the same time. Default: ${default}."`
	JSON     bool     `name:"json" help:"Print JSON."`
	Endpoint endpoint `embed:""`
}

// Help says what is checked, and what follows.
func (*logImportCmd) Help() string {
	return `Every event is added to the log as it was, in order for each quote. While reading, the command checks by hash that each event follows the one before it; if a quote was changed or lacks an event, it is named and none of its later events are imported. An event that the log has already is never overwritten: an equal one counts as done, a different one stops the import of that quote. Whatever is wrong with a quote, a line or a file, all others are imported, and the exit status is then 1. Run an interrupted import again to continue.

Personal data stays sealed. Import the customers' keys first (milepost keys import, or copy): the command names missing keys, with how many events they would open, and ends with status 1; no customer gets another key instead. Customers whom the log records as erased are erased here too.

The events are announced as a playback, so projections are built, but no provider is called, nobody is notified, and no workflow starts.

Example, into a newly started system:

  milepost log import may.ndjson.zst`
}

// Run imports.
func (c *logImportCmd) Run(ctx context.Context, s streams) error {
	l, err := c.Endpoint.logs(ctx, s)
	if err != nil {
		return err
	}
	source, end, err := c.From.source(ctx, &c.Endpoint, s)
	if err != nil {
		return err
	}
	in := &intake.Intake{Quotes: l.quotes, Source: source, Workers: c.Workers, Check: c.Check}
	bar := newBar(s.err, "events", 0, 0)
	f, err := in.Run(ctx, func(events, total int) {
		bar.total = total
		bar.show(events)
	})
	bar.end(f.Events)
	err = errors.Join(err, end())
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted after %d events; the same command continues from there", f.Events)
	}
	if err != nil {
		return plainly(err)
	}
	found, err := in.Keys(ctx)
	if err != nil {
		return plainly(err)
	}
	sealed := keyFaults(found)
	err = c.print(s, f, sealed)
	if err == nil && len(sealed) > 0 {
		err = exitStatus(1)
	}
	return err
}

// print says what was imported, and what of it cannot be opened.
func (c *logImportCmd) print(s streams, f archive.Figures, sealed []keyFault) (err error) {
	if c.JSON {
		return failedFor(f.Faults, printJSON(s.out, struct {
			archive.Figures
			Keys []keyFault `json:"keys"`
		}{f, sealed}))
	}
	printFaults(s.out, f.Faults)
	if c.Check {
		_, err = fmt.Fprintf(s.out, "%d events of %d quotes checked: each follows the one before it\n", f.Events, f.Streams)
	} else {
		_, err = fmt.Fprintf(s.out, "%d events of %d quotes: %d imported, %d there already\n", f.Events, f.Streams, f.Written, f.There)
	}
	printKeyFaults(s.out, sealed)
	return failedFor(f.Faults, err)
}
