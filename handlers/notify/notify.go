// Package notify is the function that tells customers and staff what an event means for them.
package notify

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"

	"milepost/internal/notify/postman"
	"milepost/internal/platform"
	"milepost/internal/quotes/notice"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/wiring"
)

type handler struct {
	quotes  *quotestore.Store
	postman *postman.Postman
}

// New makes the handler. It needs what wiring.System.Postman needs.
func New(env platform.Environment) (lambda.Handler, error) {
	s := wiring.Of(env)
	h := &handler{quotes: s.Quotes(), postman: s.Postman()}
	return platform.Handler(env, h.notify), s.Err()
}

func (h *handler) notify(ctx context.Context, n notice.Delivery) (struct{}, error) {
	none := struct{}{}
	if n.Replayed() {
		return none, nil
	}
	// Later events do not matter here: they are checked before something is sent.
	history, _, err := n.Latest(ctx, h.quotes)
	if err != nil {
		return none, err
	}
	platform.Annotate(ctx, "notify", map[string]string{"quote_id": history.Quote.ID, "correlation_id": n.Detail.CorrelationID})
	return none, h.postman.Announce(ctx, history, n.Detail.Version)
}
