// Package intake reads an archive or an export into the log.
package intake

import (
	"context"
	"time"

	"milepost/internal/log/archive"
	"milepost/internal/log/eventstore"
	"milepost/internal/ops/keys"
	"milepost/internal/quotes/quotestore"
)

// Intake reads one source. It is used once: first Run, then Keys.
type Intake struct {
	Quotes *quotestore.Store
	Source archive.Source
	// Workers is how many parts are written at the same time.
	Workers int
	// Check reads and checks everything, and writes nothing.
	Check bool

	sealed *keys.Check
}

// Run reads all events into the log. It reports from time to time how many it has read of about how many, which is 0
// while that is unknown. An interrupted intake can be repeated.
func (in *Intake) Run(ctx context.Context, report func(events, total int)) (archive.Figures, error) {
	in.sealed = keys.NewCheck(in.Quotes)
	im := &archive.Importer{
		Log: in.Quotes.Log, Name: eventstore.ImportName(time.Now()), Workers: in.Workers, Check: in.Check, Note: in.sealed.Note,
	}
	r := &archive.Reader{Source: in.Source}
	return im.Run(ctx, r, func(events int) {
		total := 0
		if read := r.Done.Load(); read > 0 { // how many there are is known from how large they are
			total = int(float64(events) * float64(r.Total.Load()) / float64(read))
		}
		report(events, total)
	})
}

// Keys settles the table of keys as the events require, unless they are only checked, and returns what is wrong with
// the keys that open them.
func (in *Intake) Keys(ctx context.Context) ([]keys.Fault, error) {
	if in.Check {
		return in.sealed.Faults(ctx)
	}
	return in.sealed.Settle(ctx)
}
