package quotes

import (
	"context"
	"net/http"
	"slices"

	"github.com/aws/aws-lambda-go/events"

	"milepost/domain/quote"
	"milepost/internal/api"
)

// causes are the reasons of a quote's outcome with the facts behind each.
type causes struct {
	QuoteID  string               `json:"quoteId"`
	Version  int                  `json:"version"`
	Revision int                  `json:"revision"`
	Reasons  []quote.CausedReason `json:"reasons"`
}

// causes shows employees why a quote was referred or declined. It comes from the log, and quotes consumer reports.
func (h *handler) causes(ctx context.Context, r events.APIGatewayV2HTTPRequest, caller api.Caller) (events.APIGatewayV2HTTPResponse, error) {
	if !caller.Staff() {
		return api.Respond(api.NotFound)
	}
	_, cover, err := covered(r)
	if err != nil {
		return api.Respond(err)
	}
	history, _, err := h.history(ctx, r, caller)
	if err != nil {
		return api.Respond(err)
	}
	q := history.Quote
	if !caller.AsStaff(q.CustomerID) {
		return api.Respond(api.OwnQuote)
	}
	shown := causes{QuoteID: q.ID, Version: q.Version, Revision: q.Number, Reasons: q.Causes()}
	if cover {
		for i := range shown.Reasons {
			shown.Reasons[i].Causes = slices.DeleteFunc(shown.Reasons[i].Causes, func(c quote.Cause) bool { return c.Personal })
		}
	}
	api.LogRead(ctx, caller, "causes", q.CustomerID, q.ID)
	return api.JSON(http.StatusOK, shown, nil)
}
