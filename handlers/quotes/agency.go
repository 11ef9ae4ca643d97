package quotes

import (
	"context"
	"net/http"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"milepost/domain/quote"
	"milepost/internal/api"
	"milepost/internal/quotes/readmodel"
)

// ofAgency lists the quotes of an agency's clients, the newest first, to its brokers and to employees. One that was
// submitted a moment ago may be missing.
func (h *handler) ofAgency(ctx context.Context, r events.APIGatewayV2HTTPRequest, caller api.Caller) (events.APIGatewayV2HTTPResponse, error) {
	agency := r.PathParameters["agencyId"]
	if caller.Agency() != agency && !caller.Staff() {
		return api.Respond(api.NewProblem(http.StatusForbidden, "not-yours", "These are another agency's quotes",
			"A broker's token reads the list of its own agency only."))
	}
	if !quote.ValidAgency(agency) {
		return api.Respond(api.NotFound)
	}
	limit, err := api.Limit(r)
	if err != nil {
		return api.Respond(err)
	}
	f := readmodel.Filter{Term: &quote.Term{Field: quote.TermAgency, Value: agency}}
	if status, ok := r.QueryStringParameters["status"]; ok {
		only, err := filterOf(map[string]string{"status": status})
		if err != nil {
			return api.Respond(err)
		}
		f.Status = only.Status
	}
	page, err := h.current.Find(ctx, f, r.QueryStringParameters["cursor"], limit, time.Now())
	return answerPage(ctx, r, caller, "agency", page, err)
}
