package web

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"milepost/internal/session"
)

// erasureView is how far the erasure of a customer is.
type erasureView struct {
	CustomerID, State string
	Request           *struct {
		RequestID, By, ReasonCode, Text string
		At                              time.Time
	}
	Confirmation *struct {
		By string
		At time.Time
	}
	Step   string
	Report struct {
		Erased *struct {
			By, ReasonCode string
			ErasedAt       time.Time
		}
		Quotes                                map[string]int
		Noted, Letters, Late, Drafts, Unnamed int
		Unsealed, Faults                      []string
	}
	Problem *problemView
	// Mine is true if the signed-in person asked for it, who may not confirm it.
	Mine bool
	// Code and Text are what was entered, after a problem.
	Code, Text string
}

// Address is that of the page.
func (v *erasureView) Address() string { return erasureOf(v.CustomerID) }

func erasureOf(customerID string) string {
	return "/app/customers/" + url.PathEscape(customerID) + "/erasure"
}

// Erasure is where the customer of the quote is erased.
func (v *caseView) Erasure() string { return erasureOf(v.CustomerID) }

// lookAgain is after how many seconds a browser fetches the page again while the erasure runs.
const lookAgain = "20"

// showErasure shows what would be erased, who has asked and who has confirmed, and how far it is.
func (h *web) showErasure(w http.ResponseWriter, r *http.Request) error {
	return h.erasurePage(w, r, http.StatusOK, nil)
}

func (h *web) erasurePage(w http.ResponseWriter, r *http.Request, status int, p *problemView) error {
	if err := h.mustSignIn(r, "staff"); err != nil {
		return err
	}
	v := &erasureView{Problem: p, Code: code(r), Text: r.PostFormValue("text")}
	if _, err := h.api.Get(r, Request{Route: "GET /customers/{customerId}/erasure", Path: erasurePath(r)}, v); err != nil {
		return err
	}
	who, _ := session.From(r.Context())
	v.Mine = v.Request != nil && v.Request.By == who.Subject
	if v.State == "RUNNING" {
		w.Header().Set("Refresh", lookAgain)
	}
	return h.render(w, r, status, "erasure.html", h.frame(r, "Erase "+v.CustomerID), v)
}

func erasurePath(r *http.Request) map[string]string {
	return map[string]string{"customerId": r.PathValue("customer")}
}

// askErasure, confirmErasure and withdrawErasure ask for an erasure, begin it, and take a request back.
func (h *web) askErasure(w http.ResponseWriter, r *http.Request) error {
	return h.erasure(w, r, Request{Route: "POST /customers/{customerId}/erasure",
		Body: map[string]string{"reasonCode": code(r), "text": strings.TrimSpace(r.PostFormValue("text"))}})
}

func (h *web) confirmErasure(w http.ResponseWriter, r *http.Request) error {
	return h.erasure(w, r, Request{Route: "POST /customers/{customerId}/erasure/confirmation",
		Body: map[string]string{"requestId": r.PostFormValue("request")}})
}

func (h *web) withdrawErasure(w http.ResponseWriter, r *http.Request) error {
	return h.erasure(w, r, Request{Route: "DELETE /customers/{customerId}/erasure"})
}

// erasure sends a request about the erasure, and leads back to its page.
func (h *web) erasure(w http.ResponseWriter, r *http.Request, q Request) error {
	if err := h.mustSignIn(r, "staff"); err != nil {
		return err
	}
	q.Path = erasurePath(r)
	_, err := h.api.Call(r, q)
	p, ok := errors.AsType[*Problem](err)
	switch {
	case ok && (p.Status == http.StatusConflict || p.Status == http.StatusUnprocessableEntity || p.Kind() == "four-eyes"):
		return h.erasurePage(w, r, p.Status, viewOf(p))
	case err != nil:
		return err
	}
	http.Redirect(w, r, erasureOf(r.PathValue("customer")), http.StatusSeeOther)
	return nil
}
