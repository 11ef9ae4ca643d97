package web

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"milepost/internal/session"
)

// draft is a quote in the making, as the API keeps it.
type draft struct {
	ID        string         `json:"draftId,omitempty"`
	Step      string         `json:"step,omitempty"`
	Request   map[string]any `json:"request"`
	ExpiresAt time.Time      `json:"expiresAt,omitzero"`
	// QuoteID is the quote that the draft changes, "" of a new one, and QuoteETag its state when the change began.
	QuoteID   string `json:"quoteId,omitempty"`
	QuoteETag string `json:"quoteEtag,omitempty"`
	// tag is the ETag of what was loaded, "" of a new one.
	tag string
}

// mustSignIn refuses those who are not signed in with one of the scopes.
func (h *web) mustSignIn(r *http.Request, scopes ...string) error {
	who, ok := session.From(r.Context())
	if !ok {
		return &Problem{Type: "/problems/no-token", Title: "Please sign in", Status: http.StatusUnauthorized, Detail: "This page is yours alone, so we have to know who you are."}
	}
	for _, scope := range scopes {
		if who.Has(scope) {
			return nil
		}
	}
	return &Problem{Type: "/problems/no-scope", Title: "This page is not for you", Status: http.StatusForbidden, Detail: "Your account may not open it."}
}

// loadDraft returns a draft; one that is not there yet is empty.
func (h *web) loadDraft(r *http.Request, id string) (draft, error) {
	if err := h.mustSignIn(r, "quotes", "broker"); err != nil {
		return draft{}, err
	}
	d := draft{}
	answer, err := h.api.Get(r, Request{Route: "GET /drafts/{draftId}", Path: map[string]string{"draftId": id}}, &d)
	if p, ok := errors.AsType[*Problem](err); ok && p.Status == http.StatusNotFound {
		return draft{ID: id, Request: map[string]any{}}, nil
	}
	if err != nil {
		return draft{}, err
	}
	d.ID, d.tag = id, answer.Header["etag"]
	if d.Request == nil {
		d.Request = map[string]any{}
	}
	return d, nil
}

// saveDraft keeps a draft, unless it was changed since it was loaded.
func (h *web) saveDraft(r *http.Request, d *draft) error {
	header := map[string]string{"if-none-match": "*"}
	if d.tag != "" {
		header = map[string]string{"if-match": d.tag}
	}
	body := map[string]any{"step": d.Step, "request": d.Request}
	if d.QuoteID != "" {
		body["quoteId"], body["quoteEtag"] = d.QuoteID, d.QuoteETag
	}
	answer, err := h.api.Call(r, Request{Route: "PUT /drafts/{draftId}", Path: map[string]string{"draftId": d.ID}, Header: header, Body: body})
	if err == nil {
		d.tag = answer.Header["etag"]
	}
	return err
}

// deleteDraft forgets a draft; one that is gone already is fine.
func (h *web) deleteDraft(r *http.Request, d draft) error {
	_, err := h.api.Call(r, Request{Route: "DELETE /drafts/{draftId}", Path: map[string]string{"draftId": d.ID}})
	if p, ok := errors.AsType[*Problem](err); ok && p.Status == http.StatusNotFound {
		return nil
	}
	return err
}

// drafts lists those of the signed-in person.
func (h *web) drafts(r *http.Request) ([]draft, error) {
	var list struct{ Drafts []json.RawMessage }
	if _, err := h.api.Get(r, Request{Route: "GET /drafts"}, &list); err != nil {
		return nil, err
	}
	all := make([]draft, len(list.Drafts))
	for i, text := range list.Drafts {
		if err := json.Unmarshal(text, &all[i]); err != nil {
			return nil, err
		}
	}
	return all, nil
}
