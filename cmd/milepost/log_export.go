package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"

	"milepost/internal/log/archive"
	"milepost/internal/log/mask"
	"milepost/internal/ops/export"
	"milepost/internal/quotes/quotestore"
)

// logExportCmd writes the log into an archive.
type logExportCmd struct {
	To       place    `arg:"" help:"A file, a directory (with / at its end), s3://bucket/prefix/, or - for standard output."`
	Since    moment   `placeholder:"TIME" help:"Start each quote at its first event from this time on: 2026-05-01T09:30:00Z, or 36h for 36 hours ago. Default: the beginning."`
	Until    moment   `placeholder:"TIME" help:"End each quote before its first event from this time on. Default: now."`
	Quote    []string `placeholder:"ID" help:"Export these quotes only."`
	Mask     bool     `help:"Replace everything that could identify a person or a quote, for a test environment. Prices stay the same."`
	MaskKey  string   `placeholder:"TEXT" help:"With --mask: derive the replacements from this text; whoever has it can undo the masking. Default: a key that is thrown away."`
	Strict   bool     `help:"With --mask: leave out customers who would be unique in what is kept, so that nobody can be identified by that either."`
	Workers  int      `default:"8" min:"1" max:"256" help:"How many parts of the log to read at the same time. Default: ${default}."`
	JSON     bool     `name:"json" help:"Print JSON."`
	Endpoint endpoint `embed:""`
}

// Help says what is written.
func (*logExportCmd) Help() string {
	return `Every event is written in full as a line of JSON, compressed with zstd: to one file, or to a file per day below a directory or prefix, as in the archive. milepost log import reads an export. Personal data stays sealed under the customers' keys, so readers need these too. With --mask it is readable, ids, dates, instants and numbers are replaced, and the quotes of erased customers are left out; quotes whose price cannot be kept are named. An event that cannot be read is named and not written (with --mask, nor is its quote), and the exit status is then 1.

Examples, a copy of the log as it was at the end of May, one for a test environment, and the events from before the archive existed:

  milepost log export may.ndjson.zst --until 2026-06-01T00:00:00Z
  milepost log export test.ndjson.zst --mask --until 2026-06-01T00:00:00Z
  milepost log export s3://milepost-archive-123456789012-us-east-1/ --aws --until 2026-05-01T00:00:00Z`
}

// Validate is called by the parser.
func (c *logExportCmd) Validate() error {
	switch {
	case !c.Until.IsZero() && !c.Since.Before(c.Until.Time):
		return fmt.Errorf("--since (%s) must be before --until (%s)", clock(c.Since.Time), clock(c.Until.Time))
	case c.MaskKey != "" && !c.Mask:
		return errors.New("--mask-key is for --mask; without it nothing is masked")
	case c.Strict && !c.Mask:
		return errors.New("--strict is for --mask; without it nothing is masked")
	case c.Mask && !c.Since.IsZero():
		return errors.New("--mask needs whole quotes from their first event on: leave --since out")
	}
	return nil
}

// masker is what masks the export, nil where nothing is masked.
func (c *logExportCmd) masker() *mask.Masker {
	if !c.Mask {
		return nil
	}
	return mask.New([]byte(cmp.Or(c.MaskKey, rand.Text())))
}

// checkVacant refuses to put a masked export beside other events: both would have the same streams.
func (c *logExportCmd) checkVacant(ctx context.Context, s streams) error {
	if _, _, inBucket := c.To.bucket(); !c.Mask || !inBucket && !c.To.directory() {
		return nil
	}
	source, end, err := c.To.source(ctx, &c.Endpoint, s)
	if err != nil {
		return err
	}
	defer func() { _ = end() }() // it was only read
	if there, err := source.Objects(ctx); err == nil && len(there) > 0 {
		return fmt.Errorf("%s has events already: put a masked export elsewhere", c.To)
	}
	return nil
}

// Run exports.
func (c *logExportCmd) Run(ctx context.Context, s streams) error {
	l, err := c.Endpoint.logs(ctx, s)
	if err != nil {
		return err
	}
	x := &export.Exporter{
		Exporter: archive.Exporter{Log: l.quotes.Log, Since: c.Since.Time, Until: c.Until.Time, Workers: c.Workers},
		Quotes:   l.quotes, Masker: c.masker(),
	}
	for _, id := range c.Quote {
		x.Streams = append(x.Streams, quotestore.StreamID(id))
	}
	if err := c.checkVacant(ctx, s); err != nil {
		return err
	}
	if c.Strict {
		if err := x.LeaveOutAlone(ctx); err != nil {
			return plainly(err)
		}
	}
	total, err := l.quotes.Log.Count(ctx)
	if err != nil {
		return plainly(err)
	}
	sink, finish, err := c.To.sink(ctx, &c.Endpoint, s)
	if err != nil {
		return err
	}
	bar := newBar(s.err, "events", 0, total)
	done, err := x.Run(ctx, sink, bar.show)
	bar.end(done.Events)
	err = errors.Join(err, finish(err != nil))
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted after %d events: the export is not complete", done.Events)
	}
	if err != nil {
		return plainly(err)
	}
	out := s.out
	if c.To == "-" { // where the events are
		out = s.err
	}
	return failedFor(done.Faults, c.print(out, done))
}

// print says what was exported, and of a masked export what it does not do.
func (c *logExportCmd) print(out io.Writer, did export.Exported) error {
	if c.JSON {
		return printJSON(out, did)
	}
	printFaults(out, did.Faults)
	fmt.Fprintf(out, "%d events of %d quotes exported\n", did.Events, did.Streams)
	if did.LeftOut > 0 {
		fmt.Fprintf(out, "%d quotes left out, whose customers were erased\n", did.LeftOut)
	}
	if did.Dropped > 0 {
		fmt.Fprintf(out, "%d quotes left out, whose customers would be unique in what is kept\n", did.Dropped)
	}
	for _, stream := range did.Repriced {
		fmt.Fprintf(out, "%s has another price when it is rated again\n", stream)
	}
	if did.Alone > 0 {
		fmt.Fprintf(out, "%d customers can be identified by what is kept, since they are unique; --strict leaves them out\n", did.Alone)
	}
	return nil
}
