// Package senddue is the function that sends the notifications whose time has come: those that waited for the morning
// or for another try, and those that another process began and left. It runs every few minutes.
package senddue

import (
	"context"
	"encoding/json"

	"github.com/aws/aws-lambda-go/lambda"

	"milepost/internal/platform"
	"milepost/internal/wiring"
)

// Swept is the result of a run.
type Swept struct {
	// Notifications is how many were due.
	Notifications int `json:"notifications"`
}

// New makes the handler. It needs what wiring.System.Postman needs.
func New(env platform.Environment) (lambda.Handler, error) {
	s := wiring.Of(env)
	p := s.Postman()
	return platform.Handler(env, func(ctx context.Context, _ json.RawMessage) (Swept, error) {
		n, err := p.DeliverDue(ctx)
		return Swept{n}, err
	}), s.Err()
}
