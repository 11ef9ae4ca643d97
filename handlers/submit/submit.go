// Package submit is the function behind POST /quotes: it checks a quote request and appends
// QuoteRequested to the log.
package submit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/oklog/ulid/v2"

	"milepost/domain/plausible"
	"milepost/domain/quote"
	"milepost/internal/api"
	"milepost/internal/api/quota"
	"milepost/internal/log/eventstore"
	"milepost/internal/platform"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/quotes/readmodel"
	"milepost/internal/wiring"
)

type handler struct {
	quotes *quotestore.Store
	lines  *readmodel.Store
	quota  *quota.Store
}

// New makes the handler. It needs what wiring.System.Quotes, Lines and Quota need.
func New(env platform.Environment) (lambda.Handler, error) {
	s := wiring.Of(env)
	h := &handler{quotes: s.Quotes(), lines: s.Lines(), quota: s.Quota()}
	h.quotes.OfCustomer = h.lines.Newest
	h.quota.StillOpen = h.lines.StillOpen
	return api.Handler(env, h.submit, api.Traced(s.Share("TRACED_SHARE"))), s.Err()
}

// accepted is the body of a 202.
type accepted struct {
	QuoteID string       `json:"quoteId"`
	Status  quote.Status `json:"status"`
	// Notes are what is rare in the request.
	Notes []plausible.Finding `json:"notes,omitempty"`
}

func (h *handler) submit(ctx context.Context, r events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	caller, err := api.CallerOf(r)
	if err != nil {
		return api.Respond(err)
	}
	var request quote.Request
	if err := api.DecodeBody(r, "QuoteRequest", &request); err != nil {
		return api.Respond(err)
	}
	key, err := api.IdempotencyKey(r)
	if err != nil {
		return api.Respond(err)
	}
	customer, err := caller.Customer(r)
	if err != nil {
		return api.Respond(err)
	}
	quoteID := QuoteID(customer, key)

	now := time.Now().UTC()
	command := quote.SubmitQuote{QuoteID: quoteID, CustomerID: customer, QuoteDate: request.Today(now), Request: request}
	usage, err := h.count(ctx, command, key)
	if err != nil {
		return api.Respond(err)
	}
	requested, err := h.quotes.Create(ctx, quoteID, quotestore.Order{
		// Each request is a separate command: a repeated one under its key may want something else, and must meet the
		// first one's event.
		ID: "submit/" + quoteID + "/" + r.RequestContext.RequestID, Actor: caller.Subject, CorrelationID: r.RequestContext.RequestID, At: now, Command: command,
	})
	if conflict, ok := errors.AsType[*eventstore.VersionConflict](err); ok {
		requested, err = sameRequest(conflict.Existing, request)
	}
	if err != nil {
		return api.Respond(err)
	}
	// The customer's list has the quote as soon as the answer is sent. If this fails there is no answer, and the
	// repeated request under its key finds the event and does the rest.
	if err := h.lines.PutLine(ctx, readmodel.Project(requested)); err != nil {
		return api.Respond(err)
	}
	platform.Note(ctx, platform.Subject{QuoteID: quoteID, EventType: quote.TypeQuoteRequested, Version: 1})
	platform.Annotate(ctx, "quote", map[string]string{"quote_id": quoteID, "correlation_id": r.RequestContext.RequestID})
	headers := map[string]string{"location": "/quotes/" + quoteID}
	maps.Copy(headers, usage.Headers())
	return api.JSON(http.StatusAccepted, accepted{QuoteID: quoteID, Status: quote.StatusRequested, Notes: request.Notes(command.QuoteDate)}, headers)
}

// count counts a new quote in the customer's quotas. A refused request does not count, nor does a repeated one under
// its key.
func (h *handler) count(ctx context.Context, c quote.SubmitQuote, key string) (quota.Usage, error) {
	if _, err := quote.Decide(quote.Quote{}, c); err != nil {
		return quota.Usage{}, err
	}
	if key != "" {
		there, err := h.quotes.Log.Grown(ctx, map[string]int{quotestore.StreamID(c.QuoteID): 0})
		if err != nil || len(there) > 0 {
			return quota.Usage{}, err
		}
	}
	return h.quota.Take(ctx, c.CustomerID, c.QuoteID, time.Now())
}

// QuoteID names the quote of a request. With a key it derives from customer and key alone, so that
// a request which is sent again finds the quote of the first one.
func QuoteID(customer, key string) string {
	if key == "" {
		return ulid.Make().String()
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%d:%s%s", len(customer), customer, key))
	var id ulid.ULID
	copy(id[:], sum[:])
	return id.String()
}

// sameRequest decides what a submission means whose quote exists already: if the request is the same, it returns the
// quote as the first one made it.
func sameRequest(existing eventstore.Event, request quote.Request) (quotestore.History, error) {
	var h quotestore.History
	e, err := quote.Decode(quote.Versioned{Type: existing.Type, Version: existing.SchemaVersion}, existing.Data)
	if err != nil {
		return h, err
	}
	first, ok := e.(quote.QuoteRequested)
	if !ok {
		return h, fmt.Errorf("stream %s begins with %s", existing.StreamID, existing.Type)
	}
	before, err := json.Marshal(first.Request)
	if err != nil {
		return h, err
	}
	now, err := json.Marshal(request)
	if err != nil {
		return h, err
	}
	if !bytes.Equal(before, now) {
		return h, api.KeyReused
	}
	return quotestore.History{Quote: quote.Fold(first), Events: []eventstore.Event{existing}}, nil
}
