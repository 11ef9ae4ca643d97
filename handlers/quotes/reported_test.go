package quotes_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/handlers/project"
	"milepost/handlers/quotes"
	"milepost/internal/stacktest"
)

// TestNoCustomerIsToldWhatAReportHolds goes through the examples: in no answer to a customer, nor to an employee who is
// the customer, is anything of a report that they did not declare.
func TestNoCustomerIsToldWhatAReportHolds(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	told := 0
	for n, e := range quotetest.Examples(t) {
		if e.Expected.Outcome == "INVALID" {
			continue
		}
		id := quoteID(n)
		d.mustQuote(t, id, "ann", e.Commands()...)
		h, err := d.log.Load(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		var secrets []string
		declared, err := json.Marshal(e.Request)
		if err != nil {
			t.Fatal(err)
		}
		for _, driver := range h.Quote.Drivers {
			for _, i := range driver.History.Incidents {
				if !h.Quote.Declared(driver.DriverID, i.Type, i.Date) && !strings.Contains(string(declared), i.Date.String()) {
					secrets = append(secrets, i.Date.String(), quote.AdverseIncident{Type: i.Type, Date: i.Date}.String())
				}
			}
		}
		for _, who := range [][2]string{{"ann", "quotes"}, {"ann", "staff quotes"}} {
			asOf := asking(one, id, who[0], who[1])
			asOf.QueryStringParameters["asOf"] = "4"
			for _, r := range []events.APIGatewayV2HTTPRequest{asking(one, id, who[0], who[1]), asking(explanation, id, who[0], who[1]), asOf} {
				body := d.ask(t, r).Body
				for _, secret := range secrets {
					if strings.Contains(body, secret) {
						t.Errorf("%s, %s: %s is told %q", e.ID, r.RouteKey, who[0], secret)
					}
				}
				if len(secrets) > 0 {
					told++
					if rules := regexp.MustCompile(`"(D01|D02|R01|R02|R03|R04)"`).FindString(body); rules != "" {
						t.Errorf("%s, %s: %s is told that %s fired", e.ID, r.RouteKey, who[0], rules)
					}
				}
			}
		}
		staff := d.ask(t, asking(one, id, "eve", "staff")).Body
		if a := h.Quote.AdverseAction(); a != nil && !strings.Contains(staff, a.Incidents[0].String()) {
			t.Errorf("%s: staff are not told %s: %s", e.ID, a.Incidents[0], staff)
		}
	}
	if told == 0 {
		t.Error("no example has a report that tells more than was declared")
	}
}

// TestEveryReadOfAnEmployeeIsRecorded: who, what, of which quotes, in which request, and nothing of what was read.
func TestEveryReadOfAnEmployeeIsRecorded(t *testing.T) {
	t.Parallel()
	stack := stacktest.Open(t, nil)
	var lines bytes.Buffer
	env := stack.Environment("quotes")
	env.Logger = slog.New(slog.NewJSONHandler(&lines, nil))
	read, err := quotes.New(env)
	if err != nil {
		t.Fatal(err)
	}
	d := newDesk(t)
	d.log = stack.Quotes()
	d.Handler = read
	d.projector = projectorOf(t, stack)
	d.mustQuote(t, quoteID(1), "ann", quotetest.MustExample(t, "E12").Commands()...)
	d.mustQuote(t, quoteID(2), "ann", quotetest.MustExample(t, "E01").Commands()...)
	for _, row := range []struct {
		route, id string
		quotes    []string
	}{
		{one, quoteID(1), []string{quoteID(1)}},
		{explanation, quoteID(1), []string{quoteID(1)}},
		{audit, quoteID(1), []string{quoteID(1)}},
		{list, "ann", []string{quoteID(2), quoteID(1)}},
		{"GET /quotes", "", []string{quoteID(2), quoteID(1)}},
		{one, quoteID(9), nil},
		{list, "nobody", nil},
	} {
		for _, who := range [][2]string{{"eve", "staff"}, {"ann", "quotes"}} {
			lines.Reset()
			r := asking(row.route, row.id, who[0], who[1])
			if row.id == "" {
				r.PathParameters = nil
			}
			r.RequestContext.RequestID = "request-7"
			d.ask(t, r)
			var trail []string
			for line := range strings.Lines(lines.String()) {
				var entry struct {
					Msg, Actor    string
					QuoteID       string   `json:"quote_id"`
					QuoteIDs      []string `json:"quote_ids"`
					CorrelationID string   `json:"correlation_id"`
				}
				if err := json.Unmarshal([]byte(line), &entry); err != nil {
					t.Fatal(err)
				}
				if entry.Msg == "read" {
					if entry.QuoteID != "" {
						entry.QuoteIDs = []string{entry.QuoteID}
					}
					trail = append(trail, fmt.Sprint(entry.Actor, entry.QuoteIDs, entry.CorrelationID))
				}
			}
			var want []string
			if who[0] == "eve" && row.quotes != nil {
				want = []string{fmt.Sprint("eve", row.quotes, "request-7")}
			}
			if !slices.Equal(trail, want) {
				t.Errorf("%s reads %s %s: %q, want %q", who[0], row.route, row.id, trail, want)
			}
			if strings.Contains(lines.String(), quotetest.LastName) {
				t.Errorf("%s: the log has personal data: %s", row.route, lines.String())
			}
		}
	}
}

func projectorOf(t *testing.T, stack *stacktest.Stack) lambda.Handler {
	t.Helper()
	h, err := project.New(stack.Environment("project"))
	if err != nil {
		t.Fatal(err)
	}
	return h
}
