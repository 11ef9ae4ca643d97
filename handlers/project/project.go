// Package project is the function that brings the projections of a quote up to its log. It is a target
// of every quote event, replayed ones included, and the last step of the workflow.
package project

import (
	"context"
	"fmt"

	"github.com/aws/aws-lambda-go/lambda"

	"milepost/internal/notice"
	"milepost/internal/platform"
	"milepost/internal/quotestore"
	"milepost/internal/readmodel"
)

type handler struct {
	quotes      *quotestore.Store
	projections *readmodel.Store
}

// New makes the handler. It needs QUOTES_TABLE_NAME, CUSTOMER_QUOTES_TABLE_NAME and the variables of
// quotestore.New.
func New(env platform.Environment) (lambda.Handler, error) {
	vars := env.Variables()
	h := &handler{quotes: quotestore.New(env, vars), projections: readmodel.New(env, vars)}
	return platform.Handler(env, h.project), vars.Err()
}

// project folds the whole log of the quote that the notice is about, whatever event it announces.
func (h *handler) project(ctx context.Context, n notice.Notice) (struct{}, error) {
	none := struct{}{}
	quoteID, ok := quotestore.QuoteID(n.Detail.StreamID)
	if !ok {
		return none, &platform.BadPayload{Err: fmt.Errorf("%q is not the stream of a quote", n.Detail.StreamID)}
	}
	history, err := h.quotes.LoadSealed(ctx, quoteID)
	if err != nil {
		return none, err
	}
	if len(history.Events) == 0 {
		return none, &platform.BadPayload{Err: fmt.Errorf("stream %s has no events", n.Detail.StreamID)}
	}
	return none, h.projections.Put(ctx, readmodel.Project(history))
}
