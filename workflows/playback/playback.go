// Package playback is the function that plays events of the log, as far as its time goes. The state machine
// statemachines/playback.asl.json calls it until all are played.
package playback

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"

	"milepost/internal/ops/playback"
	"milepost/internal/platform"
	"milepost/internal/wiring"
)

type handler struct{ player *playback.Player }

// New makes the handler. It needs what wiring.System.Log needs, and EVENT_BUS_NAME.
func New(env platform.Environment) (lambda.Handler, error) {
	s := wiring.Of(env)
	h := &handler{&playback.Player{
		Log: s.Log(), Bus: s.EventBridge(), BusName: s.Required("EVENT_BUS_NAME"), Lag: playback.IndexLag,
	}}
	return platform.Handler(env, h.play), s.Err()
}

func (h *handler) play(ctx context.Context, in playback.Task) (playback.Task, error) {
	player := *h.player
	player.Enough = platform.TimeIsUp(ctx)
	return player.Do(ctx, in)
}
