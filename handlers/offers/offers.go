// Package offers is the function behind the links in messages: whoever has one can read its quote, and nothing else,
// without another token.
package offers

import (
	"context"
	"net/http"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"milepost/internal/api"
	"milepost/internal/notify/link"
	"milepost/internal/platform"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/quotes/readmodel"
	"milepost/internal/wiring"
)

type handler struct {
	log     *quotestore.Store
	current *readmodel.Current
	links   link.Signer
}

// New makes the handler. It needs what wiring.System.Quotes and Links need.
func New(env platform.Environment) (lambda.Handler, error) {
	s := wiring.Of(env)
	log := s.Quotes()
	h := &handler{log: log, current: &readmodel.Current{Log: log, Logger: env.Logger}, links: s.Links()}
	return api.Handler(env, h.show), s.Err()
}

// show answers with the quote as its customer sees it. The answer must not be cached, nor its address be passed to
// another site.
func (h *handler) show(ctx context.Context, r events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	now := time.Now()
	quoteID, err := h.links.Verify(r.PathParameters["token"], now)
	if err != nil {
		return api.Respond(api.LinkProblem(err))
	}
	platform.Note(ctx, platform.Subject{QuoteID: quoteID, Actor: "link"})
	history, err := h.log.Load(ctx, quoteID, quotestore.Impersonal)
	if err != nil {
		return api.Respond(err)
	}
	if history.Quote.Version == 0 {
		return api.Respond(api.NotFound)
	}
	p, err := h.current.WithWords(ctx, readmodel.Project(history).At(now))
	if err != nil {
		return api.Respond(err)
	}
	return api.JSON(http.StatusOK, p.ForLink(), map[string]string{"cache-control": "no-store", "referrer-policy": "no-referrer"})
}
