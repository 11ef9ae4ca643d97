package web

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// findView is what the search shows.
type findView struct {
	// Terms are what was looked for, by the names of the API's filters.
	Terms    url.Values
	Quotes   []line
	Next     string
	Searched bool
	Problem  *problemView
	Curl     string
}

// filters are those of the search, in the order of the form.
var filters = []string{"customer", "email", "vin", "license", "status", "state", "from", "to", "expiring"}

var aQuoteID = regexp.MustCompile(`^[0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{26}$`)

// find looks for quotes. A quote's id leads to the quote at once.
func (h *web) find(w http.ResponseWriter, r *http.Request) error {
	if err := h.mustSignIn(r, "staff"); err != nil {
		return err
	}
	query := r.URL.Query()
	if id := strings.TrimSpace(query.Get("quote")); aQuoteID.MatchString(id) {
		http.Redirect(w, r, "/app/quotes/"+strings.ToUpper(id), http.StatusSeeOther)
		return nil
	}
	v := &findView{Terms: url.Values{}}
	if query.Get("quote") != "" {
		v.Problem = &problemView{Title: "This is not the id of a quote", Detail: "It has 26 letters and digits."}
	}
	for _, name := range filters {
		if text := strings.TrimSpace(query.Get(name)); text != "" {
			v.Terms.Set(name, text)
		}
	}
	v.Searched = query.Has("search")
	if v.Searched && v.Problem == nil {
		asked := url.Values{}
		for name, values := range v.Terms {
			asked[name] = slices.Clone(values)
		}
		if cursor := query.Get("cursor"); cursor != "" {
			asked.Set("cursor", cursor)
		}
		v.Curl = curl(r, "/quotes?"+asked.Encode())
		_, err := h.api.Get(r, Request{Route: "GET /quotes", Query: asked}, v)
		if p, ok := errors.AsType[*Problem](err); ok && p.Status == http.StatusBadRequest {
			v.Problem = viewOf(p)
		} else if err != nil {
			return err
		}
	}
	f := h.frame(r, "Find quotes")
	f.Wide = true
	return h.render(w, r, http.StatusOK, "find.html", f, v)
}

// More is the address of the next page.
func (v *findView) More() string {
	next := url.Values{"search": {""}, "cursor": {v.Next}}
	maps.Copy(next, v.Terms)
	return "/app/find?" + next.Encode()
}

// Statuses are those that a quote can have.
func (v *findView) Statuses() []string {
	return []string{"REQUESTED", "QUOTED", "REFERRED", "DECLINED", "ACCEPTED", "WITHDRAWN", "EXPIRED"}
}
