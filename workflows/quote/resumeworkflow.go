package quote

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"

	"milepost/internal/platform"
	"milepost/internal/quotes/notice"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/wiring"
)

// waker is the function that wakes the branches which have nothing to wait for any more: their fact has arrived, their
// revision was amended, something was undone, or the quote was withdrawn or its customer erased.
type waker struct {
	quotes *quotestore.Store
	tokens *Tokens
}

// NewResumeWorkflow makes the function that wakes executions. It needs what wiring.System.QuotesWithSnapshots
// needs, and WAITS_TABLE_NAME.
func NewResumeWorkflow(env platform.Environment) (lambda.Handler, error) {
	s := wiring.Of(env)
	w := &waker{quotes: s.QuotesWithSnapshots(), tokens: newTokens(s)}
	return platform.Handler(env, w.resume), s.Err()
}

// resume looks in the log for what the branches wait for, whatever event the notice announces: a late one may be about
// a revision that is no longer in force.
func (w *waker) resume(ctx context.Context, n notice.Delivery) (struct{}, error) {
	if n.Replayed() {
		return struct{}{}, nil
	}
	history, _, err := n.Latest(ctx, w.quotes, quotestore.Impersonal)
	if err != nil {
		return struct{}{}, err
	}
	return struct{}{}, w.tokens.Wake(ctx, history.Quote)
}
