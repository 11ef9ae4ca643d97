package main

import (
	"context"
	"fmt"

	"milepost/internal/log/archive"
	"milepost/internal/notify/outbox"
	"milepost/internal/quotes/draft"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/quotes/readmodel"
)

// logCmd works with the log itself, past all projections.
type logCmd struct {
	List   logListCmd   `cmd:"" help:"List the quotes with recent events, newest first."`
	Show   logShowCmd   `cmd:"" help:"Show a quote as it is, or as it was, with its events."`
	Diff   logDiffCmd   `cmd:"" help:"Show what changed in a quote between two versions."`
	Verify logVerifyCmd `cmd:"" help:"Check that no event was changed, removed or inserted."`
	Play   logPlayCmd   `cmd:"" help:"Announce events of the log on a bus again."`
	Export logExportCmd `cmd:"" help:"Write the log, as it is or as it was, to files or a bucket."`
	Import logImportCmd `cmd:"" help:"Read an archive or an export into the log."`

	Restore logRestoreCmd `cmd:"" help:"Restore events that somebody changed or deleted."`
	Heads   logHeadsCmd   `cmd:"" help:"Check the signed heads of an archive, or of a copy."`
}

// logs are the tables of the stack, and its archive.
type logs struct {
	stack       *stack
	archive     archive.Bucket
	quotes      *quotestore.Store
	snapshots   *quotestore.Snapshots
	projections *readmodel.Store
	outbox      *outbox.Store
	drafts      *draft.Store
}

// logs opens the tables of the stack.
func (e *endpoint) logs(ctx context.Context, s streams) (*logs, error) {
	st, err := e.open(ctx, s)
	if err != nil {
		return nil, err
	}
	return st.logs()
}

func (st *stack) logs() (*logs, error) {
	return &logs{
		stack: st, archive: st.Archive(), quotes: st.Quotes(), snapshots: st.Snapshots(),
		projections: st.Projections(), outbox: st.Outbox(), drafts: st.Drafts(),
	}, st.Err()
}

// history reads a quote, which must exist.
func (e *endpoint) history(ctx context.Context, s streams, quoteID string) (quotestore.History, error) {
	l, err := e.logs(ctx, s)
	if err != nil {
		return quotestore.History{}, err
	}
	h, err := l.quotes.Load(ctx, quoteID, quotestore.Impersonal)
	if err != nil {
		return h, plainly(err)
	}
	if len(h.Events) == 0 {
		return h, fmt.Errorf("there is no quote %s in the log", quoteID)
	}
	return h, nil
}
