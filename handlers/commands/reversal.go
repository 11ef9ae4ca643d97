package commands

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"milepost/domain/quote"
	"milepost/internal/api"
	"milepost/internal/quotes/readmodel"
)

// Preview is what undoing an event would come to.
type Preview struct {
	QuoteID   string `json:"quoteId"`
	Version   int    `json:"version"`
	EventType string `json:"eventType"`
	// Also are the later events that have to be undone with it.
	Also   []EventName `json:"also"`
	Before Brief       `json:"before"`
	After  Brief       `json:"after"`
}

// EventName names an event of a quote.
type EventName struct {
	Version   int    `json:"version"`
	EventType string `json:"eventType"`
}

// Brief is a quote in short.
type Brief struct {
	Status   quote.Status `json:"status"`
	Revision int          `json:"revision"`
	// TotalPremium is "" where there is no price.
	TotalPremium string `json:"totalPremium,omitempty"`
}

// preview answers what undoing an event would come to, and does nothing.
func (h *handler) preview(ctx context.Context, r events.APIGatewayV2HTTPRequest, caller api.Caller) (events.APIGatewayV2HTTPResponse, error) {
	history, err := h.quotes.Load(ctx, r.PathParameters["quoteId"])
	if err != nil {
		return api.Respond(err)
	}
	q := history.Quote
	if err := (route{staff: true}).allows(caller, q); err != nil {
		return api.Respond(err)
	}
	version, err := strconv.Atoi(r.PathParameters["version"])
	if err != nil {
		return api.Respond(api.NotFound)
	}
	decoded, err := history.Decoded()
	if err != nil {
		return api.Respond(err)
	}
	undoing, err := quote.IfUndone(decoded, version)
	if err != nil {
		return api.Respond(err)
	}
	now := time.Now()
	before := readmodel.Project(history).At(now)
	history.Quote = undoing.After
	after := readmodel.Project(history).At(now)
	p := Preview{QuoteID: q.ID, Version: version, EventType: undoing.Event.Type, Also: []EventName{}, Before: brief(before), After: brief(after)}
	for _, e := range undoing.Also {
		p.Also = append(p.Also, EventName{e.Version, e.Type})
	}
	api.LogRead(ctx, caller, "reversal", q.CustomerID, q.ID)
	return api.JSON(http.StatusOK, p, map[string]string{"etag": api.ETag(before.Version)})
}

func brief(p readmodel.Projection) Brief {
	b := Brief{Status: p.Status, Revision: p.Revision}
	if p.Outcome != nil && p.Premium != nil {
		b.TotalPremium = p.TotalPremium.String()
	}
	return b
}
