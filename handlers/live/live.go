// Package live is the function behind the routes of the WebSocket API: pages connect with a ticket and say what they
// follow.
package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"

	"milepost/internal/live"
	"milepost/internal/platform"
	"milepost/internal/wiring"
)

type handler struct {
	tickets     *live.Tickets
	connections *live.Connections
	lambda      *awslambda.Client
	// quotes is the function that answers whether somebody may read a quote.
	quotes string
}

// New makes the handler. It needs what wiring.System.Tickets and Connections need, and QUOTES_FUNCTION_NAME.
func New(env platform.Environment) (lambda.Handler, error) {
	s := wiring.Of(env)
	h := &handler{tickets: s.Tickets(), connections: s.Connections(), lambda: s.Lambda(), quotes: s.Required("QUOTES_FUNCTION_NAME")}
	return platform.Handler(env, h.answer), s.Err()
}

func (h *handler) answer(ctx context.Context, e events.APIGatewayWebsocketProxyRequest) (events.APIGatewayProxyResponse, error) {
	id := e.RequestContext.ConnectionID
	switch e.RequestContext.RouteKey {
	case "$connect":
		return h.connect(ctx, id, e.QueryStringParameters["ticket"])
	case "$disconnect":
		return said(http.StatusOK, nil), h.connections.Close(ctx, id)
	case "follow":
		return h.follow(ctx, id, e.Body)
	case "ping": // it keeps the connection from being idle
		return said(http.StatusOK, map[string]string{"pong": ""}), nil
	}
	return said(http.StatusNotFound, map[string]string{"problem": "There is no such action."}), nil
}

// maxTicket is how long a ticket may be.
const maxTicket = 100

func (h *handler) connect(ctx context.Context, id, ticket string) (events.APIGatewayProxyResponse, error) {
	if ticket == "" || len(ticket) > maxTicket {
		return said(http.StatusUnauthorized, map[string]string{"problem": "A connection needs a ticket."}), nil
	}
	now := time.Now()
	holder, err := h.tickets.Redeem(ctx, ticket, now)
	if errors.Is(err, live.ErrTicket) {
		return said(http.StatusUnauthorized, map[string]string{"problem": "The ticket was used, is too old, or was never issued."}), nil
	}
	if err != nil {
		return events.APIGatewayProxyResponse{}, err
	}
	platform.Note(ctx, platform.Subject{Actor: holder.Subject})
	err = h.connections.Open(ctx, id, holder, now)
	if tooMany, ok := errors.AsType[*live.TooMany](err); ok {
		return said(http.StatusTooManyRequests, map[string]string{"problem": tooMany.Error()}), nil
	}
	return said(http.StatusOK, nil), err
}

// followed is the answer to a message that says what a page follows.
type followed struct {
	Following []string          `json:"following"`
	Refused   map[string]string `json:"refused,omitempty"`
}

func (h *handler) follow(ctx context.Context, id, body string) (events.APIGatewayProxyResponse, error) {
	var wanted struct{ Topics []string }
	if err := json.Unmarshal([]byte(body), &wanted); err != nil || len(wanted.Topics) == 0 || len(wanted.Topics) > live.MaxTopics {
		return said(http.StatusBadRequest, map[string]string{"problem": fmt.Sprintf("Name 1 to %d topics.", live.MaxTopics)}), nil
	}
	holder, err := h.connections.Holder(ctx, id)
	if errors.Is(err, live.ErrGone) {
		return said(http.StatusGone, map[string]string{"problem": "Connect again."}), nil
	}
	if err != nil {
		return events.APIGatewayProxyResponse{}, err
	}
	platform.Note(ctx, platform.Subject{Actor: holder.Subject})
	answer := followed{Following: []string{}, Refused: map[string]string{}}
	for _, topic := range wanted.Topics {
		name, why, err := h.allowed(ctx, holder, topic)
		if err != nil {
			return events.APIGatewayProxyResponse{}, err
		}
		if why == "" {
			err = h.connections.Follow(ctx, id, name, time.Now())
			if tooMany, ok := errors.AsType[*live.TooMany](err); ok {
				why, err = tooMany.Error(), nil
			}
		}
		switch {
		case err != nil:
			return events.APIGatewayProxyResponse{}, err
		case why != "":
			answer.Refused[shortened(topic)] = why
		default:
			answer.Following = append(answer.Following, topic)
		}
	}
	return said(http.StatusOK, answer), nil
}

var quoteID = regexp.MustCompile(`^[0-9A-HJKMNP-TV-Z]{26}$`)

// allowed returns the topic that a page means, or why its holder may not follow it. A customer's own quotes are
// "customer": nobody names another's.
func (h *handler) allowed(ctx context.Context, holder live.Holder, topic string) (name, why string, err error) {
	switch id, isQuote := strings.CutPrefix(topic, "quote:"); {
	case topic == "customer" && holder.Has("quotes"):
		return live.Customer(holder.Subject), "", nil
	case topic == live.Desk && holder.Has("staff"):
		return live.Desk, "", nil
	case isQuote && quoteID.MatchString(id):
		may, err := h.mayRead(ctx, holder, id)
		if err != nil || may {
			return live.Quote(id), "", err
		}
	}
	return "", "There is nothing to follow for you.", nil
}

// mayRead asks the function behind GET /quotes/{quoteId}, as the gateway does, so that the API and this have one answer.
// With If-None-Match: * it only says whether there is something to read, and leaves no trace of a reading.
func (h *handler) mayRead(ctx context.Context, holder live.Holder, id string) (bool, error) {
	const route = "GET /quotes/{quoteId}"
	r := events.APIGatewayV2HTTPRequest{
		Version: "2.0", RouteKey: route, RawPath: "/quotes/" + id, PathParameters: map[string]string{"quoteId": id},
		Headers: map[string]string{"if-none-match": "*"},
	}
	r.RequestContext.RouteKey, r.RequestContext.HTTP.Method = route, http.MethodGet
	claims := map[string]string{"sub": holder.Subject, "scope": strings.Join(holder.Scopes, " ")}
	if holder.Agency != "" {
		claims["agency"] = holder.Agency
	}
	r.RequestContext.Authorizer = &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{
		JWT: &events.APIGatewayV2HTTPRequestContextAuthorizerJWTDescription{Claims: claims, Scopes: holder.Scopes},
	}
	payload, err := json.Marshal(r)
	if err != nil {
		return false, err
	}
	out, err := h.lambda.Invoke(ctx, &awslambda.InvokeInput{FunctionName: &h.quotes, Payload: payload})
	if err != nil {
		return false, err
	}
	if out.FunctionError != nil {
		return false, fmt.Errorf("%s: the function failed: %s", route, aws.ToString(out.FunctionError))
	}
	var response events.APIGatewayV2HTTPResponse
	if err := json.Unmarshal(out.Payload, &response); err != nil {
		return false, err
	}
	switch {
	case response.StatusCode == http.StatusOK || response.StatusCode == http.StatusNotModified:
		return true, nil
	case response.StatusCode < http.StatusInternalServerError:
		return false, nil
	}
	return false, fmt.Errorf("%s: status %d", route, response.StatusCode)
}

// said is an answer with a body.
func said(status int, body any) events.APIGatewayProxyResponse {
	text := []byte{}
	if body != nil {
		text, _ = json.Marshal(body) // maps and structs of texts
	}
	return events.APIGatewayProxyResponse{StatusCode: status, Body: string(text)}
}

// shortened is a name as it may be said back.
func shortened(name string) string {
	const most = 60
	if len(name) <= most {
		return name
	}
	return strings.ToValidUTF8(name[:most], "") + "…"
}
