package apigateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"milepost/local/apigateway"
	"milepost/local/awsapi"
	"milepost/local/issuer"
)

const (
	issuerURL = "https://issuer.example"
	audience  = "quotes-api"
)

// api is a gateway whose only function remembers what it got.
type api struct {
	*apigateway.Gateway
	issuer   *issuer.Issuer
	function string
	event    events.APIGatewayV2HTTPRequest
	raw      map[string]any
	trace    string
	fetched  int

	result        string
	functionError string
	err           error
	takes         time.Duration
}

func newAPI(t *testing.T, change func(*apigateway.Config)) *api {
	t.Helper()
	a := &api{result: `{"statusCode":200}`}
	var err error
	if a.issuer, err = issuer.New(issuer.Options{URL: issuerURL}); err != nil {
		t.Fatal(err)
	}
	config := apigateway.Config{
		ID: "api1",
		Routes: []apigateway.Route{
			{Method: "POST", Path: "/quotes", FunctionARN: "submit", Authorizer: "customers"},
			{Method: "GET", Path: "/quotes/{id}/events", FunctionARN: "audit", Authorizer: "customers", Scopes: []string{"audit", "admin"}},
			{Method: "GET", Path: "/open/{id}", FunctionARN: "open"},
			{Method: "ANY", Path: "/open/{proxy+}", FunctionARN: "openrest"},
			{Method: "GET", Path: "/open/fixed", FunctionARN: "openfixed"},
		},
		Authorizers: map[string]apigateway.JWTAuthorizer{"customers": {Issuer: issuerURL, Audience: []string{audience}}},
		Invoke: func(ctx context.Context, function string, payload []byte) ([]byte, string, error) {
			a.function, a.trace = function, awsapi.TraceHeader(ctx)
			if err := errors.Join(json.Unmarshal(payload, &a.event), json.Unmarshal(payload, &a.raw)); err != nil {
				t.Error(err)
			}
			select {
			case <-time.After(a.takes):
			case <-ctx.Done():
				return nil, "", ctx.Err()
			}
			return []byte(a.result), a.functionError, a.err
		},
		HTTPClient: &http.Client{Transport: &awsapi.Transport{Server: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			a.fetched++
			a.issuer.ServeHTTP(w, r)
		})}},
		Logger: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&config)
	}
	if a.Gateway, err = apigateway.New(config); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *api) token(t *testing.T, c issuer.Claims) string {
	t.Helper()
	if c.Audience == nil {
		c.Audience = []string{audience}
	}
	token, err := a.issuer.Token(c)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func (a *api) call(method, target string, header map[string]string, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for name, v := range header {
		r.Header.Set(name, v)
	}
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	return w
}

func bearer(token string) map[string]string {
	return map[string]string{"Authorization": "Bearer " + token}
}

func assertRefused(t *testing.T, w *httptest.ResponseRecorder, status int, message string) {
	t.Helper()
	if w.Code != status || w.Body.String() != `{"message":"`+message+`"}` || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("status=%d type=%q body=%s, want %d %q", w.Code, w.Header().Get("Content-Type"), w.Body, status, message)
	}
}

