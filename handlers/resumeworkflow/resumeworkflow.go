// Package resumeworkflow is the function that wakes a waiting workflow branch when its fact arrives.
package resumeworkflow

import (
	"context"
	"fmt"

	"github.com/aws/aws-lambda-go/lambda"

	"milepost/domain/quote"
	"milepost/internal/notice"
	"milepost/internal/platform"
	workflow "milepost/workflows/quote"
)

// facts says which event brings which fact.
var facts = map[string]quote.Fact{
	quote.TypeVehiclesIdentified:       quote.FactVehicles,
	quote.TypeAccidentHistoryRetrieved: quote.FactAccidentHistory,
}

type handler struct{ tokens *workflow.Tokens }

// New makes the handler. It needs WAITS_TABLE_NAME.
func New(env platform.Environment) (lambda.Handler, error) {
	vars := env.Variables()
	h := &handler{tokens: workflow.NewTokens(env, vars)}
	return platform.Handler(env, h.resume), vars.Err()
}

func (h *handler) resume(ctx context.Context, n notice.Notice) (struct{}, error) {
	if n.Replayed() {
		return struct{}{}, nil
	}
	fact, ok := facts[n.Detail.EventType]
	if !ok {
		return struct{}{}, &platform.BadPayload{Err: fmt.Errorf("%s brings no fact", n.Detail.EventType)}
	}
	return struct{}{}, h.tokens.Wake(ctx, n.Detail.StreamID, fact)
}
