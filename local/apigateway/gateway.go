// Package apigateway plays an API Gateway HTTP API. A Gateway takes requests by its Routes to
// Lambda functions, once a JWTAuthorizer has let them through, and answers preflight requests by
// its CORS configuration.
//
// The gateway's own answers have AWS's body, {"message":"Unauthorized"} and so on, as application/json: an HTTP API
// cannot change it, so a missing token is never answered with a problem document.
//
// Functions receive payload format 2.0. Only the stage $default is played.
package apigateway

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"time"

	"milepost/local/awsapi"
	"milepost/local/metrics"
)

// AWS's quotas for an HTTP API.
const (
	maxPayload = 10 << 20 // bytes of a request body
	maxHeader  = 10240    // bytes of the request line and all header values
	maxTimeout = 30 * time.Second
)

// Route takes requests to a function.
type Route struct {
	// Method is an HTTP method, or ANY.
	Method string
	// Path is a path with variables, as in /quotes/{id} or /files/{proxy+}; $default takes what no
	// other route does.
	Path string
	// FunctionARN names the function.
	FunctionARN string
	// Authorizer names the authorizer; "" lets every request through.
	Authorizer string
	// Scopes are the scopes of which a token must have at least one; an empty list requires none.
	Scopes []string
	// Timeout is how long the function may take; 0 means the maximum of 30 seconds.
	Timeout time.Duration
}

// key is the route key, as in "GET /quotes/{id}".
func (r Route) key() string {
	if r.Path == defaultPath {
		return defaultPath
	}
	return r.Method + " " + r.Path
}

// Config describes one HTTP API.
type Config struct {
	// ID is the API's identifier.
	ID          string
	Routes      []Route
	Authorizers map[string]JWTAuthorizer
	// CORS answers browsers; nil leaves that to the functions.
	CORS *CORS
	// Invoke runs a function with a payload and returns its result, and the kind of its failure ("Unhandled") if it
	// failed. It returns when ctx is done. ctx carries the trace header.
	Invoke func(ctx context.Context, functionARN string, payload []byte) (result []byte, functionError string, err error)
	// Metrics takes Count, 4xx, 5xx and Latency, of the API and of its stage.
	Metrics metrics.Publish
	// HTTPClient fetches the keys of the issuers.
	HTTPClient *http.Client
	// Logger receives why a request was refused or failed. Nil means slog's default.
	Logger *slog.Logger
}

// Gateway is the http.Handler of one HTTP API.
type Gateway struct {
	config      Config
	routes      []route
	authorizers map[string]*authorizer
	log         *slog.Logger
}

// New checks the configuration and makes its gateway.
func New(config Config) (*Gateway, error) {
	g := &Gateway{config: config, authorizers: map[string]*authorizer{}, log: config.Logger}
	if g.log == nil {
		g.log = slog.Default()
	}
	if config.CORS != nil {
		if err := config.CORS.check(); err != nil {
			return nil, err
		}
	}
	for name, a := range config.Authorizers {
		made, err := newAuthorizer(a, config.HTTPClient)
		if err != nil {
			return nil, fmt.Errorf("authorizer %s: %w", name, err)
		}
		g.authorizers[name] = made
	}
	seen := map[string]bool{}
	for _, r := range config.Routes {
		compiled, err := compile(r)
		if err != nil {
			return nil, err
		}
		if seen[r.key()] {
			return nil, fmt.Errorf("route %s is there twice", r.key())
		}
		seen[r.key()] = true
		if r.Authorizer != "" && g.authorizers[r.Authorizer] == nil {
			return nil, fmt.Errorf("route %s: no authorizer %q", r.key(), r.Authorizer)
		}
		if r.Timeout < 0 || r.Timeout > maxTimeout {
			return nil, fmt.Errorf("route %s: timeout %v is not within %v", r.key(), r.Timeout, maxTimeout)
		}
		g.routes = append(g.routes, compiled)
	}
	return g, nil
}

