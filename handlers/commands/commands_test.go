package commands_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/domain/rating"
	"milepost/handlers/commands"
	"milepost/internal/api"
	"milepost/internal/log/eventstore"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/stacktest"
	"milepost/schemas"
)

// The routes of the function.
const (
	amend    = "POST /quotes/{quoteId}/amendments"
	accept   = "POST /quotes/{quoteId}/acceptance"
	withdraw = "POST /quotes/{quoteId}/withdrawal"
	decide   = "POST /quotes/{quoteId}/decision"
	reverse  = "POST /quotes/{quoteId}/reversals"
)

// desk is the handler with its log.
type desk struct {
	lambda.Handler
	log *quotestore.Store
}

func newDesk(t *testing.T) desk {
	t.Helper()
	stack := stacktest.Open(t, nil)
	h, err := commands.New(stack.Environment("commands"))
	if err != nil {
		t.Fatal(err)
	}
	return desk{h, stack.Quotes()}
}

func quoteID(n int) string { return fmt.Sprintf("01KXAMPE0000000000000000%02d", n) }

// daysAgo is an example that was requested some days ago.
func daysAgo(t *testing.T, id string, days int) quotetest.Example {
	t.Helper()
	e := quotetest.MustExample(t, id)
	return e.On(e.Request.Today(time.Now()).AddDays(-days))
}

// mustQuote makes a quote of ann's, as far as commands take it, and returns its version.
func (d desk) mustQuote(t *testing.T, quoteID string, given ...quote.Command) int {
	t.Helper()
	version := 0
	for i, c := range given {
		order := quotestore.Order{ID: fmt.Sprintf("given/%s/%d", quoteID, i), At: time.Now().UTC(), Command: c}
		var h quotestore.History
		var err error
		if submit, first := c.(quote.SubmitQuote); first {
			submit.QuoteID, submit.CustomerID = quoteID, "ann"
			order.Command = submit
			h, err = d.log.Create(t.Context(), quoteID, order)
		} else {
			h, err = d.log.Execute(t.Context(), quoteID, order)
		}
		if err != nil {
			t.Fatal(err)
		}
		version = h.Quote.Version
	}
	return version
}

// request is a command as the gateway passes it on, from ann, about version 4, which is an outcome.
func request(route, quoteID, body string, changes ...func(*events.APIGatewayV2HTTPRequest)) events.APIGatewayV2HTTPRequest {
	r := events.APIGatewayV2HTTPRequest{
		RouteKey: route, PathParameters: map[string]string{"quoteId": quoteID}, Body: body,
		Headers: map[string]string{"content-type": "application/json", "if-match": `"4"`},
	}
	r.RequestContext.RequestID = "request-1"
	as("ann", "quotes")(&r)
	for _, change := range changes {
		change(&r)
	}
	return r
}

func as(subject, scope string) func(*events.APIGatewayV2HTTPRequest) {
	return func(r *events.APIGatewayV2HTTPRequest) {
		r.RequestContext.Authorizer = stacktest.Bearer(subject, scope)
	}
}

func header(name, value string) func(*events.APIGatewayV2HTTPRequest) {
	return func(r *events.APIGatewayV2HTTPRequest) { r.Headers[name] = value }
}

func (d desk) send(t *testing.T, r events.APIGatewayV2HTTPRequest) events.APIGatewayV2HTTPResponse {
	t.Helper()
	response := stacktest.MustAnswer(t, d, r)
	schema := "Problem"
	if response.StatusCode == 200 {
		schema = "Quote"
	}
	if err := schemas.ValidateBody(schema, []byte(response.Body)); err != nil {
		t.Errorf("%d %s: %v", response.StatusCode, response.Body, err)
	}
	return response
}

