package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"milepost/domain/quote"
	"milepost/domain/rating"
	"milepost/internal/api"
	"milepost/internal/eventstore"
	"milepost/internal/platform"
	"milepost/schemas"
)

func mustProblem(t *testing.T, r events.APIGatewayV2HTTPResponse) api.Problem {
	t.Helper()
	if r.Headers["content-type"] != "application/problem+json" {
		t.Errorf("content-type=%q", r.Headers["content-type"])
	}
	if err := schemas.ValidateBody("Problem", []byte(r.Body)); err != nil {
		t.Errorf("%s: %v", r.Body, err)
	}
	var p api.Problem
	if err := json.Unmarshal([]byte(r.Body), &p); err != nil {
		t.Fatal(err)
	}
	if p.Status != r.StatusCode {
		t.Errorf("problem %d in an answer %d", p.Status, r.StatusCode)
	}
	return p
}

func TestErrorsBecomeProblems(t *testing.T) {
	t.Parallel()
	const secret = "SECRET"
	tests := map[string]struct {
		err    error
		status int
		kind   string
		errors int
	}{
		"a problem is itself":         {api.NewProblem(404, "not-found", "No such quote", "Look elsewhere."), 404, "not-found", 0},
		"also under other errors":     {fmt.Errorf("read: %w", api.NewProblem(404, "not-found", "No such quote", "")), 404, "not-found", 0},
		"what is no JSON":             {&schemas.Malformed{Err: errors.New("unexpected end")}, 400, "malformed", 0},
		"what does not fit":           {&schemas.Invalid{Violations: []schemas.Violation{{Pointer: "/a", Detail: "b"}, {Pointer: "/c", Detail: "d"}}}, 422, "invalid-body", 2},
		"what cannot be quoted":       {&quote.InvalidRequest{Codes: []rating.Code{rating.UnsupportedTerm, rating.DriverTooYoung}}, 422, "not-quotable", 2},
		"an id that stands twice":     {&quote.RepeatedID{ID: "D1"}, 422, "repeated-id", 0},
		"a lost race is our fault":    {&eventstore.VersionConflict{StreamID: secret}, 500, "internal", 0},
		"whatever else is our fault":  {errors.New(secret), 500, "internal", 0},
		"a late refusal is our fault": {&quote.FactMissing{Fact: quote.FactVehicles}, 500, "internal", 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := api.Respond(test.err)
			p := mustProblem(t, r)
			if p.Status != test.status || p.Type != "/problems/"+test.kind || len(p.Errors) != test.errors || p.Title == "" {
				t.Errorf("problem=%+v", p)
			}
			if (err != nil) != (test.status >= 500) {
				t.Errorf("error for the log=%v", err)
			}
			if strings.Contains(r.Body, secret) {
				t.Errorf("the answer tells of the inside: %s", r.Body)
			}
		})
	}
}

func TestEveryValidationCodeHasWords(t *testing.T) {
	t.Parallel()
	for _, code := range codes {
		r, _ := api.Respond(&quote.InvalidRequest{Codes: []rating.Code{code}})
		if p := mustProblem(t, r); len(p.Errors) != 1 || p.Errors[0].Code != string(code) || p.Errors[0].Detail == "" {
			t.Errorf("%s: %+v", code, p.Errors)
		}
	}
}

var codes = []rating.Code{
	rating.StateNotSupported, rating.PlanNotEffective, rating.EffectiveDateRange, rating.UnsupportedTerm,
	rating.CoverageNotOffered, rating.RequiredCoverageMissing, rating.UnknownSelection, rating.UnknownValue,
	rating.LimitBelowMinimum, rating.UMBIExceedsBI, rating.UMBIMustEqualBI, rating.CollWithoutComp,
	rating.RentWithoutColl, rating.NoVehicleOrRatedDriver, rating.DriverTooYoung, rating.DriverExclusionNotAllowed,
}

