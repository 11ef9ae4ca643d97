// Package rebuild is the function that does one step of a rebuild, as far as its time goes. The state machine
// statemachines/rebuild.asl.json calls it until all is done.
package rebuild

import (
	"context"
	"fmt"

	"github.com/aws/aws-lambda-go/lambda"

	"milepost/internal/ops/rebuild"
	"milepost/internal/platform"
	"milepost/internal/wiring"
)

// Order is what the function is called with: a task to do, or all that were done to add up.
type Order struct {
	rebuild.Task
	Removal rebuild.Task   `json:"removal"`
	Rest    rebuild.Task   `json:"rest"`
	Folded  []rebuild.Task `json:"folded"`
}

// addUp is the step that adds the figures up.
const addUp = "addUp"

type handler struct{ rebuilder *rebuild.Rebuilder }

// New makes the handler. It needs what wiring.System.Quotes and Projections need.
func New(env platform.Environment) (lambda.Handler, error) {
	s := wiring.Of(env)
	h := &handler{&rebuild.Rebuilder{Quotes: s.Quotes(), Projections: s.Projections()}}
	return platform.Handler(env, h.work), s.Err()
}

func (h *handler) work(ctx context.Context, in Order) (rebuild.Task, error) {
	if in.Step == addUp {
		sum, err := rebuild.Sum(in.Removal, in.Folded, in.Rest)
		return rebuild.Task{Step: addUp, Done: true, Figures: sum}, err
	}
	done, err := h.rebuilder.Do(ctx, in.Task, platform.TimeIsUp(ctx))
	if err != nil {
		return done, fmt.Errorf("rebuild, step %q, part %d of %d: %w", in.Step, in.Number, in.Of, err)
	}
	return done, nil
}
