// Package erase is the function that erases a customer, a step at a time and as far as its time goes. The state machine
// statemachines/erasure.asl.json calls it until all is done.
package erase

import (
	"context"
	"errors"

	"github.com/aws/aws-lambda-go/lambda"

	"milepost/internal/ops/erase"
	"milepost/internal/platform"
	"milepost/internal/wiring"
)

type handler struct {
	eraser   *erase.Eraser
	requests *erase.Requests
}

// New makes the handler. It needs what wiring.System.Quotes, Search, Outbox and Drafts need, and ERASURES_TABLE_NAME.
func New(env platform.Environment) (lambda.Handler, error) {
	s := wiring.Of(env)
	h := &handler{
		&erase.Eraser{Quotes: s.Quotes(), Projections: s.Search(), Outbox: s.Outbox(), Drafts: s.Drafts()},
		&erase.Requests{DB: s.DynamoDB(), Table: s.Required("ERASURES_TABLE_NAME"), Keys: s.Keys()},
	}
	return platform.Handler(env, h.work), s.Err()
}

// work does the next step. Whoever started the execution, nobody is erased whom two people did not want erased.
func (h *handler) work(ctx context.Context, t erase.Task) (erase.Task, error) {
	confirmed, err := h.requests.Confirmed(ctx, t.Order)
	if err != nil {
		return t, err
	}
	if !confirmed {
		return t, errors.New("no request to erase was confirmed by another person than who asked, or it was another one")
	}
	if t, err = h.eraser.Do(ctx, t, platform.TimeIsUp(ctx)); err != nil {
		return t, err
	}
	t.Did.Bound()
	return t, h.requests.Report(ctx, t)
}
