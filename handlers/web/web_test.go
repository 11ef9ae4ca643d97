package web

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"milepost/handlers/commands"
	"milepost/handlers/confirmations"
	"milepost/handlers/estimates"
	"milepost/handlers/offers"
	"milepost/handlers/quotes"
	"milepost/handlers/submit"
	"milepost/internal/page"
	"milepost/internal/platform"
	"milepost/internal/stacktest"
	"milepost/internal/wiring"
	locallambda "milepost/local/lambda"
)

// opened is the pages over the real functions of the API, in the local runtime, with web's own role.
func opened(t *testing.T) *web {
	t.Helper()
	code := stacktest.Code{}
	for name, construct := range map[string]func(platform.Environment) (lambda.Handler, error){
		"submit": submit.New, "quotes": quotes.New, "commands": commands.New, "estimates": estimates.New,
		"offers": offers.New, "confirmations": confirmations.New,
	} {
		code[name] = func(env platform.Environment) (locallambda.Handler, error) { return construct(env) }
	}
	s := wiring.Of(stacktest.Open(t, code).Environment("web"))
	h := &web{api: &API{Lambda: s.Lambda(), Functions: map[string]string{}}, tickets: s.Tickets(), liveURL: s.Required("LIVE_URL")}
	for route, variable := range functions {
		h.api.Functions[route] = s.Required(variable)
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	return h
}

// browse sends a request through the function's whole frame, as the gateway does.
func browse(t *testing.T, h *web, ctx context.Context, method, path string, headers map[string]string, body string) events.APIGatewayV2HTTPResponse {
	t.Helper()
	e := events.APIGatewayV2HTTPRequest{RawPath: path, Headers: headers, Body: body}
	e.RequestContext.HTTP.Method = method
	payload, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	out, err := page.Handler(stacktest.Open(t, nil).Environment("web"), page.Secure(page.Policy{}, h.routes())).Invoke(ctx, payload)
	if err != nil {
		t.Fatal(err)
	}
	var response events.APIGatewayV2HTTPResponse
	if err := json.Unmarshal(out, &response); err != nil {
		t.Fatal(err)
	}
	return response
}

// TestPagesAreSecured: what every answer says, whether there is a page or not.
func TestPagesAreSecured(t *testing.T) {
	t.Parallel()
	h := &web{api: &API{}}
	for path, want := range map[string]int{"/": http.StatusSeeOther, "/app": http.StatusOK, "/app/nowhere": http.StatusNotFound} {
		r := browse(t, h, t.Context(), http.MethodGet, path, nil, "")
		if r.StatusCode != want {
			t.Errorf("%s: status %d, want %d", path, r.StatusCode, want)
		}
		for name, value := range map[string]string{
			"content-security-policy": "default-src 'none'", "referrer-policy": "no-referrer", "cache-control": "no-store", "x-content-type-options": "nosniff",
		} {
			if !strings.HasPrefix(r.Headers[name], value) {
				t.Errorf("%s: %s is %q", path, name, r.Headers[name])
			}
		}
		for _, inline := range []string{" style=", "<style", "<script>", " onclick="} {
			if strings.Contains(r.Body, inline) {
				t.Errorf("%s has %s, which its policy forbids", path, inline)
			}
		}
	}
}

// TestFormsOfOtherOriginsAreRefused: a browser says where a form is from.
func TestFormsOfOtherOriginsAreRefused(t *testing.T) {
	t.Parallel()
	h := &web{api: &API{}}
	for site, want := range map[string]int{"cross-site": http.StatusForbidden, "same-site": http.StatusForbidden, "same-origin": http.StatusNotFound} {
		if r := browse(t, h, t.Context(), http.MethodPost, "/app/nowhere", map[string]string{"sec-fetch-site": site}, "a=b"); r.StatusCode != want {
			t.Errorf("%s: status %d, want %d", site, r.StatusCode, want)
		}
	}
}

// TestAssetsAreCachedForEver: each is served under the hash of its content, compressed, and small.
func TestAssetsAreCachedForEver(t *testing.T) {
	t.Parallel()
	h := &web{api: &API{}}
	for name, most := range map[string]int{"style.css": 20 << 10, "app.js": 15 << 10} {
		r := browse(t, h, t.Context(), http.MethodGet, page.Asset(name), map[string]string{"accept-encoding": "br, gzip"}, "")
		if r.StatusCode != http.StatusOK || r.Headers["content-encoding"] != "gzip" || !strings.Contains(r.Headers["cache-control"], "immutable") {
			t.Errorf("%s: %d %v", name, r.StatusCode, r.Headers)
		}
		if n := len(r.Body) * 3 / 4; n > most {
			t.Errorf("%s has %d bytes compressed; the budget is %d", name, n, most)
		}
	}
}

// TestTheTemplatesFitTogether finds a part that does not exist, which otherwise the first reader of the page would.
func TestTheTemplatesFitTogether(t *testing.T) {
	t.Parallel()
	if err := pages.Check(); err != nil {
		t.Error(err)
	}
}
