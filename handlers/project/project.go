// Package project is the function that brings the projections of a quote up to its log. It is a target
// of every quote event, replayed ones included, and the last step of the workflow.
package project

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-lambda-go/lambda"

	"milepost/internal/log/eventstore"
	"milepost/internal/platform"
	"milepost/internal/quotes/notice"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/quotes/readmodel"
	"milepost/internal/wiring"
)

type handler struct {
	quotes      *quotestore.Store
	projections *readmodel.Store
}

// New makes the handler. It needs what wiring.System.Quotes and Projections need.
func New(env platform.Environment) (lambda.Handler, error) {
	s := wiring.Of(env)
	h := &handler{quotes: s.Quotes(), projections: s.Projections()}
	return platform.Handler(env, h.project), s.Err()
}

// project folds the whole log of the quote that the notice is about, whatever event it announces.
func (h *handler) project(ctx context.Context, n notice.Delivery) (struct{}, error) {
	none := struct{}{}
	quoteID, ok := quotestore.QuoteID(n.Detail.StreamID)
	if !ok {
		return none, &platform.BadPayload{Err: fmt.Errorf("%q is not the stream of a quote", n.Detail.StreamID)}
	}
	history, err := h.quotes.Load(ctx, quoteID, quotestore.Impersonal)
	if err != nil {
		return none, err
	}
	if len(history.Events) == 0 {
		return none, &platform.BadPayload{Err: fmt.Errorf("stream %s has no events", n.Detail.StreamID)}
	}
	p := readmodel.Project(history)
	if err := h.projections.Put(ctx, p); err != nil {
		return none, err
	}
	return none, h.index(ctx, p)
}

// index updates the search entries of the quote. That needs its personal data, which the projections do not.
func (h *handler) index(ctx context.Context, p readmodel.Projection) error {
	behind, err := h.projections.SearchBehind(ctx, p)
	if !behind || err != nil {
		return err
	}
	history, err := h.quotes.Load(ctx, p.QuoteID)
	if _, sealed := errors.AsType[*eventstore.Unreadable](err); sealed {
		// Its personal data cannot be unsealed, at least until the key is imported; then the search must be rebuilt.
		platform.Log(ctx, "not searchable")
		return nil
	}
	if err != nil {
		return err
	}
	return h.projections.PutSearch(ctx, readmodel.Project(history), readmodel.TermsOf(history))
}
