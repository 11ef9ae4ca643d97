package web

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
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

// caseView is what staff see of a quote.
type caseView struct {
	*quoteView
	Events []*entry
	Next   string
	// AsOf is the version that is shown, 0 for the newest; Then is the quote at it.
	AsOf int
	Then *QuoteDoc
	// Differs is what has changed since.
	Differs *comparison
	// Curl are the requests that this page is made of.
	Curl []string
}

// showCase shows a quote to staff: what it is, how it became so, and what can be done.
func (h *web) showCase(w http.ResponseWriter, r *http.Request, status int, p *problemView) error {
	id := r.PathValue("quote")
	v := &caseView{}
	var log struct {
		Events []*entry
		Next   string
	}
	var eventsErr, thenErr, differsErr error
	var asked sync.WaitGroup
	path := map[string]string{"quoteId": id}
	asked.Go(func() {
		query := url.Values{}
		if cursor := r.URL.Query().Get("cursor"); cursor != "" {
			query.Set("cursor", cursor)
		}
		_, eventsErr = h.api.Get(r, Request{Route: "GET /quotes/{quoteId}/events", Path: path, Query: query}, &log)
	})
	if asOf, err := strconv.Atoi(r.URL.Query().Get("asOf")); err == nil && asOf > 0 {
		v.AsOf, v.Then, v.Differs = asOf, &QuoteDoc{}, &comparison{}
		asked.Go(func() {
			_, differsErr = h.api.Get(r, Request{Route: "GET /quotes/{quoteId}/comparison", Path: path, Query: url.Values{"with": {strconv.Itoa(asOf)}}}, v.Differs)
		})
		asked.Go(func() {
			_, thenErr = h.api.Get(r, Request{Route: "GET /quotes/{quoteId}", Path: path, Query: url.Values{"asOf": {strconv.Itoa(asOf)}}}, v.Then)
		})
	}
	var err error
	v.quoteView, err = h.loadQuote(r, id)
	asked.Wait()
	if err := errors.Join(err, eventsErr, thenErr, differsErr); err != nil {
		return err
	}
	v.Events, v.Next, v.Problem = log.Events, log.Next, p
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
