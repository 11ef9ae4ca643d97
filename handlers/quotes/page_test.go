package quotes_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"milepost/domain/accident"
	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/handlers/quotes"
	"milepost/internal/stacktest"
	"milepost/schemas"
)

const audit = "GET /quotes/{quoteId}/events"

// maxPayload is how large the answer of a function may be on Lambda.
const maxPayload = 6 << 20

// page requests a page of a quote's audit log.
func (d desk) page(t *testing.T, quoteID, limit, cursor string) (events.APIGatewayV2HTTPResponse, quotes.AuditLog) {
	t.Helper()
	r := asking(audit, quoteID, "eve", "staff")
	r.RawPath = "/quotes/" + quoteID + "/events"
	for name, value := range map[string]string{"limit": limit, "cursor": cursor} {
		if value != "" {
			r.QueryStringParameters[name] = value
		}
	}
	answer := d.ask(t, r)
	payload, err := json.Marshal(answer)
	if err != nil || len(payload) > maxPayload {
		t.Errorf("limit %s, cursor %s: an answer of %d bytes (%v)", limit, cursor, len(payload), err)
	}
	var log quotes.AuditLog
	if err := json.Unmarshal([]byte(answer.Body), &log); err != nil {
		t.Fatal(err)
	}
	return answer, log
}

// pages goes through all pages by their links.
func (d desk) pages(t *testing.T, quoteID, limit string) (all []quotes.AuditEntry, pages int) {
	t.Helper()
	for cursor := ""; ; {
		answer, log := d.page(t, quoteID, limit, cursor)
		if answer.StatusCode != 200 || len(log.Events) == 0 {
			t.Fatalf("limit %s, cursor %s: %d %.300s", limit, cursor, answer.StatusCode, answer.Body)
		}
		if err := schemas.ValidateBody("AuditLog", []byte(answer.Body)); err != nil {
			t.Error(err)
		}
		all, pages = append(all, log.Events...), pages+1
		wanted := ""
		if log.Next != "" {
			wanted = "</quotes/" + quoteID + "/events?cursor=" + log.Next
			if limit != "" {
				wanted += "&limit=" + limit
			}
			wanted += `>; rel="next"`
		}
		if answer.Headers["link"] != wanted {
			t.Errorf("Link=%q, want %q", answer.Headers["link"], wanted)
		}
		if cursor = log.Next; cursor == "" {
			return all, pages
		}
	}
}

// larger is a request with about a number of bytes of incidents, which say nothing new. If quoting is set, its texts
// are of characters that take six bytes each in an answer.
func larger(r quote.Request, bytes int, quoting bool) quote.Request {
	r.Address = &quote.Address{Line1: strings.Repeat("x", 100), City: "Springfield", State: "OH", Zip: "45501"}
	if quoting {
		r.Address.Line1 = strings.Repeat("<", 100)
	}
	d := r.Drivers[0]
	d.Incidents = nil
	for range min(bytes/60, 50) {
		d.Incidents = append(d.Incidents, accident.Incident{Type: accident.NotAtFaultAccident, Date: civil.MustParseDate("2024-05-01")})
	}
	r.Drivers = append([]quote.Driver(nil), r.Drivers...)
	for i := range min(bytes/4000, 19) {
		d.DriverID = fmt.Sprint("X", i)
		r.Drivers = append(r.Drivers, d)
	}
	return r
}

// TestAnAuditLogOfAnySizeIsReadInPages: whatever an event has in it, a page is an answer that a function can return,
// the pages together are the log, and each event is shown as it is now.
func TestAnAuditLogOfAnySizeIsReadInPages(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	c := rand.New(rand.NewPCG(1, 2))
	e := quotetest.MustExample(t, "E01")
	log := quotetest.MustEvents(t, e.Commands()...)
	for n := range 60 {
		log = append(log, quote.QuoteAmended{QuoteID: quotetest.ID, Revision: n + 2, QuoteDate: e.QuoteDate, Request: larger(e.Request, 1<<c.IntN(18), n%2 == 0)})
		if n == 40 {
			log = append(log, quote.EventReversed{QuoteID: quotetest.ID, Version: 3, EventID: "e", Type: "AccidentHistoryRetrieved", ReasonCode: "X", Text: "x", By: "eve"})
		}
	}
	stacktest.MustRecord(t, d.log.Log, quotetest.ID, time.Now().UTC(), log...)
	stored, err := d.log.Load(t.Context(), quotetest.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, limit := range []string{"", "1", "7", "64", "65", "100"} {
		all, pages := d.pages(t, quotetest.ID, limit)
		if len(all) != len(stored.Events) {
			t.Errorf("limit %q: %d events in %d pages, want %d", limit, len(all), pages, len(stored.Events))
			continue
		}
		for i, entry := range all {
			reversedBy := 0
			if entry.Version == 3 {
				reversedBy = 46
			}
			if entry.Version != i+1 || string(entry.Data) != string(stored.Events[i].Data) || entry.ReversedBy != reversedBy {
				t.Errorf("limit %q: entry %d has version %d, reversed by %d", limit, i+1, entry.Version, entry.ReversedBy)
			}
		}
	}
	for _, cursor := range []string{"0", "-1", "x", "1.5", "65", "99999999999999999999"} {
		if answer, _ := d.page(t, quotetest.ID, "", cursor); answer.StatusCode != 400 || !strings.Contains(answer.Body, "bad-cursor") {
			t.Errorf("cursor %s: %d %.300s", cursor, answer.StatusCode, answer.Body)
		}
	}
	for _, limit := range []string{"0", "101", "x"} {
		if answer, _ := d.page(t, quotetest.ID, limit, ""); answer.StatusCode != 400 || !strings.Contains(answer.Body, "bad-limit") {
			t.Errorf("limit %s: %d %.300s", limit, answer.StatusCode, answer.Body)
		}
	}
}

// TestAPageTellsOfAnErasureThatIsOnAnother: an erased quote has no personal data on any of its pages.
func TestAPageTellsOfAnErasureThatIsOnAnother(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.mustQuote(t, quoteID(1), "ann", quotetest.MustExample(t, "E01").Commands()...)
	d.mustQuote(t, quoteID(1), "ann", quote.RecordErasure{Erasure: quote.Erasure{At: time.Now().UTC(), By: "eve", ReasonCode: "X"}})
	all, _ := d.pages(t, quoteID(1), strconv.Itoa(2))
	for _, entry := range all {
		if strings.Contains(string(entry.Data), quotetest.LastName) || entry.Erased != (entry.EventType == quote.TypeQuoteRequested || entry.EventType == quote.TypeAccidentHistoryRetrieved || entry.EventType == quote.TypeVehiclesIdentified) {
			t.Errorf("version %d, %s, erased %v: %s", entry.Version, entry.EventType, entry.Erased, entry.Data)
		}
	}
}
