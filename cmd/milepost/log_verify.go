package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"milepost/internal/ops/verify"
)

// logVerifyCmd checks the hash chains.
type logVerifyCmd struct {
	Quote    []string      `arg:"" optional:"" help:"Quotes to check. Default: all."`
	Archive  bool          `help:"Also compare the log with the stack's archive, in both directions."`
	Lag      time.Duration `default:"5m" min:"0s" max:"720h" help:"The archive may still lack what was appended within this time. Default: ${default}."`
	SkipKeys bool          `help:"Do not try the customers' keys; for users who may not decrypt with them."`
	JSON     bool          `name:"json" help:"Print JSON."`
	Endpoint endpoint      `embed:""`
}

// Help says what a check can find.
func (*logVerifyCmd) Help() string {
	return `Every event carries the hash of the one before it, and every projection the hash of the last event in it. So an event that was changed, removed or inserted is found and named. Only the archive can reveal a stream that was rewritten or deleted together with its projection: --archive compares each event with its archived line, looks for lines without an event, and checks the signed heads; the last line of output says from which head on history is proven. One sealed event is opened for each key of a customer, and keys that do not open it are named. The exit status is 1 if anything is found.

Examples, all quotes, all with the archive, and one:

  milepost log verify
  milepost log verify --archive
  milepost log verify 01KXAMPE0000000000000000QT`
}

// Run checks, and fails when it finds something.
func (c *logVerifyCmd) Run(ctx context.Context, s streams) error {
	l, err := c.Endpoint.logs(ctx, s)
	if err != nil {
		return err
	}
	r := &verify.Verifier{Quotes: l.quotes, Projections: l.projections, SkipKeys: c.SkipKeys}
	if c.Archive {
		public, err := l.stack.headKey(ctx)
		if err != nil {
			return plainly(err)
		}
		r.Archive = &verify.Archive{Bucket: l.archive, HeadKey: public, Lag: c.Lag}
	}
	bar := newBar(s.err, "quotes", 0, 0)
	r.Progress = func(done, all int) {
		if bar.total = all; done < all {
			bar.show(done)
			return
		}
		bar.end(done)
	}
	v, err := r.Run(ctx, c.Quote)
	if err != nil {
		return plainly(err)
	}
	unopened := keyFaults(v.Keys)
	if c.JSON {
		err = printJSON(s.out, struct {
			verify.Verification
			Keys []keyFault `json:"keys"`
		}{v, unopened})
	} else {
		for _, f := range v.Faults {
			fmt.Fprintln(s.out, f)
		}
		printKeyFaults(s.out, unopened)
		fmt.Fprintf(s.out, "%d events of %d streams checked, %d faults\n", v.Events, v.Streams, len(v.Faults))
		printArchived(s.out, v.Archive)
	}
	if err == nil && v.Count() > 0 {
		err = exitStatus(1)
	}
	return err
}

// printArchived prints the comparison with the archive, if there was one.
func printArchived(out io.Writer, a *verify.Archived) {
	if a == nil {
		return
	}
	for _, broken := range a.Broken {
		fmt.Fprintln(out, broken)
	}
	for _, f := range a.Faults {
		fmt.Fprintln(out, f)
	}
	fmt.Fprintf(out, "%d events compared with %d in %d objects of the archive, %d faults\n", a.Events, a.Archived, a.Objects, len(a.Faults)+len(a.Broken))
	printProof(out, a.Proof)
}