func TestFunctionReceivesPayloadFormat2(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAPI(t, nil)
		header := bearer(a.token(t, issuer.Claims{Subject: "customer-1", Scopes: []string{"audit", "other"}, Extra: map[string]any{"groups": []string{"a", "b"}, "vip": true}}))
		maps.Copy(header, map[string]string{"Cookie": "a=1; b=2", "Content-Type": "application/json", "X-Amzn-Trace-Id": "Root=1-2-3", "User-Agent": "test/1"})
		w := a.call("GET", "http://api.example:8080/quotes/q%201/events?x=1&x=2&y=%20z", header, `{"a":1}`)
		if w.Code != 200 || a.function != "audit" {
			t.Fatalf("status=%d function=%q body=%s", w.Code, a.function, w.Body)
		}
		e := a.event
		c := e.RequestContext
		checks := map[string][2]any{
			"version":         {e.Version, "2.0"},
			"routeKey":        {e.RouteKey, "GET /quotes/{id}/events"},
			"rawPath":         {e.RawPath, "/quotes/q 1/events"},
			"rawQueryString":  {e.RawQueryString, "x=1&x=2&y=%20z"},
			"repeated query":  {e.QueryStringParameters["x"], "1,2"},
			"decoded query":   {e.QueryStringParameters["y"], " z"},
			"path parameter":  {e.PathParameters["id"], "q 1"},
			"body":            {e.Body, `{"a":1}`},
			"isBase64Encoded": {e.IsBase64Encoded, false},
			"cookies":         {strings.Join(e.Cookies, "|"), "a=1|b=2"},
			"cookie header":   {e.Headers["cookie"], ""},
			"host":            {e.Headers["host"], "api.example:8080"},
			"content-length":  {e.Headers["content-length"], "7"},
			"trace header":    {e.Headers["x-amzn-trace-id"], "Root=1-2-3"},
			"trace of ctx":    {a.trace, "Root=1-2-3"},
			"forwarded for":   {e.Headers["x-forwarded-for"], "192.0.2.1"},
			"forwarded port":  {e.Headers["x-forwarded-port"], "8080"},
			"accountId":       {c.AccountID, awsapi.Account},
			"apiId":           {c.APIID, "api1"},
			"stage":           {c.Stage, "$default"},
			"domainName":      {c.DomainName, "api.example"},
			"domainPrefix":    {c.DomainPrefix, "api"},
			"sourceIp":        {c.HTTP.SourceIP, "192.0.2.1"},
			"method":          {c.HTTP.Method, "GET"},
			"protocol":        {c.HTTP.Protocol, "HTTP/1.1"},
			"userAgent":       {c.HTTP.UserAgent, "test/1"},
			"requestId":       {c.RequestID, w.Header().Get("Apigw-Requestid")},
			"time":            {c.Time, "01/Jan/2000:00:00:00 +0000"},
			"timeEpoch":       {c.TimeEpoch, int64(946684800000)},
			"sub":             {c.Authorizer.JWT.Claims["sub"], "customer-1"},
			"a list of claim": {c.Authorizer.JWT.Claims["groups"], "[a b]"},
			"a boolean claim": {c.Authorizer.JWT.Claims["vip"], "true"},
			"exp":             {c.Authorizer.JWT.Claims["exp"], "946688400"},
			"scopes":          {strings.Join(c.Authorizer.JWT.Scopes, " "), "audit"},
		}
		for name, got := range checks {
			if got[0] != got[1] {
				t.Errorf("%s=%v, want %v", name, got[0], got[1])
			}
		}
	})
}

func TestOpenRouteHasNoAuthorizerAndANewTrace(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	a.call("GET", "/open/1", nil, "")
	if a.raw["requestContext"].(map[string]any)["authorizer"] != nil {
		t.Errorf("requestContext=%v, want no authorizer", a.raw["requestContext"])
	}
	for _, absent := range []string{"body", "cookies", "queryStringParameters"} {
		if _, there := a.raw[absent]; there {
			t.Errorf("%s is there without need", absent)
		}
	}
	if !regexp.MustCompile(`^Root=1-[0-9a-f]{8}-[0-9a-f]{24}$`).MatchString(a.trace) || a.event.Headers["x-amzn-trace-id"] != a.trace {
		t.Errorf("trace=%q header=%q, want one root without a decision", a.trace, a.event.Headers["x-amzn-trace-id"])
	}
}

