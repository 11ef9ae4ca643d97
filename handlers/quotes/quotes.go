// Package quotes is the function behind the reads of the API: one quote, as it is or as it was, its explanation, its
// audit log, a customer's list, and the employees' search.
package quotes

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"milepost/internal/api"
	"milepost/internal/notify/outbox"
	"milepost/internal/platform"
	"milepost/internal/quotes/access"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/quotes/readmodel"
	"milepost/internal/wiring"
)

type handler struct {
	current *readmodel.Current
	log     *quotestore.Store
	// accesses are when employees revealed personal data.
	accesses *access.Store
	// outbox has the letters.
	outbox *outbox.Store
}

// New makes the handler. It needs what wiring.System.Quotes, Projections, Accesses and Outbox need.
func New(env platform.Environment) (lambda.Handler, error) {
	s := wiring.Of(env)
	log := s.Quotes()
	h := &handler{current: &readmodel.Current{Projections: s.Projections(), Log: log, Logger: env.Logger}, log: log, accesses: s.Accesses(), outbox: s.Outbox()}
	return api.Handler(env, h.read), s.Err()
}

func (h *handler) read(ctx context.Context, r events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	caller, err := api.CallerOf(r)
	if err != nil {
		return api.Respond(err)
	}
	switch r.RouteKey {
	case "GET /quotes/{quoteId}":
		return h.quote(ctx, r, caller)
	case "GET /quotes/{quoteId}/explanation":
		return h.explanation(ctx, r, caller)
	case "GET /quotes/{quoteId}/request":
		return h.request(ctx, r, caller)
	case "GET /quotes/{quoteId}/comparison":
		return h.comparison(ctx, r, caller)
	case "GET /quotes/{quoteId}/causes":
		return h.causes(ctx, r, caller)
	case "GET /quotes/{quoteId}/letters":
		return h.letters(ctx, r, caller)
	case "GET /quotes/{quoteId}/accesses":
		return h.listAccesses(ctx, r, caller)
	case "POST /quotes/{quoteId}/accesses":
		return h.reveal(ctx, r, caller)
	case "GET /quotes/{quoteId}/events":
		return h.events(ctx, r, caller)
	case "GET /quotes":
		return h.find(ctx, r, caller)
	case "GET /agencies/{agencyId}/quotes":
		return h.ofAgency(ctx, r, caller)
	case "GET /customers/{customerId}/quotes":
		return h.list(ctx, r, caller)
	}
	return api.Respond(api.NotFound)
}

func (h *handler) quote(ctx context.Context, r events.APIGatewayV2HTTPRequest, caller api.Caller) (events.APIGatewayV2HTTPResponse, error) {
	if _, ok := r.QueryStringParameters["asOf"]; ok {
		return h.quoteAsOf(ctx, r, caller)
	}
	stored, ok, err := h.current.Quote(ctx, r.PathParameters["quoteId"])
	if err != nil {
		return api.Respond(err)
	}
	if !ok || !caller.MayRead(stored.CustomerID) {
		return api.Respond(api.NotFound)
	}
	p := stored.At(time.Now())
	etag := api.ETag(p.Version)
	// A quote that expires by its date alone changes without a new version.
	if p.Status == stored.Status && matches(r.Headers["if-none-match"], etag) {
		return events.APIGatewayV2HTTPResponse{StatusCode: http.StatusNotModified, Headers: map[string]string{"etag": etag}}, nil
	}
	return h.answer(ctx, caller, "quote", p)
}

// answer answers with a quote, as it is at a version, as the caller may see it. what says which read it is.
func (h *handler) answer(ctx context.Context, caller api.Caller, what string, p readmodel.Projection) (events.APIGatewayV2HTTPResponse, error) {
	p, err := h.current.WithWords(ctx, p)
	if err != nil {
		return api.Respond(err)
	}
	api.LogRead(ctx, caller, what, p.CustomerID, p.QuoteID)
	if !caller.AsStaff(p.CustomerID) {
		p = p.ForCustomer()
	} else if p, err = h.withDifferences(ctx, caller, p); err != nil {
		return api.Respond(err)
	}
	return api.JSON(http.StatusOK, p, map[string]string{"etag": api.ETag(p.Version)})
}

// withDifferences adds what other quotes state otherwise, and leaves a trail of these quotes too.
func (h *handler) withDifferences(ctx context.Context, caller api.Caller, p readmodel.Projection) (readmodel.Projection, error) {
	p, err := h.current.WithDifferences(ctx, p)
	if err != nil || len(p.Differences) == 0 {
		return p, err
	}
	ids := []string{p.QuoteID}
	for _, d := range p.Differences {
		if !slices.Contains(ids, d.QuoteID) {
			ids = append(ids, d.QuoteID)
		}
	}
	api.LogRead(ctx, caller, "differences", "", ids...)
	return p, nil
}

// matches reports whether an If-None-Match names a version: it is a list of tags, weak or strong, or "*".
func matches(header, etag string) bool {
	for tag := range strings.SplitSeq(header, ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || strings.TrimPrefix(tag, "W/") == etag {
			return true
		}
	}
	return false
}

// explanation shows how the premium was computed. It comes from the log, which has everything.
func (h *handler) explanation(ctx context.Context, r events.APIGatewayV2HTTPRequest, caller api.Caller) (events.APIGatewayV2HTTPResponse, error) {
	history, _, err := h.history(ctx, r, caller, quotestore.Impersonal)
	if err != nil {
		return api.Respond(err)
	}
	if history.Quote.Rating == nil {
		return api.Respond(api.NewProblem(http.StatusConflict, "not-rated", "The quote is not rated yet", "Try again in a moment."))
	}
	explain := readmodel.Explain
	if !caller.AsStaff(history.Quote.CustomerID) {
		explain = readmodel.ExplainToCustomer
		if history, err = h.current.WithPersons(ctx, history); err != nil {
			return api.Respond(err)
		}
	}
	shown, err := explain(history.Quote)
	if err != nil {
		return api.Respond(err)
	}
	api.LogRead(ctx, caller, "explanation", history.Quote.CustomerID, history.Quote.ID)
	return api.JSON(http.StatusOK, shown, nil)
}

func (h *handler) list(ctx context.Context, r events.APIGatewayV2HTTPRequest, caller api.Caller) (events.APIGatewayV2HTTPResponse, error) {
	customer := r.PathParameters["customerId"]
	if !caller.MayRead(customer) {
		return api.Respond(api.NewProblem(http.StatusForbidden, "not-yours", "These are another customer's quotes",
			"A customer's token reads the list of its own subject only."))
	}
	limit, err := api.Limit(r)
	if err != nil {
		return api.Respond(err)
	}
	page, err := h.current.List(ctx, customer, r.QueryStringParameters["cursor"], limit)
	return answerPage(ctx, r, caller, "list", page, err)
}
