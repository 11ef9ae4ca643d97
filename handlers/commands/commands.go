// Package commands is the function behind the commands on a quote that is there: amendment, acceptance,
// withdrawal, and an underwriter's decision.
package commands

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/oklog/ulid/v2"

	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/internal/api"
	"milepost/internal/platform"
	"milepost/internal/quotestore"
	"milepost/internal/readmodel"
)

type handler struct{ quotes *quotestore.Store }

// New makes the handler. It needs EVENTS_TABLE_NAME.
func New(env platform.Environment) (lambda.Handler, error) {
	vars := env.Variables()
	h := &handler{quotes: quotestore.New(env, vars)}
	return api.Handler(env, h.carryOut), vars.Err()
}

// route is how one kind of command is read.
type route struct {
	// guarded says that the request has to name the version which it is about.
	guarded bool
	// staff says that the command is for employees, not for the customer.
	staff bool
	// read makes the command out of the body, for the revision in force.
	read func(r events.APIGatewayV2HTTPRequest, caller api.Caller, revision int, today civil.Date) (quote.Command, error)
}

var routes = map[string]route{
	"POST /quotes/{quoteId}/amendments": {guarded: true, read: readAmendment},
	"POST /quotes/{quoteId}/acceptance": {guarded: true, read: readAcceptance},
	"POST /quotes/{quoteId}/withdrawal": {read: readWithdrawal},
	"POST /quotes/{quoteId}/decision":   {guarded: true, staff: true, read: readDecision},
}

func (h *handler) carryOut(ctx context.Context, r events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	caller, err := api.CallerOf(r)
	if err != nil {
		return api.Respond(err)
	}
	route, ok := routes[r.RouteKey]
	if !ok {
		return api.Respond(api.NotFound)
	}
	version, err := api.IfMatch(r, route.guarded)
	if err != nil {
		return api.Respond(err)
	}
	key, err := api.IdempotencyKey(r)
	if err != nil {
		return api.Respond(err)
	}
	history, err := h.quotes.Load(ctx, r.PathParameters["quoteId"])
	if err != nil {
		return api.Respond(err)
	}
	if history.Quote.Version == 0 || !mayGive(caller, route, history.Quote) {
		return api.Respond(api.NotFound)
	}
	now := time.Now().UTC()
	command, err := route.read(r, caller, history.Quote.Number, civil.DateOf(now))
	if err != nil {
		return api.Respond(err)
	}
	after, err := h.quotes.ExecuteOn(ctx, history, quotestore.Order{
		ID: orderID(r.RouteKey, caller, key), Actor: caller.Subject, CorrelationID: r.RequestContext.RequestID,
		At: now, Command: command, IfVersion: version,
	})
	if err != nil {
		return api.Respond(err)
	}
	platform.Annotate(ctx, "quote", map[string]string{"quote_id": after.Quote.ID, "correlation_id": r.RequestContext.RequestID})
	p := readmodel.Project(after).On(civil.DateOf(now))
	return api.JSON(http.StatusOK, p, map[string]string{"etag": api.ETag(p.Version), "location": "/quotes/" + p.QuoteID})
}

// mayGive reports whether a caller may give a command: the customer for their own quote, or staff.
func mayGive(c api.Caller, route route, q quote.Quote) bool {
	if route.staff {
		return c.Staff()
	}
	return c.MayRead(q.CustomerID)
}

// orderID names the command. With a key it is the same for a request that comes again.
func orderID(routeKey string, c api.Caller, key string) string {
	if key == "" {
		return ulid.Make().String()
	}
	return routeKey + "/" + strconv.Quote(c.Subject) + "/" + key
}

func readAmendment(r events.APIGatewayV2HTTPRequest, _ api.Caller, _ int, today civil.Date) (quote.Command, error) {
	c := quote.AmendQuote{QuoteDate: today}
	err := api.DecodeBody(r, "QuoteRequest", &c.Request)
	return c, err
}

func readAcceptance(_ events.APIGatewayV2HTTPRequest, _ api.Caller, revision int, today civil.Date) (quote.Command, error) {
	return quote.AcceptQuote{Revision: revision, On: today}, nil
}

func readWithdrawal(r events.APIGatewayV2HTTPRequest, _ api.Caller, _ int, today civil.Date) (quote.Command, error) {
	var body struct {
		Reason string `json:"reason"`
	}
	if r.Body != "" {
		if err := api.DecodeBody(r, "Withdrawal", &body); err != nil {
			return nil, err
		}
	}
	return quote.WithdrawQuote{Reason: body.Reason, On: today}, nil
}

func readDecision(r events.APIGatewayV2HTTPRequest, caller api.Caller, revision int, today civil.Date) (quote.Command, error) {
	var body struct {
		Approve    bool   `json:"approve"`
		ReasonCode string `json:"reasonCode"`
		Text       string `json:"text"`
	}
	if err := api.DecodeBody(r, "UnderwriterDecision", &body); err != nil {
		return nil, err
	}
	return quote.DecideReferral{
		Revision: revision, Approve: body.Approve, On: today,
		Decision: quote.Decision{Underwriter: caller.Subject, ReasonCode: body.ReasonCode, Text: body.Text},
	}, nil
}
