package web

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"milepost/internal/page"
)

// entry is an event of a quote, for staff.
type entry struct {
	Version, SchemaVersion          int
	EventID, EventType              string
	OccurredAt                      time.Time
	Actor, CommandID, CorrelationID string
	CausationID, TraceID            string
	ReversedBy                      int
	Erased                          bool
	Data                            json.RawMessage
	causedBy                        int
}

// Words is the type of the event in words: QuoteRequested is "Quote requested".
func (e *entry) Words() string {
	var b strings.Builder
	for i, c := range e.EventType {
		if i > 0 && unicode.IsUpper(c) {
			b.WriteByte(' ')
			c = unicode.ToLower(c)
		}
		b.WriteRune(c)
	}
	return b.String()
}

// CausedBy is the version of the event from which this one follows, 0 if it follows from none of this quote.
func (e *entry) CausedBy() int { return e.causedBy }

// Pretty is the event's data, laid out.
func (e *entry) Pretty() string {
	var out bytes.Buffer
	if err := json.Indent(&out, e.Data, "", "  "); err != nil {
		return string(e.Data)
	}
	return out.String()
}

// happened is what the timeline shows: an event, or that somebody revealed personal data.
type happened struct {
	*entry
	*accessed
}

// timeline has the events with the accesses between them, in order. Accesses before a page of events are left to the page
// before it.
func timeline(events []*entry, accesses []accessed, first, last bool) (all []happened) {
	for _, e := range events {
		all = append(all, happened{entry: e})
	}
	for i := range accesses {
		a := &accesses[i]
		if len(events) > 0 && (!first && a.At.Before(events[0].OccurredAt) || !last && a.At.After(events[len(events)-1].OccurredAt)) {
			continue
		}
		all = append(all, happened{accessed: a})
	}
	slices.SortStableFunc(all, func(a, b happened) int { return a.at().Compare(b.at()) })
	return all
}

func (h happened) at() time.Time {
	if h.entry != nil {
		return h.entry.OccurredAt
	}
	return h.accessed.At
}

// Event is the event, nil if it was an access; Access likewise.
func (h happened) Event() *entry { return h.entry }

// Access is the access, nil if it was an event.
func (h happened) Access() *accessed { return h.accessed }

// accessed is one revealing of personal data.
type accessed struct {
	At             time.Time
	Actor, Purpose string
}

// caseView is what staff see of a quote.
type caseView struct {
	*quoteView
	Events []*entry
	// Timeline has the events with who revealed personal data.
	Timeline []happened
	Next     string
	// AsOf is the version or the moment that is shown, "" for now; Then is the quote at it.
	AsOf string
	Then *QuoteDoc
	// Differs is what has changed since.
	Differs *comparison
	// Why are the reasons of the outcome, now or as of AsOf, with the facts behind each.
	Why []causedReason
	// Letters are what the customer was told.
	Letters *lettersView
	// Accesses are who revealed personal data; Revealed is set in the answer to who just did.
	Accesses []accessed
	Revealed bool
	// Curl are the requests that this page is made of.
	Curl []string
	// Console is where the reader can look inside, "" if nowhere.
	Console string
}

// showCase shows a quote to staff: what it is, how it became so, and what can be done.
func (h *web) showCase(w http.ResponseWriter, r *http.Request, status int, p *problemView, revealed bool) error {
	id := r.PathValue("quote")
	v := &caseView{Revealed: revealed, Console: h.console}
	var log struct {
		Events []*entry
		Next   string
	}
	var accesses struct{ Accesses []accessed }
	var eventsErr, thenErr, differsErr, accessesErr, whyErr, lettersErr error
	var asked sync.WaitGroup
	path := map[string]string{"quoteId": id}
	asked.Go(func() {
		query := cover(revealed)
		if cursor := r.URL.Query().Get("cursor"); cursor != "" {
			query.Set("cursor", cursor)
		}
		_, eventsErr = h.api.Get(r, Request{Route: "GET /quotes/{quoteId}/events", Path: path, Query: query}, &log)
	})
	asked.Go(func() {
		_, accessesErr = h.api.Get(r, Request{Route: "GET /quotes/{quoteId}/accesses", Path: path}, &accesses)
	})
	if asOf := momentOf(r.URL.Query()); asOf != "" {
		v.AsOf, v.Then, v.Differs = asOf, &QuoteDoc{}, &comparison{}
		asked.Go(func() {
			_, differsErr = h.api.Get(r, Request{Route: "GET /quotes/{quoteId}/comparison", Path: path, Query: url.Values{"with": {asOf}}}, v.Differs)
		})
		asked.Go(func() {
			_, thenErr = h.api.Get(r, Request{Route: "GET /quotes/{quoteId}", Path: path, Query: url.Values{"asOf": {asOf}}}, v.Then)
		})
	}
	asked.Go(func() { v.Letters, lettersErr = h.letters(r, id, cover(revealed)) })
	asked.Go(func() { v.Why, whyErr = h.causes(r, id, v.AsOf, cover(revealed)) })
	var err error
	v.quoteView, err = h.loadQuote(r, id, cover(revealed))
	asked.Wait()
	if err := errors.Join(err, eventsErr, thenErr, differsErr, accessesErr, whyErr, lettersErr); err != nil {
		return err
	}
	v.Events, v.Next, v.Problem, v.Accesses = log.Events, log.Next, p, accesses.Accesses
	v.Timeline = timeline(v.Events, v.Accesses, r.URL.Query().Get("cursor") == "", v.Next == "")
	v.Letters.TimeZone = v.TimeZone
	versions := map[string]int{}
	for _, e := range v.Events {
		versions[e.EventID] = e.Version
		e.causedBy = versions[e.CausationID]
	}
	for _, at := range []string{"", "/request", "/events"} {
		v.Curl = append(v.Curl, curl(r, "/quotes/"+id+at))
	}
	f := h.frame(r, "Quote of "+v.CustomerID)
	f.Wide, f.Live = true, []string{"quote:" + id}
	return h.render(w, r, status, "case.html", f, v)
}

