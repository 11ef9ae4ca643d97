package web

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"milepost/internal/session"
	"milepost/internal/stacktest"
	"milepost/schemas"
)

// TestEveryRouteOfTheAPIHasItsFunction compares the functions that pages know with those behind the template's routes.
func TestEveryRouteOfTheAPIHasItsFunction(t *testing.T) {
	t.Parallel()
	loaded := stacktest.Template(t)
	variables := map[string]any{} // of web, by name
	for _, r := range loaded.OfType("AWS::Lambda::Function") {
		if r.Properties["Handler"] == "web" {
			environment, _ := r.Properties["Environment"].(map[string]any)
			variables, _ = environment["Variables"].(map[string]any)
		}
	}
	routed := map[string]bool{}
	for _, r := range loaded.OfType("AWS::ApiGatewayV2::Api") {
		if r.IsWebSocketAPI() {
			continue
		}
		api, err := r.HTTPAPI()
		if err != nil {
			t.Fatal(err)
		}
		for _, route := range api.Routes {
			key := route.Method + " " + route.Path
			routed[key] = true
			function, ok := functions[key]
			if !ok {
				continue // pages do not call it
			}
			if name, _ := variables[function].(string); name == "" || !strings.HasSuffix(route.FunctionARN, ":"+name) {
				t.Errorf("%s is behind %s, and pages call %s=%v", key, route.FunctionARN, function, variables[function])
			}
		}
	}
	for route := range functions {
		if !routed[route] {
			t.Errorf("the template has no route %s", route)
		}
	}
}

// TestScopesAreThoseOfTheGateway calls each route as nobody, and as somebody with a scope that no route takes: neither
// reaches a function.
func TestScopesAreThoseOfTheGateway(t *testing.T) {
	t.Parallel()
	for route := range functions {
		scopes, err := schemas.Scopes(route)
		if err != nil {
			t.Fatal(err)
		}
		api := &API{Functions: map[string]string{route: "f"}}
		for want, ctx := range map[int]context.Context{
			http.StatusUnauthorized: t.Context(),
			http.StatusForbidden:    session.With(t.Context(), session.Session{Subject: "ada", Scopes: []string{"other"}}),
		} {
			if len(scopes) == 0 {
				continue
			}
			r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/app", nil)
			_, err := api.Call(r, Request{Route: route})
			if p, ok := errors.AsType[*Problem](err); !ok || p.Status != want {
				t.Errorf("%s: %v, want status %d", route, err, want)
			}
		}
	}
}

// TestTheAPIAnswersAsItDoesToAClient calls the real functions in the local runtime.
func TestTheAPIAnswersAsItDoesToAClient(t *testing.T) {
	t.Parallel()
	h := opened(t)
	ctx := session.With(t.Context(), session.Session{Subject: "ada", Scopes: []string{"quotes"}})
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/app", nil)
	var options struct{ Offering struct{ Packages []any } }
	if _, err := h.api.Get(r, Request{Route: "GET /options", Query: url.Values{"state": {"OH"}}}, &options); err != nil || len(options.Offering.Packages) != 3 {
		t.Errorf("%d packages, %v", len(options.Offering.Packages), err)
	}
	_, err := h.api.Call(r, Request{Route: "POST /quotes", Body: map[string]any{"state": "OH"}})
	p, ok := errors.AsType[*Problem](err)
	if !ok || p.Status != http.StatusUnprocessableEntity || p.Kind() != "invalid-body" || len(p.Errors) == 0 || p.Errors[0].Detail == "" {
		t.Errorf("a quote without drivers: %v", err)
	}
	_, err = h.api.Call(r, Request{Route: "GET /quotes/{quoteId}", Path: map[string]string{"quoteId": "01ARZ3NDEKTSV4RRFFQ69G5FAV"}})
	if p, ok := errors.AsType[*Problem](err); !ok || p.Status != http.StatusNotFound {
		t.Errorf("a quote that is not there: %v", err)
	}
}