func TestBodiesThatAreNotTextAreEncoded(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		contentType, body string
		encoded           bool
	}{
		"JSON with a charset":            {"application/json; charset=utf-8", "{}", false},
		"plain text":                     {"text/csv", "a,b", false},
		"a form":                         {"application/x-www-form-urlencoded", "a=b", true},
		"an unknown type":                {"", "{}", true},
		"JSON that is no text after all": {"application/json", "\xff", true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t, nil)
			a.call("POST", "/open/a/b", map[string]string{"Content-Type": test.contentType}, test.body)
			if a.event.IsBase64Encoded != test.encoded {
				t.Errorf("isBase64Encoded=%v body=%q, want %v", a.event.IsBase64Encoded, a.event.Body, test.encoded)
			}
		})
	}
}

func TestMostSpecificRouteWins(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		method, path, function string
		variables              map[string]string
	}{
		"a literal before a variable":         {"GET", "/open/fixed", "openfixed", nil},
		"a variable before a greedy one":      {"GET", "/open/7", "open", map[string]string{"id": "7"}},
		"a greedy one takes several parts":    {"GET", "/open/a/b", "openrest", map[string]string{"proxy": "a/b"}},
		"another method falls to ANY":         {"PUT", "/open/fixed", "openrest", map[string]string{"proxy": "fixed"}},
		"nothing but the default route is it": {"GET", "/elsewhere", "default", nil},
		"a variable is not empty":             {"GET", "/open/", "default", nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t, func(c *apigateway.Config) {
				c.Routes = append(c.Routes, apigateway.Route{Path: "$default", FunctionARN: "default"})
			})
			a.call(test.method, test.path, nil, "")
			if a.function != test.function || !maps.Equal(a.event.PathParameters, test.variables) {
				t.Errorf("function=%q variables=%v, want %q %v", a.function, a.event.PathParameters, test.function, test.variables)
			}
		})
	}
}

func TestNoRoute(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	assertRefused(t, a.call("GET", "/nowhere", nil, ""), 404, "Not Found")
	assertRefused(t, a.call("DELETE", "/quotes", nil, ""), 404, "Not Found")
}

func TestTokensThatAreRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAPI(t, nil)
		other, err := issuer.New(issuer.Options{URL: "https://other.example"})
		if err != nil {
			t.Fatal(err)
		}
		foreign, err := other.Token(issuer.Claims{Audience: []string{audience}})
		if err != nil {
			t.Fatal(err)
		}
		good := a.token(t, issuer.Claims{Subject: "customer-1"})
		parts := strings.Split(good, ".")
		forged := parts[0] + ".eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlIn0." + parts[2]
		tests := map[string]struct{ authorization, description string }{
			"none at all":                 {"", ""},
			"the scheme alone":            {"Bearer ", ""},
			"no token":                    {"Bearer abc", "malformed"},
			"a token without a signature": {"Bearer eyJhbGciOiJub25lIn0.e30.", "malformed"},
			"a forged payload":            {"Bearer " + forged, "signature"},
			"another issuer":              {"Bearer " + foreign, "issuer"},
			"another audience":            {"Bearer " + a.token(t, issuer.Claims{Audience: []string{"x", "y"}}), "audience"},
			"an expired token":            {"Bearer " + a.token(t, issuer.Claims{TTL: -time.Second}), "expired"},
			"a start that is text":        {"Bearer " + a.token(t, issuer.Claims{Extra: map[string]any{"nbf": "soon"}}), "nbf is no number"},
			"a start that is a list":      {"Bearer " + a.token(t, issuer.Claims{Extra: map[string]any{"nbf": []int{1}}}), "nbf is no number"},
			"a start beyond all time":     {"Bearer " + a.token(t, issuer.Claims{Extra: map[string]any{"nbf": json.Number("1e400")}}), "not valid yet"},
			"an issue that is text":       {"Bearer " + a.token(t, issuer.Claims{Extra: map[string]any{"iat": "1"}}), "iat is no number"},
			"an expiry that is text":      {"Bearer " + a.token(t, issuer.Claims{Extra: map[string]any{"exp": "4000000000"}}), "expired"},
			"a token for later":           {"Bearer " + a.token(t, issuer.Claims{Extra: map[string]any{"nbf": time.Now().Add(time.Minute).Unix()}}), "not valid yet"},
		}
		for name, test := range tests {
			a.function = ""
			w := a.call("POST", "/quotes", map[string]string{"Authorization": test.authorization}, "{}")
			assertRefused(t, w, 401, "Unauthorized")
			challenge := w.Header().Get("Www-Authenticate")
			if !strings.HasPrefix(challenge, "Bearer") || !strings.Contains(challenge, test.description) {
				t.Errorf("%s: challenge %q, want %q", name, challenge, test.description)
			}
			if a.function != "" {
				t.Errorf("%s: the function was invoked", name)
			}
		}
		if w := a.call("POST", "/quotes", map[string]string{"Authorization": good}, "{}"); w.Code != 200 {
			t.Errorf("a good token without its scheme: status=%d", w.Code)
		}
		time.Sleep(issuer.DefaultTTL)
		assertRefused(t, a.call("POST", "/quotes", bearer(good), "{}"), 401, "Unauthorized")
	})
}

