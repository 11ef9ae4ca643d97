package web

import (
	"net/http"
	"net/url"

	"milepost/internal/session"
)

// home is where everybody begins: those who are signed in where their work is, the others at what this is.
func (h *web) home(w http.ResponseWriter, r *http.Request) error {
	who, ok := session.From(r.Context())
	to := ""
	switch {
	case !ok:
	case who.Has("staff"):
		to = "/app/desk"
	case who.Has("broker"):
		to = "/app/clients"
	default:
		to = "/app/quotes"
	}
	if to != "" {
		http.Redirect(w, r, to, http.StatusSeeOther)
		return nil
	}
	return h.render(w, r, http.StatusOK, "home.html", h.frame(r, "Car insurance, priced in the open"), nil)
}

// signInQuery is what leads back from a sign-in to the page that a request wants.
func signInQuery(r *http.Request) string { return url.Values{"to": {r.URL.RequestURI()}}.Encode() }
