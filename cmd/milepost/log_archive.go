package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"milepost/internal/log/archive"
	"milepost/internal/log/eventstore"
	"milepost/internal/log/head"
	"milepost/internal/quotes/quotestore"
)

// archived is what the archive says about the log.
type archived struct {
	Objects int `json:"objects"`
	archive.Compared
	// Broken names the objects that are not as they were put.
	Broken []string `json:"broken"`
	// Proof is what the signed heads prove.
	Proof head.Proof `json:"proof"`
}

// compare compares the log with the archive.
func (c *logVerifyCmd) compare(ctx context.Context, l *logs) (*archived, error) {
	w, err := archive.Look(ctx, l.archive)
	if errors.Is(err, archive.ErrEmpty) {
		w, err = &archive.Witness{}, nil // then every event is missed
	}
	if err != nil {
		return nil, err
	}
	compared, err := (&archive.Comparison{Log: l.quotes.Log, Witness: w, Fresh: c.fresh(), Only: c.only()}).Run(ctx)
	if err != nil {
		return nil, err
	}
	public, err := l.stack.headKey(ctx)
	if err != nil {
		return nil, err
	}
	proof, err := (&head.Verifier{Files: l.archive, Public: public, Sums: w.Sums, Log: l.quotes.Log}).Verify(ctx)
	return &archived{Objects: w.Objects, Compared: compared, Broken: w.Broken, Proof: proof}, err
}

// fresh reports whether the archive may not have an event yet, because it was appended a moment ago.
func (c *logVerifyCmd) fresh() func(eventstore.Event) bool {
	now := time.Now()
	return func(e eventstore.Event) bool {
		return within(e.OccurredAt, now, c.Lag) || within(eventstore.ImportedAt(e.Imported), now, c.Lag)
	}
}

// within reports whether two instants are no further apart than d.
func within(a, b time.Time, d time.Duration) bool { return a.Sub(b).Abs() <= d }

// only picks the streams of the requested quotes; nil means all.
func (c *logVerifyCmd) only() func(stream string) bool {
	if len(c.Quote) == 0 {
		return nil
	}
	return func(stream string) bool {
		id, ok := quotestore.QuoteID(stream)
		return ok && slices.Contains(c.Quote, id)
	}
}

// count is how many faults there are.
func (a *archived) count() int {
	if a == nil {
		return 0
	}
	return len(a.Faults) + len(a.Broken) + len(a.Proof.Faults)
}

func (a *archived) print(out io.Writer) {
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
