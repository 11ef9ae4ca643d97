package quotes_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/domain/zone"
	"milepost/handlers/project"
	"milepost/handlers/quotes"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/stacktest"
	"milepost/schemas"
)

// desk is the handler with quotes to read.
type desk struct {
	lambda.Handler
	log       *quotestore.Store
	projector lambda.Handler
}

func newDesk(t *testing.T) desk {
	t.Helper()
	stack := stacktest.Open(t, nil)
	read, err := quotes.New(stack.Environment("quotes"))
	if err != nil {
		t.Fatal(err)
	}
	projector, err := project.New(stack.Environment("project"))
	if err != nil {
		t.Fatal(err)
	}
	return desk{read, stack.Quotes(), projector}
}

// mustQuote brings a quote of a customer as far as commands take it, and projects it.
func (d desk) mustQuote(t *testing.T, quoteID, customer string, commands ...quote.Command) {
	t.Helper()
	for i, c := range commands {
		order := quotestore.Order{ID: fmt.Sprintf("%s/%d/%d", quoteID, time.Now().UnixNano(), i), At: time.Now().UTC(), Command: c}
		var err error
		if submit, first := c.(quote.SubmitQuote); first {
			submit.QuoteID, submit.CustomerID = quoteID, customer
			order.Command = submit
			_, err = d.log.Create(t.Context(), quoteID, order)
		} else {
			_, err = d.log.Execute(t.Context(), quoteID, order)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.projector.Invoke(t.Context(), fmt.Appendf(nil, `{"detail":{"streamId":"quote-%s"}}`, quoteID)); err != nil {
		t.Fatal(err)
	}
}

// asking is a request as the gateway passes it on.
func asking(route, id, subject, scope string) events.APIGatewayV2HTTPRequest {
	name := "quoteId"
	if strings.Contains(route, "customerId") {
		name = "customerId"
	}
	r := events.APIGatewayV2HTTPRequest{
		RouteKey: route, PathParameters: map[string]string{name: id}, Headers: map[string]string{}, QueryStringParameters: map[string]string{},
	}
	r.RequestContext.Authorizer = stacktest.Bearer(subject, scope)
	return r
}

const (
	one         = "GET /quotes/{quoteId}"
	explanation = "GET /quotes/{quoteId}/explanation"
	list        = "GET /customers/{customerId}/quotes"
)

func (d desk) ask(t *testing.T, r events.APIGatewayV2HTTPRequest) events.APIGatewayV2HTTPResponse {
	t.Helper()
	return stacktest.MustAnswer(t, d, r)
}

func quoteID(n int) string { return fmt.Sprintf("01KXAMPE0000000000000000%02d", n) }

func TestWhoMayReadWhat(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.mustQuote(t, quoteID(1), "ann", quotetest.MustExample(t, "E01").Commands()...)
	d.mustQuote(t, quoteID(2), "ann", quotetest.MustExample(t, "E02").Submit())
	tests := map[string]struct {
		request events.APIGatewayV2HTTPRequest
		status  int
		schema  string
		says    string
	}{
		"a customer reads her quote":                        {asking(one, quoteID(1), "ann", "quotes"), 200, "Quote", `"totalPremium":"486.00"`},
		"staff read any quote":                              {asking(one, quoteID(1), "eve", "staff"), 200, "Quote", `"customerId":"ann"`},
		"another customer's quote is not there":             {asking(one, quoteID(1), "bob", "quotes"), 404, "Problem", "not-found"},
		"a quote that is not there is not there":            {asking(one, quoteID(9), "ann", "quotes"), 404, "Problem", "not-found"},
		"a quote that nobody rated is read":                 {asking(one, quoteID(2), "ann", "quotes"), 200, "Quote", `"version":1,"status":"EXPIRED"`},
		"a customer reads her explanation":                  {asking(explanation, quoteID(1), "ann", "quotes"), 200, "Explanation", `"steps":[{"step":"BASE","result":"104.0000"},{"step":"TERRITORY","factor":"1.080","result":"112.3200"}`},
		"staff read any explanation":                        {asking(explanation, quoteID(1), "eve", "staff"), 200, "Explanation", quoteID(1)},
		"another customer's explanation is not there":       {asking(explanation, quoteID(1), "bob", "quotes"), 404, "Problem", "not-found"},
		"no explanation of a quote that is not there":       {asking(explanation, quoteID(9), "ann", "quotes"), 404, "Problem", "not-found"},
		"no explanation of a quote that is not rated yet":   {asking(explanation, quoteID(2), "ann", "quotes"), 409, "Problem", "not-rated"},
		"a customer reads her list":                         {asking(list, "ann", "ann", "quotes"), 200, "QuotePage", quoteID(2)},
		"staff read any list":                               {asking(list, "ann", "eve", "staff"), 200, "QuotePage", quoteID(1)},
		"another customer's list is refused":                {asking(list, "ann", "bob", "quotes"), 403, "Problem", "not-yours"},
		"a list that is empty":                              {asking(list, "bob", "bob", "quotes"), 200, "QuotePage", `{"quotes":[]}`},
		"a list without a customer is refused to customers": {asking(list, "", "bob", "quotes"), 403, "Problem", "not-yours"},
		"a token that names nobody reads nothing":           {asking(list, "", "", "quotes"), 403, "Problem", "no-subject"},
		"a route that is not ours":                          {asking("GET /quotes", "", "ann", "quotes"), 404, "Problem", "not-found"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := d.ask(t, test.request)
			if got.StatusCode != test.status || !strings.Contains(got.Body, test.says) {
				t.Errorf("%d %.400s, want %d with %s", got.StatusCode, got.Body, test.status, test.says)
			}
			if err := schemas.ValidateBody(test.schema, []byte(got.Body)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAReaderWhoHasTheVersionGetsNoBody(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.mustQuote(t, quoteID(1), "ann", quotetest.MustExample(t, "E01").On(civil.DateOf(time.Now().UTC())).Commands()...)
	tag := d.ask(t, asking(one, quoteID(1), "ann", "quotes")).Headers["etag"]
	if tag != `"4"` {
		t.Fatalf("etag=%s, want that of version 4", tag)
	}
	for header, status := range map[string]int{
		`"4"`: 304, `W/"4"`: 304, `*`: 304, `"3", "4"`: 304, `"3",W/"4"`: 304, `"3"`: 200, `4`: 200, ``: 200, `"44"`: 200, `,`: 200,
	} {
		r := asking(one, quoteID(1), "ann", "quotes")
		r.Headers["if-none-match"] = header
		got := d.ask(t, r)
		if got.StatusCode != status || (got.Body == "") != (status == 304) || got.Headers["etag"] != tag {
			t.Errorf("%s: %d with %d bytes, etag %s, want %d", header, got.StatusCode, len(got.Body), got.Headers["etag"], status)
		}
		r.RequestContext.Authorizer.JWT.Claims["sub"] = "bob"
		if got := d.ask(t, r); got.StatusCode != 404 {
			t.Errorf("%s: another customer is told %d", header, got.StatusCode)
		}
	}
}

func TestAListIsReadInPagesOfALimit(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for i := range 5 {
		d.mustQuote(t, quoteID(i), "ann", quotetest.MustExample(t, "E01").Submit())
	}
	d.mustQuote(t, quoteID(8), "bob", quotetest.MustExample(t, "E01").Submit())
	d.mustQuote(t, quoteID(9), "bob", quotetest.MustExample(t, "E01").Submit())
	page := func(customer, limit, cursor string) (status int, lines int, next string) {
		r := asking(list, customer, customer, "quotes")
		if limit != "" {
			r.QueryStringParameters["limit"] = limit
		}
		if cursor != "" {
			r.QueryStringParameters["cursor"] = cursor
		}
		got := d.ask(t, r)
		var body struct {
			Quotes []struct{ QuoteID string }
			Next   string
		}
		if err := json.Unmarshal([]byte(got.Body), &body); err != nil {
			t.Fatal(err)
		}
		for _, line := range body.Quotes {
			if customer == "ann" && line.QuoteID >= quoteID(8) {
				t.Errorf("Ann sees %s", line.QuoteID)
			}
		}
		return got.StatusCode, len(body.Quotes), body.Next
	}
	_, lines, next := page("ann", "3", "")
	if lines != 3 || next == "" {
		t.Fatalf("%d lines, next %q", lines, next)
	}
	if _, lines, next := page("ann", "3", next); lines != 2 || next != "" {
		t.Errorf("the second page has %d lines, next %q", lines, next)
	}
	_, _, bobs := page("bob", "1", "")
	if status, _, _ := page("ann", "", bobs); status != 200 {
		t.Errorf("Bob's cursor: %d", status)
	}
	for _, limit := range []string{"0", "-1", "101", "1.5", "x", " 1", "99999999999999999999"} {
		if status, _, _ := page("ann", limit, ""); status != 400 {
			t.Errorf("limit %q: %d, want 400", limit, status)
		}
	}
	if status, _, _ := page("ann", "", "%%%"); status != 400 {
		t.Errorf("a cursor that is not one: %d, want 400", status)
	}
}

// asOf requests a quote as it was.
func (d desk) asOf(t *testing.T, quoteID, subject, scope, asOf string) events.APIGatewayV2HTTPResponse {
	t.Helper()
	r := asking(one, quoteID, subject, scope)
	r.QueryStringParameters["asOf"] = asOf
	return d.ask(t, r)
}

func TestAPastStateIsShownByVersionAndByTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := quotetest.MustExample(t, "E01").On(civil.MustParseDate("2026-05-01"))
		time.Sleep(time.Until(e.QuoteDate.In(zone.Of(e.Request.State))))
		d := newDesk(t)
		longer := e.Request
		longer.TermMonths = 12
		commands := append(e.Commands(), quote.AmendQuote{QuoteDate: e.QuoteDate, Request: longer}, quote.RateQuote{Revision: 2}, quote.WithdrawQuote{On: e.QuoteDate})
		requested := time.Now()
		var bodies, tags []string
		for i := range commands {
			d.mustQuote(t, quoteID(1), "ann", commands[i:i+1]...)
			shown := d.ask(t, asking(one, quoteID(1), "ann", "quotes"))
			bodies, tags = append(bodies, shown.Body), append(tags, shown.Headers["etag"])
			time.Sleep(time.Minute)
		}
		for i, body := range bodies {
			at := requested.Add(time.Duration(i)*time.Minute + 59*time.Second)
			for _, asOf := range []string{fmt.Sprint(i + 1), at.Format(time.RFC3339), at.Add(time.Millisecond).Format(time.RFC3339Nano), at.In(time.FixedZone("", -5*3600)).Format(time.RFC3339)} {
				for _, who := range [][2]string{{"ann", "quotes"}, {"eve", "staff"}} {
					if got := d.asOf(t, quoteID(1), who[0], who[1], asOf); got.StatusCode != 200 || got.Body != body || got.Headers["etag"] != tags[i] {
						t.Errorf("%s asOf=%s: %d %s\nwant %s", who[0], asOf, got.StatusCode, got.Body, body)
					}
				}
			}
		}
		for asOf, want := range map[string]struct {
			status int
			kind   string
		}{
			"8":                    {404, "not-yet"},
			"99999999999999999999": {400, "bad-as-of"},
			"0":                    {400, "bad-as-of"},
			"-1":                   {400, "bad-as-of"},
			"":                     {400, "bad-as-of"},
			"yesterday":            {400, "bad-as-of"},
			"2026-05-01":           {400, "bad-as-of"},
			time.Now().Add(time.Second).Format(time.RFC3339): {400, "bad-as-of"},
			requested.Add(-time.Second).Format(time.RFC3339): {404, "not-yet"},
		} {
			if got := d.asOf(t, quoteID(1), "ann", "quotes", asOf); got.StatusCode != want.status || !strings.Contains(got.Body, want.kind) {
				t.Errorf("asOf=%s: %d %s, want %d %s", asOf, got.StatusCode, got.Body, want.status, want.kind)
			}
		}
		for _, asOf := range []string{"1", "yesterday", "99"} {
			if got := d.asOf(t, quoteID(1), "bob", "quotes", asOf); got.StatusCode != 404 || !strings.Contains(got.Body, "not-found") {
				t.Errorf("asOf=%s for another customer: %d %s", asOf, got.StatusCode, got.Body)
			}
		}
	})
}

func TestAQuoteExpiresByItsDate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := quotetest.MustExample(t, "E01").On(civil.MustParseDate("2026-05-01"))
		time.Sleep(time.Until(e.QuoteDate.In(zone.Of(e.Request.State))))
		d := newDesk(t)
		d.mustQuote(t, quoteID(1), "ann", e.Commands()...)
		shown := func() string {
			var q, l struct {
				Status string
				Quotes []struct{ Status string }
			}
			r := asking(one, quoteID(1), "ann", "quotes")
			r.Headers["if-none-match"] = `"3"`
			for v, r := range map[any]events.APIGatewayV2HTTPRequest{&q: r, &l: asking(list, "ann", "ann", "quotes")} {
				if err := json.Unmarshal([]byte(d.ask(t, r).Body), v); err != nil {
					t.Fatal(err)
				}
			}
			return q.Status + " " + l.Quotes[0].Status
		}
		time.Sleep(31*24*time.Hour - time.Second)
		lastSecond := time.Now()
		if got := shown(); got != "QUOTED QUOTED" {
			t.Errorf("in the last second: %s", got)
		}
		time.Sleep(time.Second)
		if got := shown(); got != "EXPIRED EXPIRED" {
			t.Errorf("a second later: %s", got)
		}
		r := asking(one, quoteID(1), "ann", "quotes")
		r.Headers["if-none-match"] = `"4"`
		if got := d.ask(t, r); got.StatusCode != 200 {
			t.Errorf("a reader who has seen the offer is told %d, want what it is now", got.StatusCode)
		}
		for asOf, want := range map[string]string{
			"4": `"status":"QUOTED"`, lastSecond.Format(time.RFC3339): `"status":"QUOTED"`, time.Now().Format(time.RFC3339): `"status":"EXPIRED"`,
		} {
			if got := d.asOf(t, quoteID(1), "ann", "quotes", asOf); !strings.Contains(got.Body, want) {
				t.Errorf("asOf=%s: %s, want %s", asOf, got.Body, want)
			}
		}
	})
}