func (d desk) mustHistory(t *testing.T, quoteID string) quotestore.History {
	t.Helper()
	h, err := d.log.Load(t.Context(), quoteID)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func mustBody(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// longer requests the example for twelve months.
func longer(t *testing.T, e quotetest.Example) string {
	t.Helper()
	r := e.Request
	r.TermMonths = 12
	return mustBody(t, r)
}

const decision = `{"approve":true,"reasonCode":"LOSS_FREE_SINCE","text":"No loss since 2024"}`

// undo undoes an event, and others with it.
func undo(version int, also string) string {
	return fmt.Sprintf(`{"version":%d,"also":[%s],"reasonCode":"BY_MISTAKE","text":"It was a mistake"}`, version, also)
}

func TestCommandsAreCarriedOut(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	offer, referral := daysAgo(t, "E01", 0), daysAgo(t, "E20", 0)
	refused := strings.Replace(decision, "true", "false", 1)
	for i, row := range []struct {
		name   string
		given  []quote.Command
		route  string
		body   string
		change func(*events.APIGatewayV2HTTPRequest)
		event  string // appended by the command, and by whom
		actor  string
		says   []string
	}{
		{"an amendment opens a revision", offer.Commands(), amend, longer(t, offer), as("ann", "quotes"), quote.TypeQuoteAmended, "ann", []string{`"status":"REQUESTED"`, `"revision":2`, `"lastVersion":4`, `"termMonths":12`}},
		{"staff amend for a customer", offer.Commands(), amend, longer(t, offer), as("eve", "staff"), quote.TypeQuoteAmended, "eve", []string{`"customerId":"ann"`}},
		{"an offer is accepted", offer.Commands(), accept, "", as("ann", "quotes"), quote.TypeQuoteAccepted, "ann", []string{`"status":"ACCEPTED"`}},
		{"a quote is withdrawn", offer.Commands(), withdraw, `{"reason":"Sold the car"}`, as("ann", "quotes"), quote.TypeQuoteWithdrawn, "ann", []string{`"status":"WITHDRAWN"`}},
		{"a withdrawal needs neither body nor version", offer.Commands(), withdraw, "", func(r *events.APIGatewayV2HTTPRequest) { r.Headers = map[string]string{} }, quote.TypeQuoteWithdrawn, "ann", nil},
		{"any version will do, if the sender says so", offer.Commands(), accept, "", header("if-match", "*"), quote.TypeQuoteAccepted, "ann", nil},
		{"an underwriter approves", referral.Commands(), decide, decision, as("eve", "staff"), quote.TypeReferralApproved, "eve", []string{`"status":"QUOTED"`, `"decision":{"reasonCode":"LOSS_FREE_SINCE"`}},
		{"an outcome is undone", offer.Commands(), reverse, undo(4, ""), as("eve", "staff"), quote.TypeEventReversed, "eve", []string{`"status":"REQUESTED"`}},
		{"an underwriter declines", referral.Commands(), decide, refused, as("eve", "staff"), quote.TypeReferralDeclined, "eve", []string{`"status":"DECLINED"`}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			version := d.mustQuote(t, quoteID(i), row.given...)
			got := d.send(t, request(row.route, quoteID(i), row.body, row.change))
			if got.StatusCode != 200 || got.Headers["etag"] != fmt.Sprintf("%q", fmt.Sprint(version+1)) {
				t.Fatalf("%d %s with etag %s", got.StatusCode, got.Body, got.Headers["etag"])
			}
			for _, text := range row.says {
				if !strings.Contains(got.Body, text) {
					t.Errorf("%s has no %s", got.Body, text)
				}
			}
			if strings.Contains(got.Body, "eve") {
				t.Errorf("the answer names the employee: %s", got.Body)
			}
			h := d.mustHistory(t, quoteID(i))
			last := h.Events[len(h.Events)-1]
			if len(h.Events) != version+1 || last.Type != row.event || last.Metadata.Actor != row.actor || last.Metadata.CorrelationID != "request-1" {
				t.Errorf("%d events, the last is %s by %s of %s", len(h.Events), last.Type, last.Metadata.Actor, last.Metadata.CorrelationID)
			}
		})
	}
}

func TestCommandsThatAreRefusedChangeNothing(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	offer, referral, old := daysAgo(t, "E01", 0), daysAgo(t, "E20", 0), daysAgo(t, "E01", 31)
	const offered, referred, waiting, expired, closed, amended, conditional = 1, 2, 3, 4, 5, 6, 7
	d.mustQuote(t, quoteID(offered), offer.Commands()...)
	d.mustQuote(t, quoteID(referred), referral.Commands()...)
	d.mustQuote(t, quoteID(waiting), offer.Submit())
	d.mustQuote(t, quoteID(expired), old.Commands()...)
	d.mustQuote(t, quoteID(closed), append(offer.Commands(), quote.WithdrawQuote{On: offer.QuoteDate})...)
	request12 := offer.Request
	request12.TermMonths = 12
	d.mustQuote(t, quoteID(amended), append(offer.Commands(), quote.AmendQuote{QuoteDate: offer.QuoteDate, Request: request12})...)
	pending := offer.Histories()
	pending.Drivers[0].Pending = true
	d.mustQuote(t, quoteID(conditional), offer.Submit(), offer.Vehicles(), pending, quote.RateQuote{Revision: 1})

	ann, eve, bob := as("ann", "quotes"), as("eve", "staff"), as("bob", "quotes")
	version := func(n int) func(*events.APIGatewayV2HTTPRequest) {
		return header("if-match", fmt.Sprintf("%q", fmt.Sprint(n)))
	}
	none := func(*events.APIGatewayV2HTTPRequest) {}
	unguarded := func(r *events.APIGatewayV2HTTPRequest) { delete(r.Headers, "if-match") }
	wrongTerm := offer.Request
	wrongTerm.TermMonths = 7
	twice := offer.Request
	twice.Drivers = append(twice.Drivers[:1:1], twice.Drivers[0])
	type change = func(*events.APIGatewayV2HTTPRequest)
	for name, row := range map[string]struct {
		route   string
		quote   int
		body    string
		changes []change
		status  int
		says    string
	}{
		"no token":                                     {accept, offered, "", []change{func(r *events.APIGatewayV2HTTPRequest) { r.RequestContext.Authorizer = nil }}, 401, "no-token"},
		"another's quote is not there":                 {accept, offered, "", []change{bob}, 404, "not-found"},
		"nor for an amendment":                         {amend, offered, longer(t, offer), []change{bob}, 404, "not-found"},
		"nor for a withdrawal":                         {withdraw, offered, "", []change{bob}, 404, "not-found"},
		"a quote that does not exist is not there":     {accept, 99, "", []change{ann}, 404, "not-found"},
		"a customer decides on no referral":            {decide, referred, decision, []change{ann}, 404, "not-found"},
		"a route that is not ours":                     {"POST /quotes/{quoteId}/price", offered, "", nil, 404, "not-found"},
		"an acceptance without a version":              {accept, offered, "", []change{unguarded}, 428, "no-version"},
		"an amendment without a version":               {amend, offered, longer(t, offer), []change{unguarded}, 428, "no-version"},
		"a decision without a version":                 {decide, referred, decision, []change{eve, unguarded}, 428, "no-version"},
		"a version that is no tag":                     {accept, offered, "", []change{header("if-match", "4")}, 400, "bad-version"},
		"a version that has passed":                    {accept, offered, "", []change{version(3)}, 412, `It is at version 4`},
		"a version that never was":                     {accept, offered, "", []change{version(5)}, 412, "version-mismatch"},
		"a withdrawal of a version that has passed":    {withdraw, offered, "", []change{version(3)}, 412, "version-mismatch"},
		"a key that cannot be used":                    {accept, offered, "", []change{header("idempotency-key", "a b")}, 400, "bad-key"},
		"an acceptance of an indicative price":         {accept, referred, "", []change{version(4)}, 409, "It is REFERRED"},
		"an acceptance of no price yet":                {accept, waiting, "", []change{version(1)}, 409, "not-offered"},
		"an acceptance under a condition":              {accept, conditional, "", []change{version(4)}, 409, "HISTORY_PENDING"},
		"an acceptance after the last day":             {accept, expired, "", []change{version(4)}, 409, "It is EXPIRED"},
		"an acceptance of an amendment in work":        {accept, amended, "", []change{version(5)}, 409, "not-offered"},
		"an acceptance of what the amendment replaced": {accept, amended, "", []change{version(4)}, 412, "version-mismatch"},
		"a withdrawal after the last day":              {withdraw, expired, "", []change{version(4)}, 409, "not-open"},
		"an amendment after the last day":              {amend, expired, longer(t, offer), []change{version(4)}, 409, "not-open"},
		"an amendment of what was withdrawn":           {amend, closed, longer(t, offer), []change{version(5)}, 409, "It is WITHDRAWN"},
		"an acceptance of what was withdrawn":          {accept, closed, "", []change{version(5)}, 409, "not-open"},
		"a decision on what is not referred":           {decide, offered, decision, []change{eve}, 409, "not-referred"},
		"a decision after a withdrawal":                {decide, closed, decision, []change{eve, version(5)}, 409, "not-open"},
		"a customer undoes nothing":                    {reverse, offered, undo(4, ""), []change{ann}, 404, "not-found"},
		"a reversal without a version of the quote":    {reverse, offered, undo(4, ""), []change{eve, unguarded}, 428, "no-version"},
		"a reversal of a quote that has changed":       {reverse, offered, undo(4, ""), []change{eve, version(3)}, 412, "version-mismatch"},
		"a reversal of what others rest on":            {reverse, offered, undo(2, ""), []change{eve}, 409, `"errors":[{"version":4,"eventType":"QuoteOffered"`},
		"a reversal of the request":                    {reverse, waiting, undo(1, ""), []change{eve, version(1)}, 409, "Withdraw a quote"},
		"a reversal of an event that never was":        {reverse, offered, undo(5, ""), []change{eve}, 422, "It has no event 5; it is at version 4"},
		"a reversal with an event that never was":      {reverse, offered, undo(4, "9"), []change{eve}, 422, "no-such-event"},
		"a reversal without a reason":                  {reverse, offered, `{"version":4,"text":"x"}`, []change{eve}, 422, "lacks reasonCode"},
		"a reversal of no event":                       {reverse, offered, `{"reasonCode":"X","text":"x"}`, []change{eve}, 422, "lacks version"},
		"an amendment without a body":                  {amend, offered, "", nil, 400, "malformed"},
		"an amendment with an unknown member":          {amend, offered, `{"colour":"red"}`, nil, 422, "invalid-body"},
		"an amendment of another media type":           {amend, offered, longer(t, offer), []change{header("content-type", "text/plain")}, 415, "not-json"},
		"an amendment that cannot be quoted":           {amend, offered, mustBody(t, wrongTerm), nil, 422, "V04_TERM"},
		"an amendment with two drivers of one id":      {amend, offered, mustBody(t, twice), nil, 422, "repeated-id"},
		"a decision without a reason":                  {decide, referred, `{"approve":true,"reasonCode":"X"}`, []change{eve}, 422, "lacks text"},
		"a decision in somebody else's name":           {decide, referred, `{"underwriter":"max",` + decision[1:], []change{eve}, 422, "underwriter"},
		"a withdrawal with an endless reason":          {withdraw, offered, `{"reason":"` + strings.Repeat("x", 501) + `"}`, []change{none}, 422, "at most 500"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := d.mustHistory(t, quoteID(row.quote))
			got := d.send(t, request(row.route, quoteID(row.quote), row.body, row.changes...))
			if got.StatusCode != row.status || !strings.Contains(got.Body, row.says) || got.Headers["content-type"] != "application/problem+json" {
				t.Errorf("%d %.400s, want %d with %q", got.StatusCode, got.Body, row.status, row.says)
			}
			if after := d.mustHistory(t, quoteID(row.quote)); len(after.Events) != len(before.Events) {
				t.Errorf("%d events, want %d", len(after.Events), len(before.Events))
			}
		})
	}
}