// ServeHTTP answers one request as the API would.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if g.config.Metrics == nil {
		g.serve(w, r)
		return
	}
	began, answered := time.Now(), &statusWriter{ResponseWriter: w, status: http.StatusOK}
	g.serve(answered, r)
	samples := []metrics.Sample{
		metrics.Number("Count", 1), metrics.OneIf("4xx", answered.status/100 == 4), metrics.OneIf("5xx", answered.status/100 == 5),
		metrics.Took("Latency", time.Since(began)),
	}
	api := metrics.Dimension{Name: "ApiId", Value: g.config.ID}
	g.config.Metrics.Put("AWS/ApiGateway", []metrics.Dimension{api}, samples...)
	g.config.Metrics.Put("AWS/ApiGateway", []metrics.Dimension{api, {Name: "Stage", Value: "$default"}}, samples...)
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter

	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (g *Gateway) serve(w http.ResponseWriter, r *http.Request) {
	requestID := newRequestID()
	w.Header()["Apigw-Requestid"] = []string{requestID}
	if g.config.CORS.answer(w, r) {
		return
	}
	if headerSize(r) > maxHeader {
		refuse(w, http.StatusRequestHeaderFieldsTooLarge)
		return
	}
	route, variables := match(g.routes, r.Method, r.URL.Path)
	if route == nil {
		refuse(w, http.StatusNotFound)
		return
	}
	if !route.bucket.take(time.Now()) {
		refuse(w, http.StatusTooManyRequests)
		return
	}
	var grant *grant
	if route.Authorizer != "" {
		var denial *denial
		if grant, denial = g.authorizers[route.Authorizer].authorize(r, route.Scopes); denial != nil {
			g.log.Debug("request refused", "route", route.key(), "reason", denial.reason, "error", denial.err)
			w.Header().Set("Www-Authenticate", denial.challenge(route.Scopes))
			refuse(w, denial.status)
			return
		}
	}
	body, status := readBody(r)
	if status != 0 {
		refuse(w, status)
		return
	}
	trace := traceHeader(r)
	payload, err := json.Marshal(newEvent(g.config.ID, requestID, trace, route, variables, grant, body, r))
	if err != nil {
		g.log.Error("request cannot be encoded", "route", route.key(), "error", err)
		refuse(w, http.StatusInternalServerError)
		return
	}
	result, status := g.invoke(r.Context(), route, trace, payload)
	if status != 0 {
		refuse(w, status)
		return
	}
	if err := writeResult(w, result, g.config.CORS != nil); err != nil {
		g.log.Error("function answered badly", "function", route.FunctionARN, "error", err)
		refuse(w, http.StatusInternalServerError)
	}
}

// invoke runs the route's function. The status is 0 when there is a result. A client that goes
// away does not stop the function.
func (g *Gateway) invoke(ctx context.Context, r *route, trace string, payload []byte) (result []byte, status int) {
	timeout := r.Timeout
	if timeout == 0 {
		timeout = maxTimeout
	}
	ctx, cancel := context.WithTimeout(awsapi.WithTraceHeader(context.WithoutCancel(ctx), trace), timeout)
	defer cancel()
	result, functionError, err := g.config.Invoke(ctx, r.FunctionARN, payload)
	switch {
	case err != nil && (ctx.Err() != nil || awsapi.AsError(err).Code == "TooManyRequestsException"):
		g.log.Warn("function did not answer", "function", r.FunctionARN, "error", err)
		return nil, http.StatusServiceUnavailable
	case err != nil:
		g.log.Error("function cannot be invoked", "function", r.FunctionARN, "error", err)
		return nil, http.StatusInternalServerError
	case functionError != "":
		g.log.Error("function failed", "function", r.FunctionARN, "error", functionError)
		return nil, http.StatusInternalServerError
	}
	return result, 0
}

// refuse answers in the gateway's own words.
func refuse(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, `{"message":"`+http.StatusText(status)+`"}`)
}

func headerSize(r *http.Request) int {
	n := len(r.Method) + len(r.RequestURI) + len(r.Host)
	for _, values := range r.Header {
		for _, v := range values {
			n += len(v)
		}
	}
	return n
}

// readBody reads the request's body; the status is 0 when that was possible.
func readBody(r *http.Request) (body []byte, status int) {
	if r.Body == nil {
		return nil, 0
	}
	if r.ContentLength > maxPayload {
		return nil, http.StatusRequestEntityTooLarge
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxPayload))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, http.StatusRequestEntityTooLarge
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, http.StatusRequestTimeout
	}
	if err != nil {
		return nil, http.StatusBadRequest
	}
	return body, 0
}

// traceHeader is the trace that the request belongs to: that of the client, or a new one. It
// holds no sampling decision of the gateway's, since an HTTP API does not trace.
func traceHeader(r *http.Request) string {
	if h := r.Header.Get("X-Amzn-Trace-Id"); strings.Contains(h, "Root=") {
		return h
	}
	return fmt.Sprintf("Root=1-%08x-%024x", time.Now().Unix(), randomBytes(12))
}

// newRequestID makes an id in the shape of the gateway's own, such as "JKJaXmPLvHcESHA=".
func newRequestID() string { return base64.StdEncoding.EncodeToString(randomBytes(11)) }

// randomBytes makes bytes for ids, which need only differ.
func randomBytes(n int) []byte {
	id := make([]byte, n)
	for i := range id {
		id[i] = byte(rand.Uint32())
	}
	return id
}
