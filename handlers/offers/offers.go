// Package offers is the function behind the links in messages: who has one reads the quote that it leads to, and
// nothing else, without another token.
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
)

type handler struct {
	log     *quotestore.Store
	current *readmodel.Current
	links   link.Signer
}

// New makes the handler. It needs LINK_KEY and the variables of quotestore.New. LINK_KEY_BEFORE may name the key that
// signed links before it.
func New(env platform.Environment) (lambda.Handler, error) {
	vars := env.Variables()
	log := quotestore.New(env, vars)
	h := &handler{log: log, current: &readmodel.Current{Log: log, Logger: env.Logger}}
	h.links.Keys = link.Keys(vars.Required("LINK_KEY"), env.Getenv("LINK_KEY_BEFORE"))
	return api.Handler(env, h.show), vars.Err()
}

// show answers with the quote as its customer sees it. Nobody may keep the answer, nor tell another site the address.
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
	return api.JSON(http.StatusOK, p.ForCustomer(), map[string]string{"cache-control": "no-store", "referrer-policy": "no-referrer"})
}