func TestTheAuditLogIsForStaff(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	e := quotetest.MustExample(t, "E01")
	d.mustQuote(t, quoteID(1), "ann", e.Commands()...)
	got := d.ask(t, asking(audit, quoteID(1), "eve", "staff"))
	if got.StatusCode != 200 {
		t.Fatalf("%d %s", got.StatusCode, got.Body)
	}
	if err := schemas.ValidateBody("AuditLog", []byte(got.Body)); err != nil {
		t.Error(err)
	}
	var log quotes.AuditLog
	if err := json.Unmarshal([]byte(got.Body), &log); err != nil {
		t.Fatal(err)
	}
	h, err := d.log.Load(t.Context(), quoteID(1))
	if err != nil || len(log.Events) != len(h.Events) || log.QuoteID != quoteID(1) {
		t.Fatalf("%d entries of %s, error=%v", len(log.Events), log.QuoteID, err)
	}
	for i, entry := range log.Events {
		stored := h.Events[i]
		if entry.Version != i+1 || entry.EventID != stored.ID || entry.EventType != stored.Type || entry.CommandID != stored.Metadata.CommandID ||
			!entry.OccurredAt.Equal(stored.OccurredAt) || string(entry.Data) != string(stored.Data) {
			t.Errorf("entry %+v\nwant %+v", entry, stored)
		}
	}
	for name, r := range map[string]events.APIGatewayV2HTTPRequest{
		"the customer":              asking(audit, quoteID(1), "ann", "quotes"),
		"staff, of no quote at all": asking(audit, quoteID(9), "eve", "staff"),
	} {
		if got := d.ask(t, r); got.StatusCode != 404 || strings.Contains(got.Body, quotetest.LastName) {
			t.Errorf("%s: %d %s", name, got.StatusCode, got.Body)
		}
	}
}

