package web

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/oklog/ulid/v2"

	"milepost/internal/session"
)

// clientsView is what a broker sees of the agency's quotes.
type clientsView struct {
	Agency, Client string
	Quotes         []line
	Next           string
	Drafts         []draft
	Problem        *problemView
}

// aClient is what the API takes as the name of a client.
var aClient = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$`)

// clients lists the quotes of the agency's clients.
func (h *web) clients(w http.ResponseWriter, r *http.Request) error {
	return h.clientsPage(w, r, http.StatusOK, &clientsView{})
}

func (h *web) clientsPage(w http.ResponseWriter, r *http.Request, status int, v *clientsView) error {
	if err := h.mustSignIn(r, "broker"); err != nil {
		return err
	}
	who, _ := session.From(r.Context())
	v.Agency = who.Agency
	query := url.Values{}
	if cursor := r.URL.Query().Get("cursor"); cursor != "" {
		query.Set("cursor", cursor)
	}
	if _, err := h.api.Get(r, Request{Route: "GET /agencies/{agencyId}/quotes", Path: map[string]string{"agencyId": who.Agency}, Query: query}, v); err != nil {
		return err
	}
	var err error
	if v.Drafts, err = h.drafts(r); err != nil {
		return err
	}
	f := h.frame(r, "Clients")
	f.Wide = true
	return h.render(w, r, status, "clients.html", f, v)
}

// newClientQuote begins a draft for a client.
func (h *web) newClientQuote(w http.ResponseWriter, r *http.Request) error {
	if err := h.mustSignIn(r, "broker"); err != nil {
		return err
	}
	client := strings.TrimSpace(r.PostFormValue("client"))
	if !aClient.MatchString(client) {
		return h.clientsPage(w, r, http.StatusUnprocessableEntity, &clientsView{Client: client, Problem: &problemView{Title: "This name cannot be used",
			Errors: []problemLine{{"client", "A client's name has 1 to 80 letters, digits, dots, hyphens and underscores, such as jane-doe."}}}})
	}
	d := draft{ID: ulid.Make().String(), Step: "vehicles", Client: client, Request: map[string]any{}}
	if err := h.saveDraft(r, &d); err != nil {
		return err
	}
	http.Redirect(w, r, "/app/drafts/"+d.ID+"/vehicles", http.StatusSeeOther)
	return nil
}

// Name is what the agency calls the client of a quote.
func (v *clientsView) Name(customerID string) string {
	return customerID[strings.LastIndexByte(customerID, ':')+1:]
}
