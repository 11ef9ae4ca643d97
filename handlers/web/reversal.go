package web

import (
	"net/http"
)

// brief is a quote in short.
type brief struct {
	Status, TotalPremium string
	Revision             int
}

// reversalView is what undoing an event would come to.
type reversalView struct {
	QuoteID, EventType string
	Version            int
	Also               []struct {
		Version   int
		EventType string
	}
	Before, After brief
	ETag          string
}

// Words is an event's type in words.
func (v *reversalView) Words(eventType string) string { return (&entry{EventType: eventType}).Words() }

// previewReversal shows what undoing an event would come to, before it is done.
func (h *web) previewReversal(w http.ResponseWriter, r *http.Request) error {
	if err := h.mustSignIn(r, "staff"); err != nil {
		return err
	}
	v := &reversalView{}
	answer, err := h.api.Get(r, Request{Route: "GET /quotes/{quoteId}/reversals/{version}",
		Path: map[string]string{"quoteId": r.PathValue("quote"), "version": r.URL.Query().Get("version")}}, v)
	if err != nil {
		return err
	}
	v.ETag = answer.Header["etag"]
	return h.render(w, r, http.StatusOK, "reversal.html", h.frame(r, "Undo an event"), v)
}
