package web

import (
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"milepost/internal/live"
	"milepost/internal/session"
)

// ticket issues a ticket with which the page's script follows what it shows.
func (h *web) ticket(w http.ResponseWriter, r *http.Request) error {
	who, ok := session.From(r.Context())
	if !ok {
		w.WriteHeader(http.StatusUnauthorized)
		return nil
	}
	ticket, err := h.tickets.Issue(r.Context(), live.Holder{Subject: who.Subject, Scopes: who.Scopes, Agency: who.Agency}, time.Now())
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(map[string]string{"url": h.liveURL + "?ticket=" + url.QueryEscape(ticket)})
}

// origin is the scheme and host of an address.
func origin(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
