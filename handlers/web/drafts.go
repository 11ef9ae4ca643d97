package web

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
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
	QuoteID string `json:"-"`
	// Client is for whom a broker quotes, "" of a customer's own.
	Client    string `json:"-"`
	QuoteETag string `json:"-"`
	// tag is the ETag of what was loaded, "" of a new one.
	tag string
}

// mustSignIn refuses those who are not signed in with one of the scopes.
func (h *web) mustSignIn(r *http.Request, scopes ...string) error {
	who, ok := session.From(r.Context())
	if !ok {
		return &Problem{Type: "/problems/no-token", Title: "Please sign in", Status: http.StatusUnauthorized, Detail: "This page is yours alone, so we have to know who you are."}
	}
	if slices.ContainsFunc(scopes, who.Has) {
		return nil
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
	d.opened()
	return d, nil
}

// amends is where a draft's request remembers which quote it changes. It is taken out before anything is requested.
const amends = "amends"

// onBehalfOf is where it remembers a broker's client.
const onBehalfOf = "onBehalfOf"

// opened takes out of a draft's request what the form remembers.
func (d *draft) opened() {
	if d.Request == nil {
		d.Request = map[string]any{}
	}
	if of, ok := d.Request[amends].(map[string]any); ok {
		d.QuoteID, _ = of["quoteId"].(string)
		d.QuoteETag, _ = of["etag"].(string)
	}
	d.Client, _ = d.Request[onBehalfOf].(string)
	delete(d.Request, amends)
	delete(d.Request, onBehalfOf)
}

// saveDraft keeps a draft, unless it was changed since it was loaded.
func (h *web) saveDraft(r *http.Request, d *draft) error {
	header := map[string]string{"if-none-match": "*"}
	if d.tag != "" {
		header = map[string]string{"if-match": d.tag}
	}
	request := maps.Clone(d.Request)
	if d.QuoteID != "" {
		request[amends] = map[string]string{"quoteId": d.QuoteID, "etag": d.QuoteETag}
	}
	if d.Client != "" {
		request[onBehalfOf] = d.Client
	}
	body := map[string]any{"step": d.Step, "request": request}
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
		all[i].opened()
	}
	return all, nil
}
