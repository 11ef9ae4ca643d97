package page

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"milepost/internal/platform"
)

// worthCompressing is from how many bytes on a page is compressed.
const worthCompressing = 1 << 10

// Handler frames an http.Handler as a Lambda function behind an HTTP API.
func Handler(env platform.Environment, h http.Handler) lambda.Handler {
	begin := platform.Frame(env)
	return platform.HandlerFunc(func(ctx context.Context, payload []byte) ([]byte, error) {
		var e events.APIGatewayV2HTTPRequest
		if err := json.Unmarshal(payload, &e); err != nil {
			return nil, &platform.BadPayload{Err: err}
		}
		ctx, done := begin(ctx)
		platform.Note(ctx, platform.Subject{CorrelationID: e.RequestContext.RequestID})
		r, err := requestOf(ctx, e)
		if err != nil {
			done(nil)
			return json.Marshal(events.APIGatewayV2HTTPResponse{StatusCode: http.StatusBadRequest, Body: "The request cannot be read."})
		}
		w := &answer{header: http.Header{}}
		h.ServeHTTP(w, r)
		done(w.failed)
		return json.Marshal(w.response(r))
	})
}

// eventKey is the key of a request's event in its context.
type eventKey struct{}

// Event returns the event of API Gateway that a request was made from.
func Event(r *http.Request) events.APIGatewayV2HTTPRequest {
	e, _ := r.Context().Value(eventKey{}).(events.APIGatewayV2HTTPRequest)
	return e
}

// Fail ends a request with the system's own fault: the reader gets what was written, and the function's log line says
// what failed.
func Fail(w http.ResponseWriter, err error) {
	if a, ok := w.(*answer); ok {
		a.failed = errors.Join(a.failed, err)
	}
}

func requestOf(ctx context.Context, e events.APIGatewayV2HTTPRequest) (*http.Request, error) {
	body := []byte(e.Body)
	if e.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(e.Body); err != nil {
			return nil, err
		}
	}
	address := e.RawPath
	if address == "" || address[0] != '/' {
		return nil, errors.New("the path does not begin with a slash")
	}
	r, err := http.NewRequestWithContext(context.WithValue(ctx, eventKey{}, e), e.RequestContext.HTTP.Method, "/", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	// The gateway has decoded the path already.
	r.URL.Path, r.URL.RawQuery = address, e.RawQueryString
	r.RequestURI = r.URL.RequestURI()
	for name, value := range e.Headers {
		r.Header.Set(name, value)
	}
	for _, cookie := range e.Cookies {
		r.Header.Add("Cookie", cookie)
	}
	r.Host, r.RemoteAddr = r.Header.Get("Host"), e.RequestContext.HTTP.SourceIP
	return r, nil
}

// answer collects what a handler answers.
type answer struct {
	status int
	header http.Header
	body   bytes.Buffer
	failed error
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *answer) Write(text []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if a.header.Get("Content-Type") == "" {
		a.header.Set("Content-Type", http.DetectContentType(text))
	}
	return a.body.Write(text)
}

func (a *answer) response(r *http.Request) events.APIGatewayV2HTTPResponse {
	a.WriteHeader(http.StatusOK)
	body := a.body.Bytes()
	isText := strings.HasPrefix(a.header.Get("Content-Type"), "text/") || a.header.Get("Content-Type") == "application/json"
	if isText && len(body) >= worthCompressing && a.header.Get("Content-Encoding") == "" {
		a.header.Set("Vary", "Accept-Encoding")
		if takesGzip(r) {
			a.header.Set("Content-Encoding", "gzip")
			body = gzipped(body)
		}
	}
	response := events.APIGatewayV2HTTPResponse{StatusCode: a.status, Headers: map[string]string{}, Cookies: a.header.Values("Set-Cookie")}
	a.header.Del("Set-Cookie")
	for name, values := range a.header {
		response.Headers[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	if isText && a.header.Get("Content-Encoding") == "" && utf8.Valid(body) {
		response.Body = string(body)
	} else {
		response.Body, response.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
	}
	return response
}
