// Package snapshot is the function that keeps a snapshot of a quote with many events, so that a command on it
// need not read them all. It hears of every milestone, replayed ones included.
package snapshot

import (
	"context"
	"fmt"

	"github.com/aws/aws-lambda-go/lambda"

	"milepost/internal/platform"
	"milepost/internal/quotes/notice"
	"milepost/internal/quotes/quotestore"
)

type handler struct{ quotes *quotestore.Store }

// New makes the handler. It needs EVENTS_TABLE_NAME and SNAPSHOTS_TABLE_NAME.
func New(env platform.Environment) (lambda.Handler, error) {
	vars := env.Variables()
	h := &handler{quotes: quotestore.NewWithSnapshots(env, vars)}
	return platform.Handler(env, h.take), vars.Err()
}

// take keeps the quote as it is now, whatever event the notice announces.
func (h *handler) take(ctx context.Context, n notice.Delivery) (struct{}, error) {
	quoteID, ok := quotestore.QuoteID(n.Detail.StreamID)
	if !ok {
		return struct{}{}, &platform.BadPayload{Err: fmt.Errorf("%q is not the stream of a quote", n.Detail.StreamID)}
	}
	return struct{}{}, h.quotes.TakeSnapshot(ctx, quoteID)
}
