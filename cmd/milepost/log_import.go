package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"milepost/internal/log/archive"
	"milepost/internal/log/eventstore"
	"milepost/internal/ops/keys"
)

// logImportCmd reads an archive into the log.
type logImportCmd struct {
	From     place    `arg:"" help:"A file of milepost log export, a directory of such, s3://bucket/prefix/, or - for standard input."`
	Check    bool     `help:"Read and check all of it, and write nothing."`
	Workers  int      `default:"16" min:"1" max:"256" help:"Write so many parts at the same time. Default: ${default}."`
	JSON     bool     `name:"json" help:"Print JSON."`
	Endpoint endpoint `embed:""`
}

// Help says what is checked, and what follows.
func (*logImportCmd) Help() string {
	return `Every event comes into the log as it was, each quote's in their order. While it reads, it checks that each follows the one before it by its hash; of a quote that was changed, or lacks an event, nothing more is imported, and it is named. An event that the log has already is never overwritten: an equal one counts as done, and of a quote that has another one nothing more is imported. Whatever is wrong with a quote, a line or a file, all others are imported, and the exit status is 1 in the end. An import that was interrupted is run again, and goes on.

What is about persons stays sealed. Bring the customers' keys before (milepost keys import, or copy): the command names the keys that are missing, with how many events they would open, and ends with status 1; nobody gets another key instead. Who was erased, as the log says, is erased here too.

The events are announced as a playback, so the projections are made; nobody is asked or notified, and no workflow starts.

Example, into a system that milepost run has just begun:

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
	im := &archive.Importer{Log: l.quotes.Log, Name: eventstore.ImportName(time.Now()), Workers: c.Workers, Check: c.Check}
	check := keys.NewCheck(l.quotes)
	im.Note = check.Note
	r := &archive.Reader{Source: source}
	bar := newBar(s.err, 0, 0)
	f, err := im.Run(ctx, r, func(events int) {
		if read := r.Done.Load(); read > 0 { // how many there are is known from how large they are
			bar.total = int(float64(events) * float64(r.Total.Load()) / float64(read))
		}
		bar.show(events)
	})
	bar.end(f.Events)
	err = errors.Join(err, end())
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted behind %d events; the same command goes on there", f.Events)
	}
	if err != nil {
		return plainly(err)
	}
	settle := check.Settle
	if c.Check {
		settle = check.Faults
	}
	found, err := settle(ctx)
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
