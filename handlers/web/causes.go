package web

import (
	"net/http"
	"net/url"
	"strconv"
)

// causedReason is a reason with the facts behind it, for staff.
type causedReason struct {
	reason
	Evidence string
	Causes   []cause
}

// cause is a fact behind a reason.
type cause struct{ About, Label, Value, Source string }

// sources say in words who says so.
var sources = map[string]string{"STATED": "stated", "REPORT": "report", "DECODER": "VIN decoder", "RATING": "rating"}

// Says is who says so, in words.
func (c cause) Says() string { return sources[c.Source] }

// causes are the reasons of a quote, as it is or as of a version that is not 0.
func (h *web) causes(r *http.Request, quoteID string, asOf int, query url.Values) ([]causedReason, error) {
	if asOf > 0 {
		query.Set("asOf", strconv.Itoa(asOf))
	}
	var doc struct{ Reasons []causedReason }
	_, err := h.api.Get(r, Request{Route: "GET /quotes/{quoteId}/causes", Path: map[string]string{"quoteId": quoteID}, Query: query}, &doc)
	return doc.Reasons, err
}
