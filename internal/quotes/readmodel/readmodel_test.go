package readmodel_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/domain/rating"
	"milepost/domain/zone"
	"milepost/internal/log/eventstore"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/quotes/readmodel"
	"milepost/internal/stacktest"
	"milepost/schemas"
)

// newStore is a Store with the rights of the function that projects and the one that reads.
func newStore(t *testing.T) (write, read *readmodel.Store) {
	t.Helper()
	stack := stacktest.Open(t, nil)
	return stack.Of("project").Projections(), stack.Of("quotes").Projections()
}

var requestedAt = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// histories are what a quote looked like after each of its events.
func histories(t *testing.T, id string) []quotestore.History {
	t.Helper()
	var all []quotestore.History
	var h quotestore.History
	for i, e := range quotetest.MustEvents(t, quotetest.MustExample(t, id).Commands()...) {
		h.Quote = quote.Evolve(h.Quote, e)
		h.Events = append(slices.Clone(h.Events), eventstore.Event{Version: i + 1, OccurredAt: requestedAt.Add(time.Duration(i) * time.Second)})
		all = append(all, h)
	}
	return all
}

// projections are those of one quote, from the oldest.
func projections(t *testing.T, example, quoteID string) []readmodel.Projection {
	t.Helper()
	var all []readmodel.Projection
	for _, h := range histories(t, example) {
		p := readmodel.Project(h)
		p.QuoteID = quoteID
		all = append(all, p)
	}
	return all
}

func mustPut(t *testing.T, s *readmodel.Store, p readmodel.Projection) {
	t.Helper()
	if err := s.Put(t.Context(), p); err != nil {
		t.Fatal(err)
	}
}

func mustGet(t *testing.T, s *readmodel.Store, quoteID string) readmodel.Projection {
	t.Helper()
	p, ok, err := s.Get(t.Context(), quoteID)
	if err != nil || !ok {
		t.Fatalf("quote %s: there=%v error=%v", quoteID, ok, err)
	}
	return p
}

