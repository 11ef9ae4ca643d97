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
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/oklog/ulid/v2"

	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/internal/api"
	"milepost/internal/eventstore"
	"milepost/internal/platform"
	"milepost/internal/quotestore"
	"milepost/schemas"
)

// Bounds on a request, checked before anything is decoded.
const (
	maxBody  = 128 << 10
	maxDepth = 16
	maxKey   = 255
)

type handler struct{ quotes *quotestore.Store }

// New makes the handler. It needs EVENTS_TABLE_NAME.
func New(env platform.Environment) (lambda.Handler, error) {
	vars := env.Variables()
	h := &handler{quotes: quotestore.New(env, vars)}
	return api.Handler(env, h.submit), vars.Err()
}

// accepted is the body of a 202.
type accepted struct {
	QuoteID string       `json:"quoteId"`
	Status  quote.Status `json:"status"`
}

func (h *handler) submit(ctx context.Context, r events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	caller, err := api.CallerOf(r)
	if err != nil {
		return api.Respond(err)
	}
	request, err := decode(r)
	if err != nil {
		return api.Respond(err)
	}
	key := r.Headers["idempotency-key"]
	quoteID, err := quoteID(caller.Subject, key)
	if err != nil {
		return api.Respond(err)
	}

	now := time.Now().UTC()
	command := quote.SubmitQuote{QuoteID: quoteID, CustomerID: caller.Subject, QuoteDate: civil.DateOf(now), Request: request}
	_, err = h.quotes.Open(ctx, quoteID, quotestore.Order{
		// Each request is a command of its own: one that comes again under its key may want something else,
		// and has to meet the first one's event.
		ID: "submit/" + quoteID + "/" + r.RequestContext.RequestID, Actor: caller.Subject, CorrelationID: r.RequestContext.RequestID, At: now, Command: command,
	})
	if conflict, ok := errors.AsType[*eventstore.VersionConflict](err); ok {
		err = sameRequest(conflict.Existing, request)
	}
	if err != nil {
		return api.Respond(err)
	}
	platform.Annotate(ctx, "quote", map[string]string{"quote_id": quoteID, "correlation_id": r.RequestContext.RequestID})
	return api.JSON(http.StatusAccepted, accepted{QuoteID: quoteID, Status: quote.StatusRequested},
		map[string]string{"location": "/quotes/" + quoteID})
}

// decode reads the request, refusing whatever is not exactly one.
func decode(r events.APIGatewayV2HTTPRequest) (quote.Request, error) {
	var request quote.Request
	if media, _, err := mime.ParseMediaType(r.Headers["content-type"]); err != nil || media != "application/json" {
		return request, api.NewProblem(http.StatusUnsupportedMediaType, "not-json", "The body is not JSON",
			"Send the body as application/json.")
	}
	if len(r.Body) > maxBody {
		return request, api.NewProblem(http.StatusRequestEntityTooLarge, "too-large", "The body is too large",
			"A quote request has at most %d bytes; this one has %d.", maxBody, len(r.Body))
	}
	body, err := api.Body(r)
	if err != nil {
		return request, err
	}
	if depth(body) > maxDepth {
		return request, api.NewProblem(http.StatusBadRequest, "too-deep", "The body is nested too deep",
			"A quote request nests at most %d levels.", maxDepth)
	}
	err = schemas.DecodeBody("QuoteRequest", body, &request)
	return request, err
}

// depth is how deep a JSON text nests, without decoding it.
func depth(text []byte) int {
	deepest, open := 0, 0
	inString, escaped := false, false
	for _, c := range text {
		switch {
		case escaped:
			escaped = false
		case inString:
			escaped, inString = c == '\\', c != '"'
		case c == '"':
			inString = true
		case c == '{' || c == '[':
			open++
			deepest = max(deepest, open)
		case c == '}' || c == ']':
			open--
		}
	}
	return deepest
}

// quoteID names the quote of a request. With a key it derives from customer and key alone, so that
// a request which is sent again finds the quote of the first one.
func quoteID(customer, key string) (string, error) {
	if key == "" {
		return ulid.Make().String(), nil
	}
	if len(key) > maxKey || strings.ContainsFunc(key, func(r rune) bool { return r < '!' || r > '~' }) {
		return "", api.NewProblem(http.StatusBadRequest, "bad-key", "The Idempotency-Key cannot be used",
			"A key has 1 to %d visible ASCII characters.", maxKey)
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%d:%s%s", len(customer), customer, key))
	var id ulid.ULID
	copy(id[:], sum[:])
	return id.String(), nil
}

// sameRequest decides what a submission means whose quote is there already: nil when the same request
// came again.
func sameRequest(existing eventstore.Event, request quote.Request) error {
	e, err := quote.Decode(quote.Versioned{Type: existing.Type, Version: existing.SchemaVersion}, existing.Data)
	if err != nil {
		return err
	}
	first, ok := e.(quote.QuoteRequested)
	if !ok {
		return fmt.Errorf("stream %s begins with %s", existing.StreamID, existing.Type)
	}
	before, err := json.Marshal(first.Request)
	if err != nil {
		return err
	}
	now, err := json.Marshal(request)
	if err != nil {
		return err
	}
	if !bytes.Equal(before, now) {
		return api.NewProblem(http.StatusUnprocessableEntity, "key-reused", "The Idempotency-Key was used for another request",
			"Use a new key for a new request.")
	}
	return nil
}
