package api_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/domain/rating"
	"milepost/internal/api"
	"milepost/internal/api/quota"
	"milepost/internal/log/eventstore"
	"milepost/internal/platform"
	"milepost/internal/quotes/quotestore"
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
		"a problem is itself":                    {api.NewProblem(404, "not-found", "No such quote", "Look elsewhere."), 404, "not-found", 0},
		"also under other errors":                {fmt.Errorf("read: %w", api.NewProblem(404, "not-found", "No such quote", "")), 404, "not-found", 0},
		"what is not JSON":                       {&schemas.Malformed{Err: errors.New("unexpected end")}, 400, "malformed", 0},
		"what does not fit":                      {&schemas.Invalid{Violations: []schemas.Violation{{Pointer: "/a", Detail: "b"}, {Pointer: "/c", Detail: "d"}}}, 422, "invalid-body", 2},
		"what cannot be quoted":                  {&quote.InvalidRequest{Codes: []rating.Code{rating.UnsupportedTerm, rating.DriverTooYoung}}, 422, "not-quotable", 2},
		"an id that stands twice":                {&quote.RepeatedID{ID: "D1"}, 422, "repeated-id", 0},
		"a text with a bell":                     {&quote.IllegibleText{Pointer: "/text"}, 422, "illegible-text", 1},
		"a zone that is nowhere":                 {&quote.UnknownTimeZone{Name: secret}, 422, "unknown-time-zone", 0},
		"no such quote":                          {&quotestore.NotFound{QuoteID: secret}, 404, "not-found", 0},
		"a version that has passed":              {&quotestore.VersionMismatch{Want: 3, Have: 4}, 412, "version-mismatch", 0},
		"a quote that is closed":                 {&quote.NotOpen{Status: quote.StatusExpired}, 409, "not-open", 0},
		"a quote without an offer":               {&quote.NotOffered{Status: quote.StatusReferred}, 409, "not-offered", 0},
		"an offer with conditions":               {&quote.Conditional{Conditions: []rating.Condition{rating.HistoryPending}}, 409, "conditional", 0},
		"a policy that has begun":                {&quote.EffectiveDatePassed{EffectiveDate: civil.NewDate(2026, 11, 30), On: civil.NewDate(2026, 12, 28)}, 409, "effective-date-passed", 1},
		"a quote without a referral":             {&quote.NotReferred{Status: quote.StatusQuoted}, 409, "not-referred", 0},
		"a customer who comes too often at once": {&quota.Contended{Err: errors.New(secret)}, 503, "busy", 0},
		"a revision of the past":                 {&quote.Superseded{Revision: 1, Current: 2}, 409, "superseded", 0},
		"a revision that never was":              {&quote.NoSuchRevision{Revision: 9}, 409, "no-such-revision", 0},
		"an event that never was":                {&quote.NoSuchEvent{Version: 9, Have: 4}, 422, "no-such-event", 0},
		"an event that must stand":               {&quote.NotReversible{Version: 1, Type: quote.TypeQuoteRequested}, 409, "not-reversible", 0},
		"an event undone before":                 {&quote.AlreadyReversed{Version: 5, By: 6}, 409, "already-reversed", 0},
		"an event others rest on":                {&quote.DependedOn{Events: []quote.Entry{{Version: 5, Type: quote.TypeQuoteAccepted}, {Version: 6}}}, 409, "depended-on", 2},
		"a lost race is our fault":               {&eventstore.VersionConflict{StreamID: secret}, 500, "internal", 0},
		"whatever else is our fault":             {errors.New(secret), 500, "internal", 0},
		"a late refusal is our fault":            {&quote.FactMissing{Fact: quote.FactVehicles}, 500, "internal", 0},
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
				t.Errorf("the answer reveals internals: %s", r.Body)
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
		"scopes in a list":                          {request(map[string]string{"sub": "ann", "scope": "[quotes staff]"}), 0, true, true},
		"scp where there is no scope":               {request(map[string]string{"sub": "ann", "scp": "staff"}), 0, true, true},
		"scp beside scope is not read":              {request(map[string]string{"sub": "ann", "scope": "quotes", "scp": "staff"}), 0, true, false},
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

