// Package snapshot is the function that stores a snapshot of a quote with many events, so that a command on it need not
// read them all. It receives every milestone, including replayed ones.
package snapshot

import (
	"context"
	"fmt"

	"github.com/aws/aws-lambda-go/lambda"

	"milepost/internal/platform"
	"milepost/internal/quotes/notice"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/wiring"
)

type handler struct{ quotes *quotestore.Store }

// New makes the handler. It needs what wiring.System.QuotesWithSnapshots needs.
func New(env platform.Environment) (lambda.Handler, error) {
	s := wiring.Of(env)
	h := &handler{quotes: s.QuotesWithSnapshots()}
	return platform.Handler(env, h.take), s.Err()
}

// take keeps the quote as it is now, whatever event the notice announces.
func (h *handler) take(ctx context.Context, n notice.Delivery) (struct{}, error) {
	quoteID, ok := quotestore.QuoteID(n.Detail.StreamID)
	if !ok {
		return struct{}{}, &platform.BadPayload{Err: fmt.Errorf("%q is not the stream of a quote", n.Detail.StreamID)}
	}
	return struct{}{}, h.quotes.TakeSnapshot(ctx, quoteID)
}