func TestClientIDStandsInForTheAudience(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	token := a.token(t, issuer.Claims{Audience: []string{}, Extra: map[string]any{"client_id": audience}})
	if w := a.call("POST", "/quotes", bearer(token), ""); w.Code != 200 {
		t.Errorf("status=%d body=%s", w.Code, w.Body)
	}
}

func TestScopesOfTheRoute(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	if w := a.call("GET", "/quotes/1/events", bearer(a.token(t, issuer.Claims{Scopes: []string{"x", "admin"}})), ""); w.Code != 200 {
		t.Errorf("one of the scopes: status=%d", w.Code)
	}
	w := a.call("GET", "/quotes/1/events", bearer(a.token(t, issuer.Claims{Scopes: []string{"x"}})), "")
	assertRefused(t, w, 403, "Forbidden")
	if c := w.Header().Get("Www-Authenticate"); !strings.Contains(c, `scope="audit admin"`) || !strings.Contains(c, "insufficient_scope") {
		t.Errorf("challenge=%q", c)
	}
}

// TestScopesInEachForm has the scopes of a token in every claim and form that identity providers use.
func TestScopesInEachForm(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	for name, c := range map[string]struct {
		claims map[string]any
		status int
	}{
		"scope, a text":                {map[string]any{"scope": "other audit"}, 200},
		"scope, a list":                {map[string]any{"scope": []string{"other", "audit"}}, 200},
		"scp, a text":                  {map[string]any{"scp": "audit other"}, 200},
		"scp, a list":                  {map[string]any{"scp": []string{"audit"}}, 200},
		"scope null, and scp":          {map[string]any{"scope": nil, "scp": []string{"audit"}}, 200},
		"a text within a list":         {map[string]any{"scp": []string{"other audit"}}, 403},
		"a part of the scope's name":   {map[string]any{"scp": []string{"audi", "auditor"}}, 403},
		"a list of what is not text":   {map[string]any{"scp": []any{1, nil, true}}, 403},
		"neither scope nor scp":        {map[string]any{"roles": []string{"audit"}}, 403},
		"an object with a scope's key": {map[string]any{"scope": map[string]any{"audit": true}}, 403},
	} {
		w := a.call("GET", "/quotes/1/events", bearer(a.token(t, issuer.Claims{Extra: c.claims})), "")
		if w.Code != c.status {
			t.Errorf("%s: status %d, want %d", name, w.Code, c.status)
		}
		if w.Code != 200 {
			continue
		}
		if got := a.event.RequestContext.Authorizer.JWT.Scopes; !slices.Equal(got, []string{"audit"}) {
			t.Errorf("%s: the function gets the scopes %v", name, got)
		}
	}
}

