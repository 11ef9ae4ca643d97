// Package drafts is the function behind quotes in the making: what customers have entered so far, for as long as they
// have not asked for a quote.
package drafts

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"milepost/internal/api"
	"milepost/internal/platform"
	"milepost/internal/quotes/draft"
	"milepost/internal/wiring"
)

type handler struct {
	drafts *draft.Store
	logger *slog.Logger
}

// New makes the handler. It needs what wiring.System.Drafts needs.
func New(env platform.Environment) (lambda.Handler, error) {
	s := wiring.Of(env)
	h := &handler{drafts: s.Drafts(), logger: env.Logger}
	return api.Handler(env, h.answer), s.Err()
}

func (h *handler) answer(ctx context.Context, r events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	caller, err := api.CallerOf(r)
	if err != nil {
		return api.Respond(err)
	}
	var response events.APIGatewayV2HTTPResponse
	now := time.Now().UTC()
	switch r.RouteKey {
	case "GET /drafts":
		response, err = h.list(ctx, caller, now)
	case "GET /drafts/{draftId}":
		response, err = h.get(ctx, r, caller, now)
	case "PUT /drafts/{draftId}":
		response, err = h.put(ctx, r, caller, now)
	case "DELETE /drafts/{draftId}":
		if err = api.NoBody(r); err == nil {
			err = h.drafts.Delete(ctx, caller.Subject, r.PathParameters["draftId"])
		}
		response.StatusCode = http.StatusNoContent
	default:
		err = api.NotFound
	}
	if err != nil {
		return api.Respond(err)
	}
	return response, nil
}

// shown is a draft as the API shows it.
type shown struct {
	DraftID string `json:"draftId"`
	draft.Content
	UpdatedAt time.Time `json:"updatedAt"`
	ExpiresAt time.Time `json:"expiresAt"`
}

func show(d draft.Draft) shown { return shown{d.ID, d.Content, d.UpdatedAt, d.ExpiresAt} }

// headers are those of an answer with a draft, which nobody keeps.
func headers(d draft.Draft) map[string]string {
	return map[string]string{"etag": `"` + d.Tag + `"`, "cache-control": "no-store"}
}

func (h *handler) list(ctx context.Context, caller api.Caller, now time.Time) (events.APIGatewayV2HTTPResponse, error) {
	drafts, damaged, err := h.drafts.List(ctx, caller.Subject, now)
	if err != nil {
		return events.APIGatewayV2HTTPResponse{}, err
	}
	for _, d := range damaged { // a read by its id reports it to the customer
		h.logger.ErrorContext(ctx, "damaged draft", "draft_id", d.ID, "error", d.Err.Error())
	}
	all := struct {
		Drafts []shown `json:"drafts"`
	}{[]shown{}}
	for _, d := range drafts {
		all.Drafts = append(all.Drafts, show(d))
	}
	return api.JSON(http.StatusOK, all, map[string]string{"cache-control": "no-store"})
}

func (h *handler) get(ctx context.Context, r events.APIGatewayV2HTTPRequest, caller api.Caller, now time.Time) (events.APIGatewayV2HTTPResponse, error) {
	d, ok, err := h.drafts.Get(ctx, caller.Subject, r.PathParameters["draftId"], now)
	if err != nil {
		return events.APIGatewayV2HTTPResponse{}, err
	}
	if !ok {
		return events.APIGatewayV2HTTPResponse{}, api.NewProblem(http.StatusNotFound, "not-found", "No such draft",
			"It was deleted, or not changed for %d days.", int(draft.Lifetime.Hours()/24))
	}
	return api.JSON(http.StatusOK, show(d), headers(d))
}

func (h *handler) put(ctx context.Context, r events.APIGatewayV2HTTPRequest, caller api.Caller, now time.Time) (events.APIGatewayV2HTTPResponse, error) {
	tag, err := expected(r)
	if err != nil {
		return events.APIGatewayV2HTTPResponse{}, err
	}
	var content struct {
		Step    string          `json:"step"`
		Request json.RawMessage `json:"request"`
	}
	if err := api.DecodeBody(r, "DraftContent", &content); err != nil {
		return events.APIGatewayV2HTTPResponse{}, err
	}
	d, err := h.drafts.Put(ctx, caller.Subject, r.PathParameters["draftId"], draft.Content(content), tag, now)
	if err != nil {
		return events.APIGatewayV2HTTPResponse{}, err
	}
	status := http.StatusOK
	if tag == "" {
		status = http.StatusCreated
	}
	return api.JSON(status, show(d), headers(d))
}

var quoted = regexp.MustCompile(`^"([0-9A-HJKMNP-TV-Z]{26})"$`)

// expected is the tag of the draft that a request replaces, as draft.Store.Put takes it.
func expected(r events.APIGatewayV2HTTPRequest) (string, error) {
	match, none := strings.TrimSpace(r.Headers["if-match"]), strings.TrimSpace(r.Headers["if-none-match"])
	switch tag := quoted.FindStringSubmatch(match); {
	case none == "*" && match == "":
		return "", nil
	case none == "" && match == draft.Any:
		return draft.Any, nil
	case none == "" && tag != nil:
		return tag[1], nil
	case none == "" && match == "":
		return "", api.NewProblem(http.StatusPreconditionRequired, "no-version", "The draft has to name what it replaces",
			"Send the ETag of the draft that you have seen as If-Match, or If-None-Match: * for a new one.")
	}
	return "", api.NewProblem(http.StatusBadRequest, "bad-version", "The headers say no version",
		"Send one ETag as the API returned it as If-Match, or If-None-Match: * for a new draft, and not both.")
}