func request(claims map[string]string) events.APIGatewayV2HTTPRequest {
	var r events.APIGatewayV2HTTPRequest
	r.RequestContext.Authorizer = &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{
		JWT: &events.APIGatewayV2HTTPRequestContextAuthorizerJWTDescription{Claims: claims},
	}
	return r
}

func TestCallers(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		request    events.APIGatewayV2HTTPRequest
		status     int
		own, other bool
	}{
		"a customer reads what is theirs":           {request(map[string]string{"sub": "ann", "scope": "quotes"}), 0, true, false},
		"staff read everybody's":                    {request(map[string]string{"sub": "ann", "scope": "quotes staff"}), 0, true, true},
		"a scope that merely begins so is not it":   {request(map[string]string{"sub": "ann", "scope": "staffing"}), 0, true, false},
		"a token without a subject is nobody's":     {request(map[string]string{"scope": "staff"}), 403, false, false},
		"a subject that is endless is nobody's":     {request(map[string]string{"sub": strings.Repeat("a", 201)}), 403, false, false},
		"a request that passed no authorizer fails": {events.APIGatewayV2HTTPRequest{}, 401, false, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			caller, err := api.CallerOf(test.request)
			if test.status != 0 {
				if p, ok := errors.AsType[*api.Problem](err); !ok || p.Status != test.status {
					t.Errorf("error=%v, want a problem %d", err, test.status)
				}
				return
			}
			if err != nil || caller.Subject != "ann" || caller.MayRead("ann") != test.own || caller.MayRead("bob") != test.other {
				t.Errorf("Caller=%+v error=%v", caller, err)
			}
		})
	}
}

func TestHandlerAnswersErrorsAndLogsThoseOfOurOwn(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		err    error
		status int
		level  string
	}{
		"a good answer":         {nil, 200, "INFO"},
		"a fault of the caller": {api.NewProblem(422, "k", "t", "d"), 422, "INFO"},
		"a fault of our own":    {errors.New("the table is gone"), 500, "ERROR"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			env := platform.Environment{Function: "f", Logger: slog.New(slog.NewJSONHandler(&log, nil))}
			h := api.Handler(env, func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
				if test.err != nil {
					return events.APIGatewayV2HTTPResponse{}, test.err
				}
				return api.JSON(200, map[string]string{"a": "b"}, map[string]string{"etag": `"1"`})
			})
			payload, err := h.Invoke(t.Context(), []byte(`{}`))
			if err != nil {
				t.Fatal(err)
			}
			var r events.APIGatewayV2HTTPResponse
			if err := json.Unmarshal(payload, &r); err != nil {
				t.Fatal(err)
			}
			if r.StatusCode != test.status || !strings.Contains(log.String(), `"level":"`+test.level+`"`) || strings.Count(log.String(), "\n") != 1 {
				t.Errorf("StatusCode=%d log=%s", r.StatusCode, log.String())
			}
			if strings.Contains(r.Body, "table") || (test.status == 500) != strings.Contains(log.String(), "the table is gone") {
				t.Errorf("Body=%s log=%s", r.Body, log.String())
			}
		})
	}
}

func TestHandlerRefusesWhatIsNoRequest(t *testing.T) {
	t.Parallel()
	h := api.Handler(platform.Environment{Logger: slog.New(slog.DiscardHandler)}, nil)
	_, err := h.Invoke(t.Context(), []byte(`[]`))
	if _, ok := err.(*platform.BadPayload); !ok {
		t.Errorf("error=%v, want *BadPayload, bare", err)
	}
}

func TestBodyIsText(t *testing.T) {
	t.Parallel()
	body, err := api.Body(events.APIGatewayV2HTTPRequest{Body: "{}"})
	if err != nil || string(body) != "{}" {
		t.Errorf("Body=%q error=%v", body, err)
	}
	_, err = api.Body(events.APIGatewayV2HTTPRequest{Body: "e30=", IsBase64Encoded: true})
	if p, ok := errors.AsType[*api.Problem](err); !ok || p.Status != 415 {
		t.Errorf("error=%v, want a problem 415", err)
	}
}
