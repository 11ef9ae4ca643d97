package quotes_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/govalues/decimal"

	"milepost/domain/accident"
	"milepost/domain/notification"
	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/domain/rating"
	"milepost/handlers/project"
	"milepost/handlers/quotes"
	"milepost/internal/log/eventstore"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/quotes/readmodel"
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
		declared, err := json.Marshal(e.Request)
		if err != nil {
			t.Fatal(err)
		}
		var secrets []string
		for _, driver := range h.Quote.Drivers {
			for _, i := range driver.History.Incidents {
				if !strings.Contains(string(declared), i.Date.String()) {
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
				}
				if d := h.Quote.Rating.DeclaredOnly; len(secrets) > 0 && d.Outcome != h.Quote.Rating.Outcome {
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

// told is everything that a customer can read about a quote with these events, apart from answers of providers that did
// not come: its line, itself, its explanation, and every letter.
func told(t *testing.T, list []quote.Event) (q quote.Quote, text string) {
	t.Helper()
	q = quote.Fold(list...)
	at := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	h := quotestore.History{Quote: q}
	for i, e := range list {
		h.Events = append(h.Events, eventstore.Event{Version: i + 1, Type: e.EventType(), OccurredAt: at})
	}
	shown, err := readmodel.ExplainToCustomer(q)
	if err != nil {
		t.Fatal(err)
	}
	p := readmodel.Project(h)
	var letters []notification.Message
	for version := range list {
		for _, n := range notification.For(list, version+1) {
			letters = append(letters, notification.Compose(list, n, notification.Links{Quote: "https://example.com"}))
		}
	}
	all, err := json.Marshal([]any{p.Line(), p.ForCustomer(), shown, letters})
	if err != nil {
		t.Fatal(err)
	}
	return q, string(all)
}

// reports are invented reports on the rated drivers of an example: more or less of what was declared, in other words,
// and something else.
func reports(r *rand.Rand, e quotetest.Example) quote.RecordAccidentHistory {
	c := e.Histories()
	for i := range c.Drivers {
		d := &c.Drivers[i]
		d.ReportID, d.Agency = "report", &quotetest.Agency
		d.History = accident.History{Status: accident.Hit, Incidents: []accident.Incident{}}
		for _, declared := range e.Request.Drivers {
			if declared.DriverID == d.DriverID && r.IntN(2) == 0 {
				d.History.Incidents = slices.Clone(declared.Incidents)
			}
		}
		for range r.IntN(3) {
			d.History.Incidents = append(d.History.Incidents, accident.Incident{
				Type: accident.Types()[r.IntN(len(accident.Types()))], Date: e.QuoteDate.AddDays(-r.IntN(6 * 365)),
				AmountPaid: decimal.MustNew(int64(1000*r.IntN(6)), 0),
			})
		}
		if r.IntN(8) == 0 {
			d.LicenseStatus = accident.LicenseStatuses()[r.IntN(len(accident.LicenseStatuses()))]
		}
	}
	return c
}

// amounts are those of a premium, and in letters.
var amounts = regexp.MustCompile(`"(premium|total|totalPremium|coverageTotal|minimumPremiumAdjustment|assessment)":"[0-9.]+"|\$[0-9.]+\.`)

// TestReportsThatLeadToOnePriceAreToldAlike makes up reports on the drivers of the examples. Whatever two of them
// contain, if they lead to one price and outcome, the customer reads the same, byte for byte; and if they lead to two
// prices that are not that of what was declared, nothing that the customer reads differs but the amounts.
func TestReportsThatLeadToOnePriceAreToldAlike(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 7))
	compared, masked := 0, 0
	for _, e := range quotetest.Examples(t) {
		if e.Expected.Outcome == rating.Invalid {
			continue
		}
		first := map[string]string{}
		for range 60 {
			list := quotetest.MustEvents(t, e.Submit(), e.Vehicles(), reports(r, e), quote.RateQuote{Revision: 1})
			q, text := told(t, list)
			price, err := json.Marshal([]any{q.Rating.Outcome, q.Outcome(), q.Rating.AdverseActionNotice, readmodel.PremiumOf(q.Rating.Price)})
			if err != nil {
				t.Fatal(err)
			}
			if before, ok := first[string(price)]; !ok {
				first[string(price)] = text
			} else if compared++; before != text {
				t.Fatalf("%s: two reports that lead to %s are told apart:\n%s\n%s", e.ID, price, before, text)
			}
			if strings.Contains(text, `"declaredOnly"`) {
				continue
			}
			masked++
			outcome := fmt.Sprint(q.Rating.Outcome, q.Outcome(), q.Rating.AdverseActionNotice)
			text = amounts.ReplaceAllString(text, "$1")
			if before, ok := first[outcome]; !ok {
				first[outcome] = text
			} else if before != text {
				t.Fatalf("%s: two reports that lead to %s are told apart by more than amounts:\n%s\n%s", e.ID, outcome, before, text)
			}
		}
	}
	if compared < 300 || masked < 300 {
		t.Errorf("compared %d pairs and withheld something %d times: too few to say anything", compared, masked)
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
