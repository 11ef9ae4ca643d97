// Package confirmations is the function behind the links by which customers confirm a phone, so that text messages may
// go to it. The link is all that is needed.
package confirmations

import (
	"context"
	"net/http"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/oklog/ulid/v2"

	"milepost/domain/quote"
	"milepost/internal/api"
	"milepost/internal/notify/link"
	"milepost/internal/platform"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/wiring"
)

type handler struct {
	quotes *quotestore.Store
	links  link.Signer
}

// New makes the handler. It needs what wiring.System.Quotes and Links need.
func New(env platform.Environment) (lambda.Handler, error) {
	s := wiring.Of(env)
	h := &handler{quotes: s.Quotes(), links: s.Links()}
	return api.Handler(env, h.answer), s.Err()
}

// confirmation says whether a phone, which it does not name, is confirmed.
type confirmation struct {
	QuoteID   string `json:"quoteId"`
	Confirmed bool   `json:"confirmed"`
}

// answer reports whether the phone is confirmed, and confirms it for a POST: programs that look at the links of a
// letter only GET them.
func (h *handler) answer(ctx context.Context, r events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	if r.RequestContext.HTTP.Method == http.MethodPost {
		if err := api.NoBody(r); err != nil {
			return api.Respond(err)
		}
	}
	now := time.Now().UTC()
	quoteID, isFor, err := h.links.VerifyConfirmation(r.PathParameters["token"], now)
	if err != nil {
		return api.Respond(api.LinkProblem(err))
	}
	platform.Note(ctx, platform.Subject{QuoteID: quoteID, Actor: "link"})
	history, err := h.quotes.Load(ctx, quoteID)
	if err != nil {
		return api.Respond(err)
	}
	q := history.Quote
	switch {
	case q.Version == 0:
		return api.Respond(api.NotFound)
	case history.Erased || q.Erasure != nil:
		return api.Respond(&quote.Erased{QuoteID: quoteID})
	case q.Request.Contact == nil || !isFor(q.Request.Contact.Phone):
		return api.Respond(&quote.PhoneChanged{})
	}
	phone := q.Request.Contact.Phone
	if r.RequestContext.HTTP.Method == http.MethodPost {
		history, err = h.quotes.ExecuteOn(ctx, history, quotestore.Order{
			ID: ulid.Make().String(), Actor: "link", CorrelationID: r.RequestContext.RequestID, At: now, Command: quote.ConfirmPhone{Phone: phone},
		})
		if err != nil {
			return api.Respond(err)
		}
		platform.Note(ctx, history.Subject())
	}
	return api.JSON(http.StatusOK, confirmation{QuoteID: quoteID, Confirmed: history.Quote.ConfirmedPhone == phone},
		map[string]string{"cache-control": "no-store", "referrer-policy": "no-referrer"})
}