// momentOf is the version, or the time in UTC, at which a quote is to be shown; "" for now.
func momentOf(query url.Values) string {
	if at, err := time.Parse("2006-01-02T15:04", query.Get("at")); err == nil {
		return at.Format(time.RFC3339)
	}
	if at, err := time.Parse("2006-01-02T15:04:05", query.Get("at")); err == nil {
		return at.Format(time.RFC3339)
	}
	return query.Get("asOf")
}

// purposes are what personal data may be revealed for.
var purposes = []choice{
	{Value: "UNDERWRITING", Label: "Underwriting"}, {Value: "CUSTOMER_ASKED", Label: "The customer asked"}, {Value: "COMPLAINT", Label: "A complaint"},
	{Value: "CORRECTION", Label: "A correction"}, {Value: "FRAUD", Label: "A suspicion of fraud"},
}

// AtVersion reports whether the past that is shown is that of a version.
func (v *caseView) AtVersion() bool {
	_, err := strconv.Atoi(v.AsOf)
	return err == nil
}

// Purposes are the choices of the form.
func (v *caseView) Purposes() []choice { return purposes }

// Purpose is a purpose in words.
func (v *caseView) Purpose(code string) string {
	for _, p := range purposes {
		if p.Value == code {
			return p.Label
		}
	}
	return code
}

// cover is the query of a read that leaves personal data out, unless they were revealed.
func cover(revealed bool) url.Values {
	if revealed {
		return url.Values{}
	}
	return url.Values{"cover": {"true"}}
}

// reveal records who reveals personal data and what for, and answers with a page that shows them. The next page covers
// them again.
func (h *web) reveal(w http.ResponseWriter, r *http.Request) error {
	if err := h.mustSignIn(r, "staff"); err != nil {
		return err
	}
	_, err := h.api.Call(r, Request{Route: "POST /quotes/{quoteId}/accesses", Path: map[string]string{"quoteId": r.PathValue("quote")},
		Body: map[string]string{"purpose": r.PostFormValue("purpose")}})
	if p, ok := errors.AsType[*Problem](err); ok && p.Status == http.StatusUnprocessableEntity {
		return h.showCase(w, r, p.Status, &problemView{Title: "Say what you need them for", Errors: []problemLine{{"purpose", "Please choose one."}}}, false)
	}
	if err != nil {
		return err
	}
	return h.showCase(w, r, http.StatusOK, nil, true)
}

// curl is a request to the API as a person would make it on a command line; the token is not in it.
func curl(r *http.Request, path string) string {
	scheme := cmp.Or(page.Event(r).Headers["x-forwarded-proto"], "https")
	return `curl -H "Authorization: Bearer $TOKEN" ` + "'" + scheme + "://" + r.Host + path + "'"
}

// decide, waive and reverse are commands of staff.
func (h *web) decide(w http.ResponseWriter, r *http.Request) error {
	return h.command(w, r, Request{Route: "POST /quotes/{quoteId}/decision", Header: map[string]string{"if-match": r.PostFormValue("etag")},
		Body: map[string]any{"approve": r.PostFormValue("approve") == "true", "reasonCode": code(r), "text": strings.TrimSpace(r.PostFormValue("text"))}})
}

func (h *web) waive(w http.ResponseWriter, r *http.Request) error {
	return h.command(w, r, Request{Route: "POST /quotes/{quoteId}/waivers", Header: map[string]string{"if-match": r.PostFormValue("etag")},
		Body: map[string]any{"condition": r.PostFormValue("condition"), "reasonCode": code(r), "text": strings.TrimSpace(r.PostFormValue("text"))}})
}

func (h *web) reverse(w http.ResponseWriter, r *http.Request) error {
	version, err := strconv.Atoi(r.PostFormValue("version"))
	if err != nil {
		return h.quotePage(w, r, http.StatusUnprocessableEntity, &problemView{Title: "Choose the event to undo"})
	}
	body := map[string]any{"version": version, "reasonCode": code(r), "text": strings.TrimSpace(r.PostFormValue("text"))}
	var also []int
	for _, text := range r.PostForm["also"] {
		if n, err := strconv.Atoi(text); err == nil {
			also = append(also, n)
		}
	}
	if also != nil {
		body["also"] = also
	}
	return h.command(w, r, Request{Route: "POST /quotes/{quoteId}/reversals", Header: map[string]string{"if-match": r.PostFormValue("etag")}, Body: body})
}

// code is the reason code of a form, as the API wants it.
func code(r *http.Request) string {
	return strings.ToUpper(strings.ReplaceAll(strings.TrimSpace(r.PostFormValue("code")), " ", "_"))
}
