package submit_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/handlers/submit"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/stacktest"
)

// desk is the handler with its log.
type desk struct {
	lambda.Handler
	quotes *quotestore.Store
}

func newDesk(t *testing.T) desk {
	t.Helper()
	stack := stacktest.Open(t, nil)
	h, err := submit.New(stack.Environment("submit"))
	if err != nil {
		t.Fatal(err)
	}
	return desk{h, stack.Quotes()}
}

// today is the request of the first example, of today.
func today(t *testing.T) quote.Request {
	t.Helper()
	return quotetest.MustExample(t, "E01").On(civil.DateOf(time.Now().UTC())).Request
}

func mustBody(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// submission is a request as the gateway passes it on.
func submission(body string) events.APIGatewayV2HTTPRequest {
	r := events.APIGatewayV2HTTPRequest{RouteKey: "POST /quotes", Body: body, Headers: map[string]string{"content-type": "application/json"}}
	r.RequestContext.RequestID = "request-1"
	r.RequestContext.Authorizer = stacktest.Bearer("ann", "quotes")
	return r
}

func (d desk) submit(t *testing.T, r events.APIGatewayV2HTTPRequest) events.APIGatewayV2HTTPResponse {
	t.Helper()
	return stacktest.MustAnswer(t, d, r)
}

// mustQuoteID is the quote that an accepted submission made.
func mustQuoteID(t *testing.T, r events.APIGatewayV2HTTPResponse) string {
	t.Helper()
	var body struct{ QuoteID, Status string }
	if err := json.Unmarshal([]byte(r.Body), &body); err != nil || r.StatusCode != 202 || body.Status != "REQUESTED" || r.Headers["location"] != "/quotes/"+body.QuoteID {
		t.Fatalf("StatusCode=%d Body=%s Location=%s", r.StatusCode, r.Body, r.Headers["location"])
	}
	return body.QuoteID
}

// size is how many events the log has.
func (d desk) size(t *testing.T) int {
	t.Helper()
	out, err := d.quotes.Log.DB.Scan(t.Context(), &dynamodb.ScanInput{TableName: &d.quotes.Log.Table})
	if err != nil {
		t.Fatal(err)
	}
	return len(out.Items)
}

func TestASubmissionOpensAQuote(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	before := time.Now().UTC()
	quoteID := mustQuoteID(t, d.submit(t, submission(mustBody(t, today(t)))))
	history, err := d.quotes.Load(t.Context(), quoteID)
	if err != nil || len(history.Events) != 1 {
		t.Fatalf("%d events, error %v", len(history.Events), err)
	}
	stored, q := history.Events, history.Quote
	if q.ID != quoteID || q.CustomerID != "ann" || q.QuoteDate.Sub(q.Request.Today(before)) > 1 || q.QuoteDate.Sub(q.Request.Today(before)) < 0 {
		t.Errorf("Quote=%+v", q)
	}
	if got := mustBody(t, q.Request); got != mustBody(t, today(t)) {
		t.Errorf("Request=%s", got)
	}
	if m := stored[0].Metadata; m.Actor != "ann" || m.CorrelationID != "request-1" || m.CausationID != "" || stored[0].OccurredAt.Before(before) {
		t.Errorf("event=%+v", stored[0])
	}
}

func TestWithoutAKeyEverySubmissionIsANewQuote(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	r := submission(mustBody(t, today(t)))
	if first, second := mustQuoteID(t, d.submit(t, r)), mustQuoteID(t, d.submit(t, r)); first == second {
		t.Errorf("both submissions made %s", first)
	}
}

func TestASubmissionUnderAKeyIsMadeOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	r := submission(mustBody(t, today(t)))
	r.Headers["idempotency-key"] = "key-1"
	first := d.submit(t, r)
	quoteID := mustQuoteID(t, first)

	r.RequestContext.RequestID = "request-2"
	if again := d.submit(t, r); again.StatusCode != first.StatusCode || again.Body != first.Body || again.Headers["location"] != first.Headers["location"] {
		t.Errorf("sent again: %+v, want %+v", again, first)
	}
	r.Body = " " + strings.Replace(r.Body, `"termMonths":6`, `"termMonths": 6`, 1)
	if again := mustQuoteID(t, d.submit(t, r)); again != quoteID {
		t.Errorf("sent again with other white space it is %s", again)
	}
	other := today(t)
	other.TermMonths = 12
	r.Body = mustBody(t, other)
	if refused := d.submit(t, r); refused.StatusCode != 422 || !strings.Contains(refused.Body, "/problems/key-reused") {
		t.Errorf("another request under the key: %d %s", refused.StatusCode, refused.Body)
	}
	r.Body = mustBody(t, today(t))
	r.Headers["idempotency-key"] = "key-2"
	if mustQuoteID(t, d.submit(t, r)) == quoteID {
		t.Error("another key names the same quote")
	}
	r.Headers["idempotency-key"] = "key-1"
	r.RequestContext.Authorizer.JWT.Claims["sub"] = "bob"
	if mustQuoteID(t, d.submit(t, r)) == quoteID {
		t.Error("another customer's key names the same quote")
	}
	if n := d.size(t); n != 3 {
		t.Errorf("%d events, want 3", n)
	}
}

