package quotes

import (
	"context"
	"net/http"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/govalues/decimal"

	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/domain/rating"
	"milepost/internal/api"
)

// comparison is how a quote differs from what it was.
type comparison struct {
	QuoteID string  `json:"quoteId"`
	Before  version `json:"before"`
	After   version `json:"after"`
	// Changed names what was requested differently, in words, and Difference how the prices differ; it is nil unless both
	// have one.
	Changed    []string           `json:"changed"`
	Difference *rating.Difference `json:"difference,omitempty"`
}

// version is a quote at a version.
type version struct {
	Version         int              `json:"version"`
	Revision        int              `json:"revision"`
	QuoteDate       civil.Date       `json:"quoteDate"`
	EffectiveDate   civil.Date       `json:"effectiveDate"`
	TermMonths      int              `json:"termMonths"`
	Outcome         rating.Outcome   `json:"outcome,omitempty"`
	RatePlanVersion string           `json:"ratePlanVersion,omitempty"`
	TotalPremium    *decimal.Decimal `json:"totalPremium,omitempty"`
}

func versionOf(q quote.Quote) version {
	v := version{
		Version: q.Version, Revision: q.Number, QuoteDate: q.QuoteDate, EffectiveDate: q.Request.EffectiveDate,
		TermMonths: q.Request.TermMonths, Outcome: q.Outcome(),
	}
	if q.Rating != nil {
		v.RatePlanVersion = q.Rating.RatePlanVersion
		if q.Rating.Price != nil {
			v.TotalPremium = &q.Rating.TotalPremium
		}
	}
	return v
}

// comparison compares a quote, as it is or was at asOf, with what it was at another version or time. What changed is
// told of the requests alone: what reports contain is not the customer's to know.
func (h *handler) comparison(ctx context.Context, r events.APIGatewayV2HTTPRequest, caller api.Caller) (events.APIGatewayV2HTTPResponse, error) {
	after, err := h.whole(ctx, r, caller)
	if err != nil {
		return api.Respond(err)
	}
	now := time.Now()
	before, _, err := past(after, r, "with", now)
	if err != nil {
		return api.Respond(err)
	}
	if _, ok := r.QueryStringParameters["asOf"]; ok {
		if after, _, err = past(after, r, "asOf", now); err != nil {
			return api.Respond(err)
		}
	}
	a, b := before.Quote, after.Quote
	c := comparison{QuoteID: b.ID, Before: versionOf(a), After: versionOf(b), Changed: quote.Changed(a.Request, b.Request)}
	if c.Changed == nil {
		c.Changed = []string{}
	}
	if a.Rating != nil && b.Rating != nil {
		difference, ok, err := rating.Compare(a.Rating.Price, b.Rating.Price)
		if err != nil {
			return api.Respond(err)
		}
		if ok {
			c.Difference = &difference
		}
	}
	api.LogRead(ctx, caller, "comparison", b.CustomerID, b.ID)
	return api.JSON(http.StatusOK, c, nil)
}
