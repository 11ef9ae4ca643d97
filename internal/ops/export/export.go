// Package export writes the log into an archive, as it is or masked for a test environment.
package export

import (
	"context"
	"errors"

	"milepost/internal/log/archive"
	"milepost/internal/log/mask"
	"milepost/internal/quotes/quotestore"
)

// Exporter exports the log.
type Exporter struct {
	// Exporter says what is exported. It changes nothing itself.
	archive.Exporter
	Quotes *quotestore.Store
	// Masker masks the export, unless it is nil.
	Masker *mask.Masker

	// drop are the masked customers whose quotes are left out.
	drop map[string]bool
}

// Exported is the result of an export.
type Exported struct {
	archive.Exported
	// Repriced are the masked quotes whose price differs when they are rated again. Alone counts the customers who are
	// unique in what is kept, Dropped the quotes that were left out because their customers would have been.
	Repriced []string `json:"repriced,omitempty"`
	Alone    int      `json:"alone,omitempty"`
	Dropped  int      `json:"dropped,omitempty"`
}

// LeaveOutAlone masks everything once, to find the customers who would be unique in what is kept. The export then
// leaves them out.
func (x *Exporter) LeaveOutAlone(ctx context.Context) error {
	k := x.masking()
	rehearsal := x.Exporter
	rehearsal.Change = k.change
	if _, err := rehearsal.Run(ctx, nowhere{}, func(int) {}); err != nil {
		return err
	}
	x.drop = k.alone()
	return nil
}

// Run exports to a sink and closes it. It reports from time to time how many events are written.
func (x *Exporter) Run(ctx context.Context, sink archive.Sink, report func(events int)) (did Exported, err error) {
	if x.Masker == nil {
		did.Exported, err = x.Exporter.Run(ctx, sink, report)
		return did, err
	}
	shuffled, err := archive.Shuffle(sink)
	if err != nil {
		return did, err
	}
	defer func() { err = errors.Join(err, shuffled.Discard()) }()
	k := x.masking()
	masked := x.Exporter
	masked.Change = k.change
	did.Exported, err = masked.Run(ctx, shuffled, report)
	did.Repriced, did.Alone, did.Dropped = k.repriced, len(k.alone()), k.dropped
	did.LeftOut -= k.dropped
	return did, err
}

func (x *Exporter) masking() *masking {
	return &masking{masker: x.Masker, quotes: x.Quotes, drop: x.drop, kept: map[string][]keptQuote{}}
}