func TestACommandUnderAKeyIsCarriedOutOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	e := daysAgo(t, "E01", 0)
	d.mustQuote(t, quoteID(1), e.Commands()...)
	d.mustQuote(t, quoteID(2), e.Commands()...)
	key := header("idempotency-key", "key-1")
	first := d.send(t, request(amend, quoteID(1), longer(t, e), key))
	if first.StatusCode != 200 {
		t.Fatalf("%d %s", first.StatusCode, first.Body)
	}
	// The quote changes before the request is repeated.
	if h, err := d.log.Execute(t.Context(), quoteID(1), quotestore.Order{ID: "rate", At: time.Now(), Command: quote.RateQuote{Revision: 2}}); err != nil || h.Quote.Version != 6 {
		t.Fatalf("Version=%d error=%v", h.Quote.Version, err)
	}
	for name, body := range map[string]string{"as it was": longer(t, e), "with other white space": " " + strings.Replace(longer(t, e), ":", " : ", 1)} {
		if again := d.send(t, request(amend, quoteID(1), body, key)); again.StatusCode != 200 || again.Body != first.Body || again.Headers["etag"] != `"5"` {
			t.Errorf("sent again %s: %d %s\nwant %s", name, again.StatusCode, again.Body, first.Body)
		}
	}
	if h := d.mustHistory(t, quoteID(1)); len(h.Events) != 6 {
		t.Errorf("%d events, want 6", len(h.Events))
	}
	if other := d.send(t, request(amend, quoteID(1), mustBody(t, e.Request), key, header("if-match", "*"))); other.StatusCode != 422 || !strings.Contains(other.Body, "key-reused") {
		t.Errorf("another amendment under the key: %d %s", other.StatusCode, other.Body)
	}
	// The same key is another one for another command, another quote and another caller.
	for name, r := range map[string]events.APIGatewayV2HTTPRequest{
		"another command": request(withdraw, quoteID(1), "", key, header("if-match", "*")),
		"another quote":   request(amend, quoteID(2), longer(t, e), key),
	} {
		if got := d.send(t, r); got.StatusCode != 200 || got.Body == first.Body {
			t.Errorf("%s: %d %s", name, got.StatusCode, got.Body)
		}
	}
	ids := map[string]bool{}
	for _, id := range []string{quoteID(1), quoteID(2)} {
		for _, event := range d.mustHistory(t, id).Events {
			if ids[event.ID] {
				t.Errorf("two events have the id %s", event.ID)
			}
			ids[event.ID] = true
		}
	}
}

