// Package resumeworkflow is the function that wakes the workflow branches which have nothing to wait for any
// more: their fact has arrived, their revision was amended, something was undone, or the quote was
// withdrawn or its customer erased.
package resumeworkflow

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"

	"milepost/internal/platform"
	"milepost/internal/quotes/notice"
	"milepost/internal/quotes/quotestore"
	workflow "milepost/workflows/quote"
)

type handler struct {
	quotes *quotestore.Store
	tokens *workflow.Tokens
}

// New makes the handler. It needs the variables of quotestore.NewWithSnapshots and WAITS_TABLE_NAME.
func New(env platform.Environment) (lambda.Handler, error) {
	vars := env.Variables()
	h := &handler{quotes: quotestore.NewWithSnapshots(env, vars), tokens: workflow.NewTokens(env, vars)}
	return platform.Handler(env, h.resume), vars.Err()
}

// resume looks in the log for what the branches wait for, whatever event the notice announces: one that
// comes late may be about a revision that is no longer in force.
func (h *handler) resume(ctx context.Context, n notice.Notice) (struct{}, error) {
	if n.Replayed() {
		return struct{}{}, nil
	}
	history, _, err := n.LoadSealed(ctx, h.quotes)
	if err != nil {
		return struct{}{}, err
	}
	return struct{}{}, h.tokens.Wake(ctx, history.Quote)
}