func TestAClaimThatIsNullIsLeftOut(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	w := a.call("POST", "/quotes", bearer(a.token(t, issuer.Claims{Extra: map[string]any{"sub": nil, "nbf": nil, "agency": nil, "name": "null"}})), "")
	claims := a.event.RequestContext.Authorizer.JWT.Claims
	for _, name := range []string{"sub", "nbf", "agency"} {
		if v, ok := claims[name]; ok {
			t.Errorf("the function gets the claim %s: %q", name, v)
		}
	}
	if w.Code != 200 || claims["name"] != "null" {
		t.Errorf("status %d, claims %v", w.Code, claims)
	}
}

func TestKeysAreFetchedOnceInTwoHours(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAPI(t, nil)
		ask := func() int { return a.call("POST", "/quotes", bearer(a.token(t, issuer.Claims{})), "").Code }
		if first, second := ask(), ask(); first != 200 || second != 200 || a.fetched != 2 {
			t.Errorf("%d documents fetched, want the discovery and the keys", a.fetched)
		}
		time.Sleep(2 * time.Hour)
		if ask() != 200 || a.fetched != 4 {
			t.Errorf("%d documents fetched after two hours, want 4", a.fetched)
		}
	})
}

func TestIssuerThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		down := true
		a := newAPI(t, nil)
		working := a.issuer
		gateway := newAPI(t, func(c *apigateway.Config) {
			c.HTTPClient = &http.Client{Transport: &awsapi.Transport{Server: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if down {
					<-r.Context().Done()
					return
				}
				working.ServeHTTP(w, r)
			})}}
		})
		token := gateway.token(t, issuer.Claims{})
		begin := time.Now()
		assertRefused(t, gateway.call("POST", "/quotes", bearer(token), ""), 401, "Unauthorized")
		if took := time.Since(begin); took != 1500*time.Millisecond {
			t.Errorf("gave up after %v, want 1.5s", took)
		}
		down = false
		if w := gateway.call("POST", "/quotes", bearer(token), ""); w.Code != 200 {
			t.Errorf("status=%d once the issuer is back", w.Code)
		}
	})
}

