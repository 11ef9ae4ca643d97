package quotes

import (
	"context"
	"net/http"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"milepost/internal/api"
	"milepost/internal/quotes/access"
	"milepost/internal/quotes/quotestore"
)

// Accesses are those that revealed a quote's personal data.
type Accesses struct {
	QuoteID  string          `json:"quoteId"`
	Accesses []access.Access `json:"accesses"`
}

// Revealing is the body of a request to record one.
type Revealing struct {
	Purpose string `json:"purpose"`
}

// covered reports whether a read leaves personal data out: cover=true. Clients that show a quote to employees read it so,
// and record an access before they show more.
func covered(r events.APIGatewayV2HTTPRequest) (options []quotestore.Option, cover bool, err error) {
	text, ok := r.QueryStringParameters["cover"]
	switch {
	case !ok:
		return nil, false, nil
	case text != "true":
		return nil, false, api.NewProblem(http.StatusBadRequest, "bad-cover", "The value of cover cannot be used", "It is true, or left out.")
	}
	return []quotestore.Option{quotestore.Impersonal}, true, nil
}

// ofAnother returns a quote that an employee may see as such: it exists, and is not their own.
func (h *handler) ofAnother(ctx context.Context, r events.APIGatewayV2HTTPRequest, caller api.Caller) (quoteID string, err error) {
	if !caller.Staff() {
		return "", api.NotFound
	}
	history, err := h.log.Load(ctx, r.PathParameters["quoteId"], quotestore.Impersonal)
	switch {
	case err != nil:
		return "", err
	case history.Quote.Version == 0:
		return "", api.NotFound
	case !caller.AsStaff(history.Quote.CustomerID):
		return "", api.OwnQuote
	}
	return history.Quote.ID, nil
}

func (h *handler) listAccesses(ctx context.Context, r events.APIGatewayV2HTTPRequest, caller api.Caller) (events.APIGatewayV2HTTPResponse, error) {
	quoteID, err := h.ofAnother(ctx, r, caller)
	if err != nil {
		return api.Respond(err)
	}
	all, err := h.accesses.List(ctx, quoteID)
	if err != nil {
		return api.Respond(err)
	}
	return api.JSON(http.StatusOK, Accesses{quoteID, all}, nil)
}

// reveal records that an employee is about to see personal data, and what for.
func (h *handler) reveal(ctx context.Context, r events.APIGatewayV2HTTPRequest, caller api.Caller) (events.APIGatewayV2HTTPResponse, error) {
	var body Revealing
	if err := api.DecodeBody(r, "Revealing", &body); err != nil {
		return api.Respond(err)
	}
	quoteID, err := h.ofAnother(ctx, r, caller)
	if err != nil {
		return api.Respond(err)
	}
	a := access.Access{At: time.Now().UTC(), Actor: caller.Subject, Purpose: body.Purpose}
	if err := h.accesses.Put(ctx, quoteID, a); err != nil {
		return api.Respond(err)
	}
	return api.JSON(http.StatusOK, a, nil)
}