func TestSubmissionsUnderOneKeyAtTheSameTimeMakeOneQuote(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	ids := make([]string, 10)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			r := submission(mustBody(t, today(t)))
			r.Headers["idempotency-key"], r.RequestContext.RequestID = "key", fmt.Sprint("request-", i)
			var body struct{ QuoteID string }
			if err := json.Unmarshal([]byte(d.submit(t, r).Body), &body); err != nil {
				t.Error(err)
			}
			ids[i] = body.QuoteID
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id == "" || id != ids[0] {
			t.Fatalf("quotes %v, want one", ids)
		}
	}
	if n := d.size(t); n != 1 {
		t.Errorf("%d events, want 1", n)
	}
}

func TestACustomerAndAKeyCannotBeTakenForOthers(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	seen := map[string]string{}
	for _, pair := range [][2]string{{"a", "bc"}, {"ab", "c"}, {"1:a", "b"}, {"a", "1:b"}, {"a1", ":b"}} {
		r := submission(mustBody(t, today(t)))
		r.RequestContext.Authorizer.JWT.Claims["sub"], r.Headers["idempotency-key"] = pair[0], pair[1]
		id := mustQuoteID(t, d.submit(t, r))
		if other, taken := seen[id]; taken {
			t.Errorf("%v and %s make the same quote", pair, other)
		}
		seen[id] = fmt.Sprint(pair)
	}
}