func TestWhatAFunctionGivesBecomesTheResponse(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		result      string
		status      int
		contentType string
		body        string
	}{
		"a response":                          {`{"statusCode":202,"headers":{"content-type":"application/json","X-N":3},"body":"{}"}`, 202, "application/json", "{}"},
		"a response without a type":           {`{"statusCode":200,"body":"hi"}`, 200, "text/plain;charset=UTF-8", "hi"},
		"an encoded body":                     {`{"statusCode":200,"body":"aGk=","isBase64Encoded":true}`, 200, "text/plain;charset=UTF-8", "hi"},
		"what aws-lambda-go returns":          {`{"statusCode":204,"headers":null,"multiValueHeaders":null,"body":"","cookies":null}`, 204, "text/plain;charset=UTF-8", ""},
		"an object without a status":          {`{"price":"486.00","body":7}`, 200, "application/json", `{"price":"486.00","body":7}`},
		"a string":                            {`"Hello"`, 200, "application/json", "Hello"},
		"a list":                              {`[1]`, 200, "application/json", "[1]"},
		"a status that is not one":            {`{"statusCode":99}`, 500, "application/json", `{"message":"Internal Server Error"}`},
		"a status that is text":               {`{"statusCode":"ok"}`, 500, "application/json", `{"message":"Internal Server Error"}`},
		"a body that is not what it says":     {`{"statusCode":200,"isBase64Encoded":true,"body":"?"}`, 500, "application/json", `{"message":"Internal Server Error"}`},
		"a header that is a list":             {`{"statusCode":200,"headers":{"a":["b"]}}`, 500, "application/json", `{"message":"Internal Server Error"}`},
		"a response with a body of no string": {`{"statusCode":200,"body":{}}`, 500, "application/json", `{"message":"Internal Server Error"}`},
		"no JSON":                             {`oops`, 500, "application/json", `{"message":"Internal Server Error"}`},
		"nothing":                             {``, 500, "application/json", `{"message":"Internal Server Error"}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t, nil)
			a.result = test.result
			w := a.call("GET", "/open/1", nil, "")
			if w.Code != test.status || w.Header().Get("Content-Type") != test.contentType || w.Body.String() != test.body {
				t.Errorf("status=%d type=%q body=%s", w.Code, w.Header().Get("Content-Type"), w.Body)
			}
		})
	}
}

func TestCookiesOfAResponse(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	a.result = `{"statusCode":200,"cookies":["a=1; Secure","b=2"]}`
	if got := a.call("GET", "/open/1", nil, "").Header().Values("Set-Cookie"); !slices.Equal(got, []string{"a=1; Secure", "b=2"}) {
		t.Errorf("Set-Cookie=%q", got)
	}
}

func TestFunctionsThatFail(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAPI(t, nil)
		a.functionError = "Unhandled"
		assertRefused(t, a.call("GET", "/open/1", nil, ""), 500, "Internal Server Error")
		a.functionError, a.err = "", errors.New("no such function")
		assertRefused(t, a.call("GET", "/open/1", nil, ""), 500, "Internal Server Error")
		a.err = &awsapi.Error{Code: "TooManyRequestsException", Status: 429}
		assertRefused(t, a.call("GET", "/open/1", nil, ""), 503, "Service Unavailable")
		a.err, a.takes = nil, time.Minute
		begin := time.Now()
		assertRefused(t, a.call("GET", "/open/1", nil, ""), 503, "Service Unavailable")
		if took := time.Since(begin); took != 30*time.Second {
			t.Errorf("gave up after %v, want 30s", took)
		}
	})
}

func TestClientThatGoesAwayDoesNotStopTheFunction(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := httptest.NewRecorder()
	a.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/open/1", nil))
	if w.Code != 200 {
		t.Errorf("status=%d, want the function's", w.Code)
	}
}

func TestRequestsThatAreTooLarge(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	w := httptest.NewRecorder()
	a.ServeHTTP(w, httptest.NewRequest("PUT", "/open/1", bytes.NewReader(make([]byte, 10<<20+1))))
	assertRefused(t, w, 413, "Request Entity Too Large")
	w = httptest.NewRecorder()
	a.ServeHTTP(w, httptest.NewRequest("PUT", "/open/1", io.LimitReader(zeros{}, 10<<20+1))) // of unknown length
	assertRefused(t, w, 413, "Request Entity Too Large")
	assertRefused(t, a.call("GET", "/open/1", map[string]string{"X": strings.Repeat("x", 10240)}, ""), 431, "Request Header Fields Too Large")
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestCORS(t *testing.T) {
	t.Parallel()
	page := "http://localhost:5173"
	a := newAPI(t, func(c *apigateway.Config) {
		c.CORS = &apigateway.CORS{AllowOrigins: []string{page, "https://*"}, AllowMethods: []string{"GET", "POST"},
			AllowHeaders: []string{"authorization", "content-type"}, ExposeHeaders: []string{"etag", "location"}, MaxAge: time.Minute, AllowCredentials: true}
	})
	a.result = `{"statusCode":200,"headers":{"access-control-allow-origin":"*","ETag":"1"}}`

	w := a.call("OPTIONS", "/quotes", map[string]string{"Origin": page, "Access-Control-Request-Method": "POST"}, "")
	want := map[string]string{"Access-Control-Allow-Origin": page, "Access-Control-Allow-Methods": "GET,POST",
		"Access-Control-Allow-Headers": "authorization,content-type", "Access-Control-Max-Age": "60", "Access-Control-Allow-Credentials": "true"}
	for name, v := range want {
		if w.Code != 204 || w.Header().Get(name) != v {
			t.Errorf("preflight: status=%d %s=%q, want %q", w.Code, name, w.Header().Get(name), v)
		}
	}
	w = a.call("GET", "/open/1", map[string]string{"Origin": page}, "")
	if h := w.Header(); h.Get("Access-Control-Allow-Origin") != page || h.Get("Access-Control-Expose-Headers") != "etag,location" || h.Get("ETag") != "1" {
		t.Errorf("headers=%v, want the gateway's CORS and the function's others", h)
	}
	if w := a.call("POST", "/quotes", map[string]string{"Origin": "https://any.example"}, ""); w.Code != 401 || w.Header().Get("Access-Control-Allow-Origin") != "https://any.example" {
		t.Errorf("a refusal: status=%d headers=%v, want CORS headers too", w.Code, w.Header())
	}
	if w := a.call("GET", "/open/1", map[string]string{"Origin": "http://evil.example"}, ""); w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("a page that is not listed: headers=%v", w.Header())
	}
}

func TestConfigurationsThatAreRefused(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		config apigateway.Config
		want   string
	}{
		"an unknown authorizer":        {apigateway.Config{Routes: []apigateway.Route{{Method: "GET", Path: "/", Authorizer: "x"}}}, `no authorizer "x"`},
		"a variable in the middle":     {apigateway.Config{Routes: []apigateway.Route{{Method: "GET", Path: "/{a+}/b"}}}, "not at the end"},
		"half a variable":              {apigateway.Config{Routes: []apigateway.Route{{Method: "GET", Path: "/{a"}}}, "no variable"},
		"text around a variable":       {apigateway.Config{Routes: []apigateway.Route{{Method: "GET", Path: "/x{a}"}}}, "not a part of a path"},
		"a path without a slash":       {apigateway.Config{Routes: []apigateway.Route{{Method: "GET", Path: "x"}}}, "slash"},
		"a method of another protocol": {apigateway.Config{Routes: []apigateway.Route{{Method: "FETCH", Path: "/"}}}, "method"},
		"one route twice":              {apigateway.Config{Routes: []apigateway.Route{{Method: "GET", Path: "/"}, {Method: "GET", Path: "/"}}}, "twice"},
		"a timeout above the limit":    {apigateway.Config{Routes: []apigateway.Route{{Method: "GET", Path: "/", Timeout: time.Minute}}}, "timeout"},
		"a token in the query":         {apigateway.Config{HTTPClient: http.DefaultClient, Authorizers: map[string]apigateway.JWTAuthorizer{"a": {Issuer: "i", Audience: []string{"x"}, IdentitySource: "$request.querystring.t"}}}, "identity source"},
		"credentials for every origin": {apigateway.Config{CORS: &apigateway.CORS{AllowOrigins: []string{"*"}, AllowCredentials: true}}, "credentials"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := apigateway.New(test.config); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error=%v, want %q", err, test.want)
			}
		})
	}
}

func BenchmarkRequest(b *testing.B) {
	i, err := issuer.New(issuer.Options{URL: issuerURL})
	if err != nil {
		b.Fatal(err)
	}
	token, err := i.Token(issuer.Claims{Subject: "customer-1", Audience: []string{audience}})
	if err != nil {
		b.Fatal(err)
	}
	g, err := apigateway.New(apigateway.Config{
		Routes:      []apigateway.Route{{Method: "POST", Path: "/quotes", FunctionARN: "submit", Authorizer: "a"}},
		Authorizers: map[string]apigateway.JWTAuthorizer{"a": {Issuer: issuerURL, Audience: []string{audience}}},
		HTTPClient:  &http.Client{Transport: &awsapi.Transport{Server: i}},
		Invoke: func(context.Context, string, []byte) ([]byte, string, error) {
			return []byte(`{"statusCode":202,"headers":{"location":"/quotes/1"},"body":"{}"}`), "", nil
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest("POST", "/quotes", strings.NewReader(`{"a":1}`))
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		g.ServeHTTP(w, r)
		if w.Code != 202 {
			b.Fatal(w.Code)
		}
	}
}
