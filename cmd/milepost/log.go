package main

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"milepost/internal/log/archive"
	"milepost/internal/log/eventstore"
	"milepost/internal/notify/outbox"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/quotes/readmodel"
	"milepost/schemas"
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
	db := dynamodb.NewFromConfig(st.aws)
	customerKeys, err := st.keys()
	if err != nil {
		return nil, err
	}
	return &logs{
		stack:     st,
		archive:   archive.Bucket{S3: s3.NewFromConfig(st.aws), Name: st.get("ARCHIVE_BUCKET_NAME")},
		snapshots: &quotestore.Snapshots{DB: db, Table: st.get("SNAPSHOTS_TABLE_NAME")},
		quotes: &quotestore.Store{
			Log:  &eventstore.Store{DB: db, Table: st.get("EVENTS_TABLE_NAME"), Validate: schemas.ValidateEvent},
			Keys: customerKeys,
		},
		outbox: &outbox.Store{DB: db, Table: st.get("NOTIFICATIONS_TABLE_NAME"), Keys: customerKeys},
		projections: &readmodel.Store{
			DB: db, Quotes: st.get("QUOTES_TABLE_NAME"), CustomerQuotes: st.get("CUSTOMER_QUOTES_TABLE_NAME"), QuoteSearch: st.get("QUOTE_SEARCH_TABLE_NAME"),
			Tokens: &readmodel.Tokens{KMS: kms.NewFromConfig(st.aws), Key: st.get("SEARCH_KEY_ARN")},
		},
	}, st.err()
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