func TestWithoutAKeyEveryCommandIsOneOfItsOwn(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	e := daysAgo(t, "E01", 0)
	d.mustQuote(t, quoteID(1), e.Commands()...)
	if first := d.send(t, request(accept, quoteID(1), "")); first.StatusCode != 200 {
		t.Fatalf("%d %s", first.StatusCode, first.Body)
	}
	if stale := d.send(t, request(accept, quoteID(1), "")); stale.StatusCode != 412 {
		t.Errorf("again about the version before: %d %s", stale.StatusCode, stale.Body)
	}
	again := d.send(t, request(accept, quoteID(1), "", header("if-match", `"5"`)))
	if again.StatusCode != 200 || again.Headers["etag"] != `"5"` || !strings.Contains(again.Body, `"status":"ACCEPTED"`) {
		t.Errorf("again about the version as it is: %d %s", again.StatusCode, again.Body)
	}
}

func TestAnEmployeeIsToldWhoChangedTheQuoteMeanwhile(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.mustQuote(t, quoteID(1), daysAgo(t, "E01", 0).Commands()...)
	if first := d.send(t, request(accept, quoteID(1), "")); first.StatusCode != 200 {
		t.Fatalf("%d %s", first.StatusCode, first.Body)
	}
	changed := d.mustHistory(t, quoteID(1)).Events[4]
	want := []api.Change{{Version: 5, EventType: quote.TypeQuoteAccepted, OccurredAt: changed.OccurredAt, Actor: "ann"}}
	for name, c := range map[string]struct {
		caller func(*events.APIGatewayV2HTTPRequest)
		seen   string
		want   []api.Change
	}{
		"an employee, of the version before":   {as("eve", "staff"), `"4"`, want},
		"an employee, of one that never was":   {as("eve", "staff"), `"9"`, nil},
		"the customer, even if they are staff": {as("ann", "quotes staff"), `"4"`, nil},
		"the customer":                         {as("ann", "quotes"), `"4"`, nil},
	} {
		answer := d.send(t, request(withdraw, quoteID(1), "", c.caller, header("if-match", c.seen)))
		var problem api.Problem
		if err := json.Unmarshal([]byte(answer.Body), &problem); err != nil {
			t.Fatal(err)
		}
		if answer.StatusCode != 412 || !reflect.DeepEqual(problem.Meanwhile, c.want) {
			t.Errorf("%s: %d %s, want 412 and meanwhile %v", name, answer.StatusCode, answer.Body, c.want)
		}
	}
}