func TestBadSubmissionsAreRefusedAndChangeNothing(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	body := mustBody(t, today(t))
	with := func(old, new string) func(*events.APIGatewayV2HTTPRequest) {
		if !strings.Contains(body, old) {
			t.Fatalf("the body has no %s", old)
		}
		return func(r *events.APIGatewayV2HTTPRequest) { r.Body = strings.Replace(body, old, new, 1) }
	}
	header := func(name, value string) func(*events.APIGatewayV2HTTPRequest) {
		return func(r *events.APIGatewayV2HTTPRequest) { r.Headers[name] = value }
	}
	text := func(body string) func(*events.APIGatewayV2HTTPRequest) {
		return func(r *events.APIGatewayV2HTTPRequest) { r.Body = body }
	}
	date := `"dateOfBirth":"` + today(t).Drivers[0].DateOfBirth.String() + `"`
	tests := map[string]struct {
		change func(*events.APIGatewayV2HTTPRequest)
		status int
		says   string
	}{
		"no token":                    {func(r *events.APIGatewayV2HTTPRequest) { r.RequestContext.Authorizer = nil }, 401, "no-token"},
		"a token that names nobody":   {func(r *events.APIGatewayV2HTTPRequest) { delete(r.RequestContext.Authorizer.JWT.Claims, "sub") }, 403, "no-subject"},
		"another media type":          {header("content-type", "text/plain"), 415, "not-json"},
		"no media type":               {func(r *events.APIGatewayV2HTTPRequest) { delete(r.Headers, "content-type") }, 415, "not-json"},
		"a body in base64":            {func(r *events.APIGatewayV2HTTPRequest) { r.IsBase64Encoded = true }, 415, "not-json"},
		"an empty body":               {text(""), 400, "The body is empty."},
		"a body that ends too early":  {text(body[:len(body)-1]), 400, "The body ends too early."},
		"two bodies":                  {text(body + body), 400, "malformed"},
		"a list":                      {text("[]"), 422, "must be of type object"},
		"null":                        {text("null"), 422, "must be of type object"},
		"a megabyte":                  {text(`"` + strings.Repeat("x", 1<<20) + `"`), 413, "too-large"},
		"ten thousand brackets":       {text(strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000)), 400, "too-deep"},
		"ten thousand objects":        {text(strings.Repeat(`{"a":`, 10_000) + "1" + strings.Repeat("}", 10_000)), 400, "too-deep"},
		"a member that nobody knows":  {with(`"state"`, `"stat":"OH","state"`), 422, "stat"},
		"the date of the quote":       {with(`"state"`, `"quoteDate":"2026-01-01","state"`), 422, "quoteDate"},
		"a VIN with a letter O":       {with(`"vin":"1`, `"vin":"O`), 422, "/vehicles/0/vin"},
		"a state that is not offered": {with(`"state":"OH"`, `"state":"NY"`), 422, "V01_STATE_NOT_SUPPORTED"},
		"a term that is not offered":  {with(`"termMonths":6`, `"termMonths":7`), 422, "V04_TERM"},
		"a term with a fraction":      {with(`"termMonths":6`, `"termMonths":6.5`), 422, "/termMonths"},
		"a term with an exponent":     {with(`"termMonths":6`, `"termMonths":1e999999`), 422, "/termMonths"},
		"a birthday to come":          {with(date, `"dateOfBirth":"9999-12-31"`), 422, "F01_BIRTH_FUTURE"},
		"no vehicles":                 {with(`"vehicles":[`, `"vehicles":[],"x":[`), 422, "errors"},
		"a key with a space":          {header("idempotency-key", "a b"), 400, "bad-key"},
		"a key that is no ASCII":      {header("idempotency-key", "é"), 400, "bad-key"},
		"a key of 256 characters":     {header("idempotency-key", strings.Repeat("k", 256)), 400, "bad-key"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := submission(body)
			test.change(&r)
			got := d.submit(t, r)
			if got.StatusCode != test.status || !strings.Contains(got.Body, test.says) || got.Headers["content-type"] != "application/problem+json" {
				t.Errorf("%d %.300s, want %d with %q", got.StatusCode, got.Body, test.status, test.says)
			}
			if len(got.Body) > 16<<10 || strings.Contains(got.Body, quotetest.LastName) || strings.Contains(got.Body, quotetest.LicenseNumber) {
				t.Errorf("the answer has %d bytes: %.300s", len(got.Body), got.Body)
			}
		})
	}
	if n := d.size(t); n != 0 {
		t.Errorf("%d events were appended", n)
	}
}

func TestTwoDriversOfOneIDAreRefused(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	request := today(t)
	request.Drivers = append(request.Drivers, request.Drivers[0])
	if got := d.submit(t, submission(mustBody(t, request))); got.StatusCode != 422 || !strings.Contains(got.Body, "/problems/repeated-id") {
		t.Errorf("%d %s", got.StatusCode, got.Body)
	}
	if n := d.size(t); n != 0 {
		t.Errorf("%d events", n)
	}
}