// TestAnEarlierRevisionIsExplained: asOf means the same for an explanation as for the quote.
func TestAnEarlierRevisionIsExplained(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	e := quotetest.MustExample(t, "E01").On(civil.DateOf(time.Now().UTC()))
	longer := e.Request
	longer.TermMonths = 12
	var bodies []string
	for _, c := range append(e.Commands(), quote.AmendQuote{QuoteDate: e.QuoteDate, Request: longer}, quote.RateQuote{Revision: 2}) {
		d.mustQuote(t, quoteID(1), "ann", c)
		bodies = append(bodies, d.ask(t, asking(explanation, quoteID(1), "ann", "quotes")).Body)
	}
	for i, body := range bodies {
		r := asking(explanation, quoteID(1), "ann", "quotes")
		r.QueryStringParameters["asOf"] = fmt.Sprint(i + 1)
		if got := d.ask(t, r); got.Body != body {
			t.Errorf("asOf=%d: %.300s, want %.300s", i+1, got.Body, body)
		}
	}
	if bodies[3] == bodies[5] || !strings.Contains(bodies[3], `"revision":1`) || !strings.Contains(bodies[5], `"revision":2`) {
		t.Errorf("the revisions are explained alike: %.200s, %.200s", bodies[3], bodies[5])
	}
	for asOf, want := range map[string]string{"7": "not-yet", "x": "bad-as-of", "0": "bad-as-of"} {
		r := asking(explanation, quoteID(1), "ann", "quotes")
		r.QueryStringParameters["asOf"] = asOf
		if got := d.ask(t, r); !strings.Contains(got.Body, want) {
			t.Errorf("asOf=%s: %s, want %s", asOf, got.Body, want)
		}
	}
}