func TestOfTwoCommandsAboutOneVersionOneIsCarriedOut(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	e := daysAgo(t, "E01", 0)
	for i := range 20 {
		d.mustQuote(t, quoteID(i), e.Commands()...)
		rivals := []events.APIGatewayV2HTTPRequest{request(amend, quoteID(i), longer(t, e)), request(accept, quoteID(i), ""), request(withdraw, quoteID(i), "")}
		statuses := make([]int, len(rivals))
		var wg sync.WaitGroup
		for n, r := range rivals {
			wg.Go(func() { statuses[n] = d.send(t, r).StatusCode })
		}
		wg.Wait()
		count := map[int]int{}
		for _, status := range statuses {
			count[status]++
		}
		if h := d.mustHistory(t, quoteID(i)); count[200] != 1 || count[412] != 2 || len(h.Events) != 5 {
			t.Errorf("round %d: answers %v and %d events, want one 200, two 412 and 5 events", i, statuses, len(h.Events))
		}
	}
}

func TestOneCommandSentTwiceAtOnceIsCarriedOutOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	e := daysAgo(t, "E01", 0)
	d.mustQuote(t, quoteID(1), e.Commands()...)
	bodies := make([]string, 8)
	var wg sync.WaitGroup
	for i := range bodies {
		wg.Go(func() {
			bodies[i] = d.send(t, request(amend, quoteID(1), longer(t, e), header("idempotency-key", "key"))).Body
		})
	}
	wg.Wait()
	for _, body := range bodies {
		if body != bodies[0] || !strings.Contains(body, `"revision":2`) {
			t.Errorf("answers %s\nand %s", bodies[0], body)
		}
	}
	if h := d.mustHistory(t, quoteID(1)); len(h.Events) != 5 {
		t.Errorf("%d events, want 5", len(h.Events))
	}
}

