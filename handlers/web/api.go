package web

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"milepost/internal/page"
	"milepost/internal/session"
	"milepost/schemas"
)

// functions are the variables that name the functions behind the API's routes, as template.yaml has them. A test
// compares the two.
var functions = map[string]string{
	"POST /quotes": "SUBMIT_FUNCTION_NAME",

	"GET /quotes":                        "QUOTES_FUNCTION_NAME",
	"GET /quotes/{quoteId}":              "QUOTES_FUNCTION_NAME",
	"GET /quotes/{quoteId}/explanation":  "QUOTES_FUNCTION_NAME",
	"GET /quotes/{quoteId}/comparison":   "QUOTES_FUNCTION_NAME",
	"GET /quotes/{quoteId}/request":      "QUOTES_FUNCTION_NAME",
	"GET /quotes/{quoteId}/letters":      "QUOTES_FUNCTION_NAME",
	"GET /quotes/{quoteId}/causes":       "QUOTES_FUNCTION_NAME",
	"GET /quotes/{quoteId}/accesses":     "QUOTES_FUNCTION_NAME",
	"POST /quotes/{quoteId}/accesses":    "QUOTES_FUNCTION_NAME",
	"GET /quotes/{quoteId}/events":       "QUOTES_FUNCTION_NAME",
	"GET /agencies/{agencyId}/quotes":    "QUOTES_FUNCTION_NAME",
	"GET /customers/{customerId}/quotes": "QUOTES_FUNCTION_NAME",

	"POST /quotes/{quoteId}/amendments":         "COMMANDS_FUNCTION_NAME",
	"POST /quotes/{quoteId}/acceptance":         "COMMANDS_FUNCTION_NAME",
	"POST /quotes/{quoteId}/withdrawal":         "COMMANDS_FUNCTION_NAME",
	"POST /quotes/{quoteId}/decision":           "COMMANDS_FUNCTION_NAME",
	"POST /quotes/{quoteId}/lookups":            "COMMANDS_FUNCTION_NAME",
	"POST /quotes/{quoteId}/waivers":            "COMMANDS_FUNCTION_NAME",
	"GET /quotes/{quoteId}/reversals/{version}": "COMMANDS_FUNCTION_NAME",
	"POST /quotes/{quoteId}/reversals":          "COMMANDS_FUNCTION_NAME",

	"GET /options":        "ESTIMATES_FUNCTION_NAME",
	"GET /vehicles/{vin}": "ESTIMATES_FUNCTION_NAME",
	"POST /estimates":     "ESTIMATES_FUNCTION_NAME",

	"GET /drafts":              "DRAFTS_FUNCTION_NAME",
	"GET /drafts/{draftId}":    "DRAFTS_FUNCTION_NAME",
	"PUT /drafts/{draftId}":    "DRAFTS_FUNCTION_NAME",
	"DELETE /drafts/{draftId}": "DRAFTS_FUNCTION_NAME",

	"GET /customers/{customerId}/erasure":               "ERASURES_FUNCTION_NAME",
	"POST /customers/{customerId}/erasure":              "ERASURES_FUNCTION_NAME",
	"DELETE /customers/{customerId}/erasure":            "ERASURES_FUNCTION_NAME",
	"POST /customers/{customerId}/erasure/confirmation": "ERASURES_FUNCTION_NAME",

	"GET /offers/{token}":               "OFFERS_FUNCTION_NAME",
	"GET /offers/{token}/confirmation":  "CONFIRMATIONS_FUNCTION_NAME",
	"POST /offers/{token}/confirmation": "CONFIRMATIONS_FUNCTION_NAME",
}

// API is the system's API for its pages: they do nothing that a client of the API could not do, under the same checks.
// It invokes the functions behind the routes as the gateway does, with the claims of the signed-in person, so that
// pages need no access to a quote or a key.
type API struct {
	Lambda *lambda.Client
	// Functions are the names of the functions by route.
	Functions map[string]string
}

// Request is one to the API.
type Request struct {
	// Route is the operation, such as "GET /quotes/{quoteId}".
	Route string
	// Path has the values of the route's variables.
	Path map[string]string
	// Query has the query parameters.
	Query url.Values
	// Header has further headers, such as If-Match.
	Header map[string]string
	// Body is sent as JSON, unless it is nil.
	Body any
}

// Answer is what the API answers to a request that succeeded.
type Answer struct {
	Status int
	// Header has the headers, with names in lower case.
	Header map[string]string
	Body   []byte
}

// Problem is what the API answers to a request that it refuses, in its own words.
type Problem struct {
	Type   string      `json:"type"`
	Title  string      `json:"title"`
	Status int         `json:"status"`
	Detail string      `json:"detail"`
	Errors []Violation `json:"errors"`
}

// Violation is one thing that is wrong in a request.
type Violation struct {
	Code      string `json:"code"`
	Pointer   string `json:"pointer"`
	Parameter string `json:"parameter"`
	Detail    string `json:"detail"`
}

func (p *Problem) Error() string { return fmt.Sprintf("%d %s: %s", p.Status, p.Title, p.Detail) }

// Kind is the last part of the problem's type, such as "not-found".
func (p *Problem) Kind() string { return p.Type[strings.LastIndexByte(p.Type, '/')+1:] }

