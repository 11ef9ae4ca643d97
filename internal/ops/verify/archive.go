package verify

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"slices"
	"time"

	"milepost/internal/log/archive"
	"milepost/internal/log/eventstore"
	"milepost/internal/log/head"
	"milepost/internal/quotes/quotestore"
)

// Archive is what the log is compared with.
type Archive struct {
	Bucket archive.Bucket
	// HeadKey is the public key of those who sign the heads.
	HeadKey *ecdsa.PublicKey
	// Lag is how old an event may be that the archive lacks.
	Lag time.Duration
}

// Archived is what the archive says about the log.
type Archived struct {
	Objects int `json:"objects"`
	archive.Compared
	// Broken names the objects that are not as they were put.
	Broken []string `json:"broken"`
	// Proof is what the signed heads prove.
	Proof head.Proof `json:"proof"`
}

// compare compares the log with the archive.
func (a *Archive) compare(ctx context.Context, log *eventstore.Store, only func(stream string) bool) (*Archived, error) {
	w, err := archive.Look(ctx, a.Bucket)
	if errors.Is(err, archive.ErrEmpty) {
		w, err = &archive.Witness{}, nil // then every event is missed
	}
	if err != nil {
		return nil, err
	}
	compared, err := (&archive.Comparison{Log: log, Witness: w, Fresh: a.fresh(), Only: only}).Run(ctx)
	if err != nil {
		return nil, err
	}
	proof, err := (&head.Verifier{Files: a.Bucket, Public: a.HeadKey, Sums: w.Sums, Log: log}).Verify(ctx)
	return &Archived{Objects: w.Objects, Compared: compared, Broken: w.Broken, Proof: proof}, err
}

// fresh reports whether the archive may not have an event yet, because it was appended a moment ago.
func (a *Archive) fresh() func(eventstore.Event) bool {
	now := time.Now()
	return func(e eventstore.Event) bool {
		return within(e.OccurredAt, now, a.Lag) || within(eventstore.ImportedAt(e.Imported), now, a.Lag)
	}
}

// within reports whether two instants are no further apart than d.
func within(a, b time.Time, d time.Duration) bool { return a.Sub(b).Abs() <= d }

// only picks the streams of quotes; it is nil, which picks all, without ids.
func only(quoteIDs []string) func(stream string) bool {
	if len(quoteIDs) == 0 {
		return nil
	}
	return func(stream string) bool {
		id, ok := quotestore.QuoteID(stream)
		return ok && slices.Contains(quoteIDs, id)
	}
}

// Count is how many faults there are.
func (a *Archived) Count() int {
	if a == nil {
		return 0
	}
	return len(a.Faults) + len(a.Broken) + len(a.Proof.Faults)
}