// TestALookupThatComesBetweenIsNotLost: a command without a version wins against whatever else is appended.
func TestALookupThatComesBetweenIsNotLost(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	e := daysAgo(t, "E01", 0)
	d.mustQuote(t, quoteID(1), e.Submit())
	var wg sync.WaitGroup
	for i, c := range []quote.Command{e.Vehicles(), e.Histories()} {
		wg.Go(func() {
			if _, err := d.log.Execute(t.Context(), quoteID(1), quotestore.Order{ID: fmt.Sprint(i), At: time.Now(), Command: c}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Go(func() {
		if got := d.send(t, request(withdraw, quoteID(1), "", header("if-match", "*"))); got.StatusCode != 200 {
			t.Errorf("%d %s", got.StatusCode, got.Body)
		}
	})
	wg.Wait()
	h := d.mustHistory(t, quoteID(1))
	if h.Quote.Status != quote.StatusWithdrawn || len(h.Events) != 4 || h.Quote.Outcome() != rating.Outcome("") {
		t.Errorf("Status=%s after %v", h.Quote.Status, types(h.Events))
	}
}

func types(all []eventstore.Event) (names []string) {
	for _, e := range all {
		names = append(names, e.Type)
	}
	return names
}

// TestEventsAreUndoneTogether: in one step, the newest first, and once under a key.
func TestEventsAreUndoneTogether(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	e := daysAgo(t, "E01", 0)
	d.mustQuote(t, quoteID(1), append(e.Commands(), quote.AcceptQuote{Revision: 1, On: e.QuoteDate})...)
	r := request(reverse, quoteID(1), undo(3, "4,5"), as("eve", "staff"), header("if-match", `"5"`), header("idempotency-key", "key-1"))
	first := d.send(t, r)
	if first.StatusCode != 200 || first.Headers["etag"] != `"8"` || !strings.Contains(first.Body, `"status":"REQUESTED"`) {
		t.Fatalf("%d %s", first.StatusCode, first.Body)
	}
	if again := d.send(t, r); again.Body != first.Body {
		t.Errorf("sent again: %d %s", again.StatusCode, again.Body)
	}
	h := d.mustHistory(t, quoteID(1))
	if len(h.Events) != 8 {
		t.Fatalf("%d events, want 8", len(h.Events))
	}
	for i, version := range []int{5, 4, 3} {
		var got quote.EventReversed
		if err := json.Unmarshal(h.Events[5+i].Data, &got); err != nil {
			t.Fatal(err)
		}
		want := quote.EventReversed{
			QuoteID: quoteID(1), Version: version, EventID: h.Events[version-1].ID, Type: h.Events[version-1].Type,
			ReasonCode: "BY_MISTAKE", Text: "It was a mistake", By: "eve",
		}
		if got != want {
			t.Errorf("event %d: %+v, want %+v", 6+i, got, want)
		}
	}
	for version, status := range map[int]quote.Status{5: quote.StatusAccepted, 6: quote.StatusQuoted, 7: quote.StatusRequested} {
		if then, err := h.AtVersion(version); err != nil || then.Quote.Status != status {
			t.Errorf("at version %d: %s, error=%v, want %s", version, then.Quote.Status, err, status)
		}
	}
}
