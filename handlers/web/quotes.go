package web

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"milepost/internal/session"
)

// QuoteDoc is a quote as the API shows it.
type QuoteDoc struct {
	QuoteID, Status, CustomerID, State string
	Version, Revision, TermMonths      int
	QuoteDate, EffectiveDate, TimeZone string
	RequestedAt, UpdatedAt             time.Time
	ExpiresOn                          string
	Outcome                            string
	Reasons                            []reason
	Conditions                         []string
	Waivers                            []struct{ Condition, ReasonCode string }
	Rejections, WrittenOffers          []rejection
	Words                              []string
	ConditionWords                     []struct{ Condition, Means, Todo string }
	AcceptBy, TimeZoneName             string
	PersonalDataErasedAt               *time.Time
	AdverseActionNotice                bool
	AdverseAction                      *struct {
		Agencies []struct{ Name, Address, Phone string }
		Reasons  []string
		// Text says what happened, and Rights what the customer may do.
		Text, Rights string
	}
	TotalPremium, CoverageTotal, MinimumPremiumAdjustment, Assessment string
	Fees                                                              []struct{ Code, Amount string }
	Vehicles                                                          []pricedVehicle
	Decision                                                          *struct{ ReasonCode, Text string }
	Correction                                                        *struct {
		CorrectedOn, Text, Outcome, TotalPremium, Difference string
		Previous                                             struct{ Outcome, TotalPremium string }
		Review                                               bool
	}
	EarlierRevisions []struct {
		Revision                                        int
		QuoteDate, EffectiveDate, Outcome, TotalPremium string
		LastVersion                                     int
	}
}

// rejection is a form that the customer signs, or has signed.
type rejection struct {
	Code, Coverage, Version, Text, Signature string
	SignedAt                                 *time.Time
}

type reason struct{ Code, Text string }

// requestDoc is what was requested.
type requestDoc struct {
	Request  map[string]any
	Progress struct {
		Vehicles, Drivers struct{ Answered, Of int }
		Rated             bool
	}
}

// line is a quote in a list.
type line struct {
	QuoteID, CustomerID, Status, State  string
	Version                             int
	QuoteDate, EffectiveDate, ExpiresOn string
	RequestedAt                         time.Time
	TotalPremium                        string
}

// listView is a customer's list.
type listView struct {
	Quotes []line
	Next   string
	Drafts []draft
}

// myQuotes lists the customer's own quotes and drafts.
func (h *web) myQuotes(w http.ResponseWriter, r *http.Request) error {
	if err := h.mustSignIn(r, "quotes"); err != nil {
		return err
	}
	who, _ := session.From(r.Context())
	query := url.Values{}
	if cursor := r.URL.Query().Get("cursor"); cursor != "" {
		query.Set("cursor", cursor)
	}
	v := &listView{}
	var draftsErr error
	var asked sync.WaitGroup
	asked.Go(func() { v.Drafts, draftsErr = h.drafts(r) })
	_, err := h.api.Get(r, Request{Route: "GET /customers/{customerId}/quotes", Path: map[string]string{"customerId": who.Subject}, Query: query}, v)
	asked.Wait()
	if err := errors.Join(err, draftsErr); err != nil {
		return err
	}
	f := h.frame(r, "Your quotes")
	f.Live = []string{"customer"}
	return h.render(w, r, http.StatusOK, "quotes.html", f, v)
}

// quoteView is what the page of a quote shows.
type quoteView struct {
	QuoteDoc
	*form
	Options  *options
	Progress *requestDoc
	ETag     string
	Problem  *problemView
	// Own is set where the reader is the customer, Link where a letter's link is all that the reader has.
	Own, Link bool
	// Token is the link's.
	Token string
}

// showQuote shows a quote to its customer, and to those who may see it.
func (h *web) showQuote(w http.ResponseWriter, r *http.Request) error {
	return h.quotePage(w, r, http.StatusOK, nil)
}