// Call sends a request of the signed-in person; r is the browser's own, whose address the API's function gets. It fails
// with a *Problem if the API refuses.
func (a *API) Call(r *http.Request, q Request) (*Answer, error) {
	name := a.Functions[q.Route]
	if name == "" {
		return nil, fmt.Errorf("no function is known behind %s", q.Route)
	}
	who, signedIn := session.From(r.Context())
	scopes, err := schemas.Scopes(q.Route)
	switch {
	case err != nil:
		return nil, err
	case len(scopes) > 0 && !signedIn:
		return nil, &Problem{Type: "/problems/no-token", Title: "You are not signed in", Status: http.StatusUnauthorized}
	case len(scopes) > 0 && !slices.ContainsFunc(scopes, who.Has): // as the gateway refuses it
		return nil, &Problem{Type: "/problems/no-scope", Title: "This is not for you", Status: http.StatusForbidden,
			Detail: "Your account may not do this."}
	}
	event, err := eventOf(page.Event(r), who, q)
	if err != nil {
		return nil, err
	}
	payload, err := json.Marshal(event)
	if err != nil {
		return nil, err
	}
	out, err := a.Lambda.Invoke(r.Context(), &lambda.InvokeInput{FunctionName: aws.String(name), Payload: payload})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", q.Route, err)
	}
	if out.FunctionError != nil {
		return nil, fmt.Errorf("%s: the function failed: %s", q.Route, *out.FunctionError)
	}
	return answerOf(out.Payload)
}

// Get calls a route without a body and decodes the answer into v.
func (a *API) Get(r *http.Request, q Request, v any) (*Answer, error) {
	answer, err := a.Call(r, q)
	if err != nil {
		return nil, err
	}
	return answer, json.Unmarshal(answer.Body, v)
}

// eventOf is a request as the gateway would hand it to the function.
func eventOf(browser events.APIGatewayV2HTTPRequest, who session.Session, q Request) (*events.APIGatewayV2HTTPRequest, error) {
	method, path, _ := strings.Cut(q.Route, " ")
	for name, value := range q.Path {
		path = strings.ReplaceAll(path, "{"+name+"}", value)
	}
	e := &events.APIGatewayV2HTTPRequest{
		Version: "2.0", RouteKey: q.Route, RawPath: path, RawQueryString: q.Query.Encode(),
		PathParameters: maps.Clone(q.Path), Headers: map[string]string{},
		RequestContext: events.APIGatewayV2HTTPRequestContext{
			RouteKey: q.Route, RequestID: browser.RequestContext.RequestID, Stage: browser.RequestContext.Stage,
			APIID: browser.RequestContext.APIID, Time: browser.RequestContext.Time, TimeEpoch: browser.RequestContext.TimeEpoch,
			HTTP: events.APIGatewayV2HTTPRequestContextHTTPDescription{
				Method: method, Path: path, Protocol: browser.RequestContext.HTTP.Protocol,
				SourceIP: browser.RequestContext.HTTP.SourceIP, UserAgent: browser.RequestContext.HTTP.UserAgent,
			},
		},
	}
	for name, values := range q.Query {
		if e.QueryStringParameters == nil {
			e.QueryStringParameters = map[string]string{}
		}
		e.QueryStringParameters[name] = strings.Join(values, ",")
	}
	for _, name := range []string{"host", "x-amzn-trace-id"} {
		if value := browser.Headers[name]; value != "" {
			e.Headers[name] = value
		}
	}
	for name, value := range q.Header {
		e.Headers[strings.ToLower(name)] = value
	}
	if who.Subject != "" {
		claims := map[string]string{"sub": who.Subject, "scope": strings.Join(who.Scopes, " ")}
		if who.Agency != "" {
			claims["agency"] = who.Agency
		}
		e.RequestContext.Authorizer = &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{
			JWT: &events.APIGatewayV2HTTPRequestContextAuthorizerJWTDescription{Claims: claims, Scopes: who.Scopes},
		}
	}
	if q.Body != nil {
		body, err := json.Marshal(q.Body)
		if err != nil {
			return nil, err
		}
		e.Body, e.Headers["content-type"] = string(body), "application/json"
	}
	return e, nil
}

// answerOf reads what a function answers to the gateway.
func answerOf(payload []byte) (*Answer, error) {
	var response events.APIGatewayV2HTTPResponse
	if err := json.Unmarshal(payload, &response); err != nil {
		return nil, err
	}
	if response.StatusCode == 0 {
		return nil, errors.New("the API's answer has no status")
	}
	a := &Answer{Status: response.StatusCode, Header: map[string]string{}, Body: []byte(response.Body)}
	for name, value := range response.Headers {
		a.Header[strings.ToLower(name)] = value
	}
	if response.IsBase64Encoded {
		var err error
		if a.Body, err = base64.StdEncoding.DecodeString(response.Body); err != nil {
			return nil, err
		}
	}
	if a.Status < http.StatusBadRequest {
		return a, nil
	}
	problem := &Problem{Status: a.Status}
	if err := json.Unmarshal(a.Body, problem); err != nil {
		return nil, fmt.Errorf("the API answers %d, and not with a problem: %w", a.Status, err)
	}
	return nil, problem
}
