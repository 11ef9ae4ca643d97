package web

import (
	"net/http"
	"net/url"
)

// comparison is how a quote differs from what it was, as the API says it.
type comparison struct {
	Before, After struct {
		Version, Revision, TermMonths     int
		QuoteDate, EffectiveDate, Outcome string
		RatePlanVersion, TotalPremium     string
	}
	Changed    []string
	Difference *struct {
		Total     string
		Coverages []struct {
			VehicleID, Code, Difference string
			Before, After               *struct {
				Selection any
				Premium   string
			}
		}
		Other string
	}
}

type compareView struct {
	*quoteView
	Comparison comparison
}

// compare shows a quote beside what it was.
func (h *web) compare(w http.ResponseWriter, r *http.Request) error {
	if err := h.mustSignIn(r, "quotes", "staff", "broker"); err != nil {
		return err
	}
	quote, err := h.loadQuote(r, r.PathValue("quote"))
	if err != nil {
		return err
	}
	v := &compareView{quoteView: quote}
	_, err = h.api.Get(r, Request{Route: "GET /quotes/{quoteId}/comparison", Path: map[string]string{"quoteId": quote.QuoteID}, Query: url.Values{"with": {r.URL.Query().Get("with")}}}, &v.Comparison)
	if err != nil {
		return err
	}
	return h.render(w, r, http.StatusOK, "compare.html", h.frame(r, "What has changed"), v)
}
