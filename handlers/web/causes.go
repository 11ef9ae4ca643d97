package web

import (
	"net/http"
	"net/url"
	"strings"
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

// says is who says so, in words.
func (c cause) says() string { return sources[c.Source] }

// Facts are the causes, with one that another source confirms told once: value, from stated and VIN decoder.
func (r causedReason) Facts() (all []fact) {
	for _, c := range r.Causes {
		if n := len(all); n > 0 && all[n-1].About == c.About && all[n-1].Label == c.Label && strings.EqualFold(all[n-1].Value, c.Value) {
			all[n-1].Says = append(all[n-1].Says, c.says())
			continue
		}
		all = append(all, fact{cause: c, Says: []string{c.says()}})
	}
	return all
}

// fact is a cause with all who say so.
type fact struct {
	cause
	Says []string
}

// causes are the reasons of a quote, as it is or as of a version or moment that is not "".
func (h *web) causes(r *http.Request, quoteID, asOf string, query url.Values) ([]causedReason, error) {
	if asOf != "" {
		query.Set("asOf", asOf)
	}
	var doc struct{ Reasons []causedReason }
	_, err := h.api.Get(r, Request{Route: "GET /quotes/{quoteId}/causes", Path: map[string]string{"quoteId": quoteID}, Query: query}, &doc)
	return doc.Reasons, err
}