func TestBodies(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		body   string
		base64 bool
		media  string
		status int // 0 when the body is taken
		kind   string
	}{
		"what fits is decoded":              {`{"reason":"found another"}`, false, "application/json", 0, ""},
		"a charset may be named":            {`{"reason":"found another"}`, false, "application/json; charset=utf-8", 0, ""},
		"a byte order mark is skipped":      {"\ufeff" + `{"reason":"found another"}`, false, "application/json", 0, ""},
		"a body in base64 is decoded":       {base64.StdEncoding.EncodeToString([]byte(`{"reason":"x"}`)), true, "application/json", 0, ""},
		"gzip":                              {base64.StdEncoding.EncodeToString([]byte("\x1f\x8b\x08")), true, "application/json", 415, "compressed"},
		"Latin-1":                           {base64.StdEncoding.EncodeToString([]byte("{\"reason\":\"caf\xe9\"}")), true, "application/json", 400, "not-utf8"},
		"text that was decoded wrongly":     {"{\"reason\":\"caf\ufffd\"}", false, "application/json", 400, "not-utf8"},
		"another media type":                {`{}`, false, "text/plain", 415, "not-json"},
		"no media type":                     {`{}`, false, "", 415, "not-json"},
		"no JSON":                           {`{`, false, "application/json", 400, "malformed"},
		"a body of a megabyte":              {`"` + strings.Repeat("x", 1<<20) + `"`, false, "application/json", 413, "too-large"},
		"seventeen levels":                  {strings.Repeat("[", 17), false, "application/json", 400, "too-deep"},
		"brackets in a string are no level": {`{"reason":"` + strings.Repeat("[", 100) + `"}`, false, "application/json", 0, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var body struct{ Reason string }
			err := api.DecodeBody(events.APIGatewayV2HTTPRequest{
				Body: test.body, IsBase64Encoded: test.base64, Headers: map[string]string{"content-type": test.media},
			}, "Withdrawal", &body)
			if test.status == 0 {
				if err != nil || body.Reason == "" {
					t.Errorf("Reason=%q error=%v", body.Reason, err)
				}
				return
			}
			r, _ := api.Respond(err)
			if p := mustProblem(t, r); err == nil || p.Status != test.status || p.Type != "/problems/"+test.kind {
				t.Errorf("error=%v, want %d %s", err, test.status, test.kind)
			}
		})
	}
}

func TestIfMatch(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		header  string
		guarded bool
		version int
		status  int // 0 when the header is taken
	}{
		"the tag that the API returned":          {api.ETag(4), true, 4, 0},
		"any version":                            {"*", true, 0, 0},
		"no tag where none is needed":            {"", false, 0, 0},
		"a tag where none is needed":             {`"4"`, false, 4, 0},
		"no tag where one is needed":             {"", true, 0, 428},
		"a number that is no tag":                {"4", true, 0, 400},
		"a weak tag":                             {`W/"4"`, true, 0, 400},
		"a list":                                 {`"3", "4"`, true, 0, 400},
		"a version that never was":               {`"0"`, true, 0, 400},
		"a number written otherwise":             {`"+4"`, true, 0, 400},
		"a number with a zero before it":         {`"04"`, true, 0, 400},
		"a tag in other quotes":                  {"`4`", true, 0, 400},
		"what is not a number":                   {`"four"`, true, 0, 400},
		"nonsense also where no tag is required": {"four", false, 0, 400},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			version, err := api.IfMatch(events.APIGatewayV2HTTPRequest{Headers: map[string]string{"if-match": test.header}}, test.guarded)
			status := 0
			if p, ok := errors.AsType[*api.Problem](err); ok {
				status = p.Status
			}
			if version != test.version || status != test.status {
				t.Errorf("version=%d error=%v, want %d and status %d", version, err, test.version, test.status)
			}
		})
	}
}