func (h *web) quotePage(w http.ResponseWriter, r *http.Request, status int, p *problemView) error {
	if err := h.mustSignIn(r, "quotes", "staff", "broker"); err != nil {
		return err
	}
	who, _ := session.From(r.Context())
	if who.Has("staff") {
		err := h.showCase(w, r, status, p, false)
		if own, ok := errors.AsType[*Problem](err); !ok || own.Kind() != "own-quote" {
			return err
		} // their own quote they see as a customer
	}
	v, err := h.loadQuote(r, r.PathValue("quote"))
	if err != nil {
		return err
	}
	v.Problem = p
	f := h.frame(r, v.Title())
	f.Live = []string{"quote:" + v.QuoteID}
	return h.render(w, r, status, "quote.html", f, v)
}

// loadQuote asks for all that a quote's page shows, at once.
func (h *web) loadQuote(r *http.Request, id string, request ...url.Values) (*quoteView, error) {
	v := &quoteView{Progress: &requestDoc{}}
	path := map[string]string{"quoteId": id}
	var requestErr error
	var asked sync.WaitGroup
	asked.Go(func() {
		_, requestErr = h.api.Get(r, Request{Route: "GET /quotes/{quoteId}/request", Path: path, Query: slices.Concat(request, []url.Values{nil})[0]}, v.Progress)
	})
	answer, err := h.api.Get(r, Request{Route: "GET /quotes/{quoteId}", Path: path}, &v.QuoteDoc)
	asked.Wait()
	if err := errors.Join(err, requestErr); err != nil {
		return nil, err
	}
	v.ETag, v.form = answer.Header["etag"], &form{doc: v.Progress.Request}
	who, _ := session.From(r.Context())
	v.Own = who.Subject == v.CustomerID
	v.Options, err = h.optionsFor(r, v.State, v.EffectiveDate)
	if p, ok := errors.AsType[*Problem](err); ok && p.Kind() == "no-offer" { // no longer, and then words are missing only
		v.Options, err = h.optionsFor(r, "", "")
	}
	return v, err
}

// showOffer shows what a letter's link leads to: the quote to read, without signing in.
func (h *web) showOffer(w http.ResponseWriter, r *http.Request) error {
	v := &quoteView{Link: true, Token: r.PathValue("token"), Progress: &requestDoc{}, form: &form{}}
	if _, err := h.api.Get(r, Request{Route: "GET /offers/{token}", Path: map[string]string{"token": v.Token}}, &v.QuoteDoc); err != nil {
		return err
	}
	v.Options = &options{} // they are for those who are signed in
	return h.render(w, r, http.StatusOK, "quote.html", h.frame(r, v.Title()), v)
}

// confirmation asks to confirm a phone, and confirms it when the form is sent: a link alone, which mail programs open by
// themselves, changes nothing.
func (h *web) confirmation(w http.ResponseWriter, r *http.Request) error {
	route := r.Method + " /offers/{token}/confirmation"
	var v struct {
		Confirmed bool
		Token     string
	}
	if _, err := h.api.Get(r, Request{Route: route, Path: map[string]string{"token": r.PathValue("token")}}, &v); err != nil {
		return err
	}
	v.Token = r.PathValue("token")
	return h.render(w, r, http.StatusOK, "confirmation.html", h.frame(r, "Confirm your phone"), v)
}

// accept, withdraw and lookUp are the customer's commands on a quote.
func (h *web) accept(w http.ResponseWriter, r *http.Request) error {
	q := Request{Route: "POST /quotes/{quoteId}/acceptance", Header: map[string]string{"if-match": r.PostFormValue("etag")}}
	var signed []map[string]string
	for _, code := range r.PostForm["sign"] {
		signed = append(signed, map[string]string{"code": code, "version": r.PostForm.Get("version:" + code), "text": r.PostForm.Get("text:" + code),
			"signature": strings.TrimSpace(r.PostForm.Get("signature:" + code))})
	}
	if signed != nil {
		q.Body = map[string]any{"rejections": signed}
	}
	return h.command(w, r, q)
}

func (h *web) withdraw(w http.ResponseWriter, r *http.Request) error {
	q := Request{Route: "POST /quotes/{quoteId}/withdrawal", Header: map[string]string{}}
	if text := strings.TrimSpace(r.PostFormValue("reason")); text != "" {
		q.Body = map[string]string{"reason": text}
	}
	return h.command(w, r, q)
}

