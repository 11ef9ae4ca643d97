package quotes

import (
	"context"

	"github.com/aws/aws-lambda-go/events"

	"milepost/domain/quote"
	"milepost/internal/api"
	"milepost/internal/quotes/readmodel"
)

// requested is what was requested in a revision, and how far its pricing has got.
type requested struct {
	QuoteID  string        `json:"quoteId"`
	Version  int           `json:"version"`
	Revision int           `json:"revision"`
	Request  quote.Request `json:"request"`
	Progress progress      `json:"progress"`
}

// progress counts the lookups that have answered. What they found is not the business of whoever follows the pricing.
type progress struct {
	Vehicles answered `json:"vehicles"`
	Drivers  answered `json:"drivers"`
	Rated    bool     `json:"rated"`
}

type answered struct {
	Answered int `json:"answered"`
	Of       int `json:"of"`
}

// request shows the request of a quote, which an amendment sends again with what is to change. It comes from the log,
// the only place that has it.
func (h *handler) request(ctx context.Context, r events.APIGatewayV2HTTPRequest, caller api.Caller) (events.APIGatewayV2HTTPResponse, error) {
	options, cover, err := covered(r)
	if err != nil {
		return api.Respond(err)
	}
	history, at, err := h.history(ctx, r, caller, options...)
	if err != nil {
		return api.Respond(err)
	}
	q := history.Quote
	if !cover {
		api.LogRead(ctx, caller, "request", q.CustomerID, q.ID)
	}
	return api.JSON(200, requested{
		QuoteID: q.ID, Version: q.Version, Revision: q.Revision.Number, Request: q.Request,
		Progress: progress{
			Vehicles: answered{len(q.Vehicles), len(q.Request.Vehicles)}, Drivers: answered{len(q.Drivers), len(q.Request.Drivers)},
			Rated: q.Rating != nil,
		},
	}, map[string]string{"etag": api.ETag(readmodel.Project(history).At(at).Version)})
}