func mustList(t *testing.T, s *readmodel.Store, customer, cursor string, limit int) readmodel.Page {
	t.Helper()
	page, err := s.List(t.Context(), customer, cursor, limit)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// mustJSON is how a value looks to a reader.
func mustJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestProjectionsFitTheAPI(t *testing.T) {
	t.Parallel()
	for _, e := range quotetest.Examples(t) {
		if e.Expected.Outcome == rating.Invalid {
			continue
		}
		t.Run(e.ID, func(t *testing.T) {
			t.Parallel()
			for _, h := range histories(t, e.ID) {
				p := readmodel.Project(h)
				if err := schemas.ValidateBody("Quote", []byte(mustJSON(t, p))); err != nil {
					t.Errorf("version %d: %v", p.Version, err)
				}
				if h.Quote.Rating != nil {
					explained, err := readmodel.Explain(h.Quote)
					if err != nil {
						t.Fatal(err)
					}
					if err := schemas.ValidateBody("Explanation", []byte(mustJSON(t, explained))); err != nil {
						t.Errorf("version %d: %v", p.Version, err)
					}
				}
				page := readmodel.Page{Quotes: []readmodel.Line{p.Line()}}
				if err := schemas.ValidateBody("QuotePage", []byte(mustJSON(t, page))); err != nil {
					t.Errorf("version %d: %v", p.Version, err)
				}
				if strings.Contains(mustJSON(t, p), quotetest.LastName) || strings.Contains(mustJSON(t, p), h.Quote.Request.Vehicles[0].VIN) {
					t.Errorf("the projection names a person or a car: %s", mustJSON(t, p))
				}
			}
		})
	}
}

func TestProjectionOfACorrection(t *testing.T) {
	t.Parallel()
	events := quotetest.MustEvents(t, quotetest.MustExample(t, "E01").Commands()...)
	events[3] = quotetest.Misrated(t, events[3], 14)
	for name, row := range map[string]struct {
		before []quote.Event
		total  string
		review bool
	}{
		"an offer costs what is right":     {nil, "486.00", false},
		"an acceptance what was accepted":  {[]quote.Event{quote.QuoteAccepted{QuoteID: quotetest.ID, Revision: 1}}, "500.00", true},
		"a withdrawal keeps to the record": {[]quote.Event{quote.QuoteWithdrawn{QuoteID: quotetest.ID}}, "486.00", false},
	} {
		log := slices.Concat(events, row.before)
		corrected, err := quote.Decide(quote.Fold(log...), quote.CorrectQuote{Revision: 1, On: civil.MustParseDate("2026-05-09"), Mandate: quote.Mandate{
			CorrectionID: "c1", ReasonCode: "TERRITORY", Text: "Counted twice", Ticket: "SECRET-1", By: "operator-7", Engine: "v1"}})
		if err != nil {
			t.Fatal(err)
		}
		h := quotestore.History{Quote: quote.Fold(append(log, corrected...)...)}
		for i := range h.Quote.Version {
			h.Events = append(h.Events, eventstore.Event{Version: i + 1, OccurredAt: requestedAt.Add(time.Duration(i) * time.Hour)})
		}
		p := readmodel.Project(h)
		text := mustJSON(t, p)
		if err := schemas.ValidateBody("Quote", []byte(text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		c := p.Correction
		if p.TotalPremium.String() != row.total || c.TotalPremium.String() != "486.00" || c.Previous.TotalPremium.String() != "500.00" || c.Difference.String() != "-14.00" || c.Review != row.review ||
			c.CorrectedOn.String() != "2026-05-09" || p.Line().TotalPremium.String() != row.total {
			t.Errorf("%s: %s", name, text)
		}
		if strings.Contains(text, "SECRET") || strings.Contains(text, "operator-7") {
			t.Errorf("%s: the customer reads what is for the insurer: %s", name, text)
		}
	}
}

func TestProjectionOfAnOutcome(t *testing.T) {
	t.Parallel()
	all := histories(t, "E13")
	before, after := readmodel.Project(all[2]), readmodel.Project(all[3])
	if before.Status != quote.StatusRequested || before.Outcome != nil || before.Line().TotalPremium != nil {
		t.Errorf("before the rating: %+v", before)
	}
	if after.Status != quote.StatusReferred || after.TotalPremium.String() != "714.50" || after.Line().TotalPremium.String() != "714.50" {
		t.Errorf("after the rating: %+v", after)
	}
	if want := []quote.Reason{{Code: "R01", Text: rating.Text("2026.1", "R01")}}; !slices.Equal(after.Reasons, want) || want[0].Text == "" {
		t.Errorf("Reasons=%v, want %v", after.Reasons, want)
	}
	if !after.RequestedAt.Equal(requestedAt) || !after.UpdatedAt.Equal(requestedAt.Add(3*time.Second)) || after.Version != 4 {
		t.Errorf("RequestedAt=%v UpdatedAt=%v Version=%d", after.RequestedAt, after.UpdatedAt, after.Version)
	}
	if declined := readmodel.Project(histories(t, "E15")[3]); declined.Premium != nil || declined.Line().TotalPremium != nil || len(declined.Reasons) != 1 {
		t.Errorf("a declined quote has %+v", declined)
	}
}

func TestUnansweredLookupsAreReasons(t *testing.T) {
	t.Parallel()
	e := quotetest.MustExample(t, "E01")
	q := quote.Fold(quotetest.MustEvents(t, e.Submit(), quote.RateQuote{Revision: 1, Unanswered: []quote.Fact{quote.FactVehicles, quote.FactAccidentHistory}})...)
	p := readmodel.Project(quotestore.History{Quote: q, Events: make([]eventstore.Event, 2)})
	var codes []string
	for _, r := range p.Reasons {
		if r.Text == "" {
			t.Errorf("reason %s has no text", r.Code)
		}
		codes = append(codes, r.Code)
	}
	if !slices.Contains(codes, "VEHICLES_UNANSWERED") || !slices.Contains(codes, "ACCIDENT_HISTORY_UNANSWERED") {
		t.Errorf("Reasons=%v", codes)
	}
}

func TestAnyOrderOfPutsLeavesTheNewest(t *testing.T) {
	t.Parallel()
	write, read := newStore(t)
	for i, order := range permutations([]int{0, 1, 2, 3}) {
		quoteID := fmt.Sprintf("Q%d", i)
		all := projections(t, "E01", quoteID)
		for _, n := range order {
			all[n].CustomerID = quoteID + "'s"
			mustPut(t, write, all[n])
			mustPut(t, write, all[n])
		}
		mustPut(t, write, all[order[0]])
		if got := mustGet(t, read, quoteID); mustJSON(t, got) != mustJSON(t, all[3]) {
			t.Errorf("after %v: %s\nwant %s", order, mustJSON(t, got), mustJSON(t, all[3]))
		}
		page := mustList(t, read, all[3].CustomerID, "", 10)
		if want := (readmodel.Page{Quotes: []readmodel.Line{all[3].Line()}}); mustJSON(t, page) != mustJSON(t, want) {
			t.Errorf("after %v: %s\nwant %s", order, mustJSON(t, page), mustJSON(t, want))
		}
	}
}

func permutations(items []int) [][]int {
	if len(items) == 0 {
		return [][]int{nil}
	}
	var all [][]int
	for i, first := range items {
		for _, rest := range permutations(slices.Concat(items[:i], items[i+1:])) {
			all = append(all, append([]int{first}, rest...))
		}
	}
	return all
}

func TestAQuoteThatDoesNotExist(t *testing.T) {
	t.Parallel()
	_, read := newStore(t)
	if p, ok, err := read.Get(t.Context(), "nobody's"); ok || err != nil {
		t.Errorf("Projection=%+v there=%v error=%v", p, ok, err)
	}
	if page := mustList(t, read, "nobody", "", 10); mustJSON(t, page) != `{"quotes":[]}` {
		t.Errorf("Page=%s", mustJSON(t, page))
	}
}

func TestAListIsReadInPages(t *testing.T) {
	t.Parallel()
	write, read := newStore(t)
	const quotes = 25
	p := projections(t, "E01", "")[3]
	for i := range quotes {
		p.QuoteID, p.RequestedAt = fmt.Sprintf("Q%02d", i), requestedAt.Add(time.Duration(i)*time.Nanosecond)
		mustPut(t, write, p)
	}
	p.CustomerID, p.QuoteID = "someone else", "X"
	mustPut(t, write, p)
	for _, limit := range []int{1, 7, 24, 25, 26, 100} {
		var ids []string
		cursor := ""
		for pages := 0; pages <= quotes+1; pages++ {
			page := mustList(t, read, quotetest.Customer, cursor, limit)
			for _, line := range page.Quotes {
				ids = append(ids, line.QuoteID)
			}
			if cursor = page.Next; cursor == "" {
				break
			}
		}
		if len(ids) != quotes || !slices.IsSortedFunc(ids, func(a, b string) int { return strings.Compare(b, a) }) {
			t.Errorf("pages of %d: %v, want %d from the newest", limit, ids, quotes)
		}
	}
}

func TestACursorLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	write, read := newStore(t)
	p := projections(t, "E01", "")[3]
	for _, customer := range []string{"ann", "bob", "carol"} {
		for i := range 3 {
			p.CustomerID, p.QuoteID = customer, fmt.Sprintf("%s-%d", customer, i)
			p.RequestedAt = requestedAt.Add(time.Duration(i) * time.Second)
			mustPut(t, write, p)
		}
	}
	cursors := map[string]string{
		"Bob's own":              mustList(t, read, "bob", "", 1).Next,
		"a key after the end":    base64.RawURLEncoding.EncodeToString([]byte("9999-01-01T00:00:00.000000000Z#~")),
		"a key before the start": base64.RawURLEncoding.EncodeToString([]byte("0001-01-01T00:00:00.000000000Z#0")),
		"bytes that are no text": base64.RawURLEncoding.EncodeToString([]byte("a\xffb")),
	}
	for name, cursor := range cursors {
		page, err := read.List(t.Context(), "ann", cursor, 10)
		if err != nil && !errors.Is(err, readmodel.ErrBadCursor) {
			t.Errorf("%s: error=%v", name, err)
		}
		for _, line := range page.Quotes {
			if !strings.HasPrefix(line.QuoteID, "ann-") {
				t.Errorf("%s: Ann sees %s", name, line.QuoteID)
			}
		}
	}
	for name, cursor := range map[string]string{
		"no base64":      "///",
		"nothing in it":  "=",
		"an endless one": strings.Repeat("A", 4000),
		"another text":   base64.RawURLEncoding.EncodeToString([]byte("quote#1")),
		"no quote":       base64.RawURLEncoding.EncodeToString([]byte("2026-05-01T12:00:00.000000000Z#")),
	} {
		if page, err := read.List(t.Context(), "ann", cursor, 10); !errors.Is(err, readmodel.ErrBadCursor) {
			t.Errorf("%s: Page=%v error=%v, want %v", name, page, err, readmodel.ErrBadCursor)
		}
	}
}

func TestADocumentSurvivesTheTable(t *testing.T) {
	t.Parallel()
	write, read := newStore(t)
	for i, e := range []string{"E02", "E13", "E15", "E24"} {
		quoteID := fmt.Sprintf("Q%d", i)
		all := projections(t, e, quoteID)
		want := all[len(all)-1]
		mustPut(t, write, want)
		got := mustGet(t, read, quoteID)
		if mustJSON(t, got) != mustJSON(t, want) || !reflect.DeepEqual(got.Outcome == nil, want.Outcome == nil) {
			t.Errorf("%s: %s\nwant %s", e, mustJSON(t, got), mustJSON(t, want))
		}
	}
}

// historyOf is what a quote looks like after events, one second apart.
func historyOf(t *testing.T, commands ...quote.Command) quotestore.History {
	t.Helper()
	var h quotestore.History
	for i, e := range quotetest.MustEvents(t, commands...) {
		h.Quote = quote.Evolve(h.Quote, e)
		h.Events = append(h.Events, eventstore.Event{Type: e.EventType(), Version: i + 1, OccurredAt: requestedAt.Add(time.Duration(i) * time.Second)})
	}
	return h
}

func TestEarlierRevisionsAreListed(t *testing.T) {
	t.Parallel()
	e := quotetest.MustExample(t, "E20") // which is referred
	longer, shorter := e.Request, e.Request
	longer.TermMonths, longer.EffectiveDate = 12, e.Request.EffectiveDate.AddDays(1)
	p := readmodel.Project(historyOf(t, append(e.Commands(),
		quote.AmendQuote{QuoteDate: e.QuoteDate, Request: longer},
		quote.AmendQuote{QuoteDate: e.QuoteDate.AddDays(1), Request: shorter},
		quote.RateQuote{Revision: 3})...))
	if p.Revision != 3 || p.Version != 7 || p.Status != quote.StatusReferred || !p.EffectiveDate.Before(longer.EffectiveDate) {
		t.Errorf("Projection=%+v", p)
	}
	total := e.Expected.TotalPremium
	want := []readmodel.Revision{
		{Revision: 1, QuoteDate: e.QuoteDate, EffectiveDate: e.Request.EffectiveDate, Outcome: rating.Referred, TotalPremium: &total, LastVersion: 4},
		{Revision: 2, QuoteDate: e.QuoteDate, EffectiveDate: longer.EffectiveDate, LastVersion: 5},
	}
	if mustJSON(t, p.Earlier) != mustJSON(t, want) {
		t.Errorf("Earlier=%s\nwant %s", mustJSON(t, p.Earlier), mustJSON(t, want))
	}
	if err := schemas.ValidateBody("Quote", []byte(mustJSON(t, p))); err != nil {
		t.Error(err)
	}
}

// TestAnAmendmentThatWasUndoneIsNoEarlierRevision: what follows is an amendment of the revision before it.
func TestAnAmendmentThatWasUndoneIsNoEarlierRevision(t *testing.T) {
	t.Parallel()
	e := quotetest.MustExample(t, "E01")
	longer := e.Request
	longer.TermMonths = 12
	amend := quote.AmendQuote{QuoteDate: e.QuoteDate, Request: longer}
	undo := quote.ReverseEvent{Events: []quote.EventRef{{Version: 5, ID: "event-5"}}, ReasonCode: "X", Text: "x", By: "eve"}
	project := func(commands ...quote.Command) readmodel.Projection {
		h := historyOf(t, append(e.Commands(), commands...)...)
		h.Quote = quote.Fold(quotetest.MustEvents(t, append(e.Commands(), commands...)...)...)
		return readmodel.Project(h)
	}
	if p := project(amend, undo); p.Revision != 1 || p.Version != 6 || p.Status != quote.StatusQuoted || p.Earlier != nil {
		t.Errorf("Projection=%+v, want revision 1 QUOTED", p)
	}
	p := project(amend, undo, amend)
	if p.Revision != 3 || p.Version != 7 || len(p.Earlier) != 1 || p.Earlier[0].Revision != 1 || p.Earlier[0].LastVersion != 6 {
		t.Errorf("Projection=%+v, want revision 3 after revision 1", p)
	}
}

func TestARevisionThatWasReferredForWantOfAnAnswerSaysSo(t *testing.T) {
	t.Parallel()
	e := quotetest.MustExample(t, "E01")
	longer := e.Request
	longer.TermMonths = 12
	unanswered := quote.RateQuote{Revision: 1, Unanswered: []quote.Fact{quote.FactVehicles}}
	p := readmodel.Project(historyOf(t, e.Submit(), e.Histories(), unanswered, quote.AmendQuote{QuoteDate: e.QuoteDate, Request: longer}))
	if len(p.Earlier) != 1 || p.Earlier[0].Outcome != rating.Referred {
		t.Errorf("Earlier=%s", mustJSON(t, p.Earlier))
	}
}

func TestAnAdverseActionNamesAgencyAndReasons(t *testing.T) {
	t.Parallel()
	for example, want := range map[string]string{
		"E01": `null null`,
		"E12": `{"agencies":[{"name":"Example Reports Inc.","address":"PO Box 1, Springfield OH 45501","phone":"800-555-0100"}],"reasons":["The driving record of a driver on the quote, in a consumer report"]} {"incidents":["at-fault accident 31 October 2024"]}`,
		"E15": `{"agencies":[{"name":"Example Reports Inc.","address":"PO Box 1, Springfield OH 45501","phone":"800-555-0100"}],"reasons":["The driving record of a driver on the quote, in a consumer report"]} {"reasons":[{"code":"D01","text":"DUI within 3 years, any rated driver"}],"incidents":["driving under the influence 30 June 2025"]}`,
	} {
		p := readmodel.Project(historyOf(t, quotetest.MustExample(t, example).Commands()...))
		if got := mustJSON(t, p.AdverseAction) + " " + mustJSON(t, p.Reported); got != want || p.AdverseActionNotice != (want != "null null") {
			t.Errorf("%s: AdverseAction=%s, want %s", example, got, want)
		}
	}
}

func TestOnlyQuotesThatMayExpireAreInTheIndex(t *testing.T) {
	t.Parallel()
	stack := stacktest.Open(t, nil)
	write, sweep := stack.Of("project").Projections(), stack.Of("expire").Documents()
	e := quotetest.MustExample(t, "E01")
	day := e.Expected.ExpiresOn
	mustFind := func(want ...string) {
		t.Helper()
		ids, err := sweep.ExpiringOn(t.Context(), day)
		if err != nil || !slices.Equal(ids, want) {
			t.Errorf("quotes %v error=%v, want %v", ids, err, want)
		}
	}
	mustFind()
	commands := e.Commands()
	mustPut(t, write, readmodel.Project(historyOf(t, commands[:3]...)))
	mustFind(quotetest.ID) // even if it is never rated
	mustPut(t, write, readmodel.Project(historyOf(t, commands...)))
	mustFind(quotetest.ID)
	other := day
	day = day.AddDays(1)
	mustFind()
	day = other
	mustPut(t, write, readmodel.Project(historyOf(t, append(commands, quote.AcceptQuote{Revision: 1, On: e.QuoteDate})...)))
	mustFind()
	if _, err := stack.Of("quotes").Documents().ExpiringOn(t.Context(), day); err == nil || !strings.Contains(err.Error(), "not authorized") {
		t.Errorf("error=%v, want none but the sweep to read the index", err)
	}
	if denied := stack.TakeDenied(); len(denied) != 1 || denied[0].Action != "dynamodb:Query" {
		t.Errorf("denied: %v, want the one query", denied)
	}
}

func TestAProjectionReadsAsOfAnInstant(t *testing.T) {
	t.Parallel()
	e := quotetest.MustExample(t, "E01")
	// The last day of Ohio's quote ends at midnight there, which is 4 a.m. in UTC.
	ended := e.Expected.ExpiresOn.AddDays(1).In(zone.Of("OH"))
	offered := readmodel.Project(historyOf(t, e.Commands()...))
	accepted := readmodel.Project(historyOf(t, append(e.Commands(), quote.AcceptQuote{Revision: 1, On: e.QuoteDate})...))
	waiting := readmodel.Project(historyOf(t, e.Submit()))
	for name, row := range map[string]struct {
		p    readmodel.Projection
		at   time.Time
		want quote.Status
	}{
		"an offer on its last day":  {offered, ended.Add(-time.Nanosecond), quote.StatusQuoted},
		"an offer on the day after": {offered, ended, quote.StatusExpired},
		"an acceptance does not":    {accepted, ended, quote.StatusAccepted},
		"a quote without a price":   {waiting, ended, quote.StatusExpired},
	} {
		if got, line := row.p.At(row.at).Status, row.p.Line().At(row.at).Status; got != row.want || line != row.want {
			t.Errorf("%s: Status=%s, in the list %s, want %s", name, got, line, row.want)
		}
		if got := row.p.At(row.at).TimeZone; got != "America/New_York" {
			t.Errorf("%s: TimeZone=%s", name, got)
		}
	}
}