func (h *web) lookUp(w http.ResponseWriter, r *http.Request) error {
	return h.command(w, r, Request{Route: "POST /quotes/{quoteId}/lookups", Header: map[string]string{}})
}

// command sends one, and shows the quote again: changed, or with what prevents it.
func (h *web) command(w http.ResponseWriter, r *http.Request, q Request) error {
	id := r.PathValue("quote")
	q.Path = map[string]string{"quoteId": id}
	if key := r.PostFormValue("key"); key != "" {
		q.Header["idempotency-key"] = key
	}
	_, err := h.api.Call(r, q)
	p, ok := errors.AsType[*Problem](err)
	switch {
	case ok && p.Status >= http.StatusBadRequest && p.Status < http.StatusInternalServerError && p.Status != http.StatusNotFound && p.Status != http.StatusUnauthorized:
		return h.quotePage(w, r, p.Status, viewOf(p))
	case err != nil:
		return err
	}
	http.Redirect(w, r, "/app/quotes/"+id, http.StatusSeeOther)
	return nil
}

// viewOf is a problem above a page.
func viewOf(p *Problem) *problemView {
	v := &problemView{Title: p.Title, Detail: p.Detail}
	if p.Status == http.StatusPreconditionFailed {
		v.Title, v.Detail = "The quote has changed in the meantime", "Nothing was done. What you see now is as it is; please look at it and decide again."
	}
	for _, e := range p.Errors {
		v.Errors = append(v.Errors, problemLine{Text: e.Detail})
	}
	return v
}

// amend begins a draft with the quote's request.
func (h *web) amend(w http.ResponseWriter, r *http.Request) error {
	v, err := h.loadQuote(r, r.PathValue("quote"))
	if err != nil {
		return err
	}
	d := draft{ID: draftOf(v.QuoteID), Step: "coverages", Request: v.Progress.Request, QuoteID: v.QuoteID, QuoteETag: v.ETag}
	old, err := h.loadDraft(r, d.ID)
	if err != nil {
		return err
	}
	d.tag = old.tag
	if err := h.saveDraft(r, &d); err != nil {
		return err
	}
	http.Redirect(w, r, "/app/drafts/"+d.ID+"/coverages", http.StatusSeeOther)
	return nil
}

// draftOf is the id of the draft that changes a quote; there is one.
func draftOf(quoteID string) string { return quoteID }

// Title says what the quote is about.
func (v *quoteView) Title() string {
	switch v.Status {
	case "REQUESTED":
		return "We are pricing your quote"
	case "QUOTED":
		return "Your offer"
	case "REFERRED":
		return "An underwriter is looking at your quote"
	case "DECLINED":
		return "We cannot make you an offer"
	case "ACCEPTED":
		return "You accepted this offer"
	case "WITHDRAWN":
		return "This quote was withdrawn"
	case "EXPIRED":
		return "This quote has expired"
	}
	return "Quote"
}

// Car names a vehicle of the quote by its id.
func (v *quoteView) Car(id string) string {
	for _, i := range v.List("/vehicles") {
		at := fmt.Sprintf("/vehicles/%d", i)
		if v.Text(at+"/vehicleId") == id {
			return cmp.Or(strings.TrimSpace(v.Text(at+"/modelYear")+" "+v.Text(at+"/make")+" "+v.Text(at+"/model")), "Car "+id)
		}
	}
	return "Car " + strings.TrimPrefix(id, "V")
}

// Coverage returns a coverage in words.
func (v *quoteView) Coverage(code string) coverage { return v.Options.coverage(code) }

// Acceptable reports whether the customer can accept now.
func (v *quoteView) Acceptable() bool { return v.Own && v.Status == "QUOTED" && len(v.Conditions) == 0 }

// Open reports whether the quote can be changed.
func (v *quoteView) Open() bool {
	return v.Status == "REQUESTED" || v.Status == "QUOTED" || v.Status == "REFERRED"
}
