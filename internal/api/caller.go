package api

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-lambda-go/events"

	"milepost/internal/platform"
)

// Caller is who makes a request, as the token says that the gateway has checked.
type Caller struct {
	// Subject is the customer's or the employee's id.
	Subject string
	scopes  []string
}

// maxSubject is how long the id of a customer or an employee may be.
const maxSubject = 200

// staffScope is what a token of an employee has, seniorScope what that of a senior underwriter has besides.
const (
	staffScope  = "staff"
	seniorScope = "senior"
)

// CallerOf reads the caller of a request.
func CallerOf(r events.APIGatewayV2HTTPRequest) (Caller, error) {
	if r.RequestContext.Authorizer == nil || r.RequestContext.Authorizer.JWT == nil {
		return Caller{}, NewProblem(http.StatusUnauthorized, "no-token", "No token", "Send a bearer token.")
	}
	claims := r.RequestContext.Authorizer.JWT.Claims
	subject := claims["sub"]
	if subject == "" || len(subject) > maxSubject {
		return Caller{}, NewProblem(http.StatusForbidden, "no-subject", "The token names nobody",
			"The token needs a claim sub of 1 to %d characters.", maxSubject)
	}
	return Caller{Subject: subject, scopes: scopesOf(claims)}, nil
}

// scopesOf are the scopes of a token as the gateway reads them: from scope, or from scp if there is none; a text with
// spaces between them or a list, which the gateway passes on as "[a b]".
func scopesOf(claims map[string]string) []string {
	claim, ok := claims["scope"]
	if !ok {
		claim = claims["scp"]
	}
	if list, ok := strings.CutPrefix(claim, "["); ok {
		claim = strings.TrimSuffix(list, "]")
	}
	return strings.Fields(claim)
}

// Staff reports whether the caller is an employee. For the data of one customer use AsStaff.
func (c Caller) Staff() bool { return slices.Contains(c.scopes, staffScope) }

// AsStaff reports whether the caller reads and acts on a customer's data as an employee. An employee who is that
// customer acts as a customer.
func (c Caller) AsStaff(customerID string) bool { return c.Staff() && c.Subject != customerID }

// Senior reports whether the caller is a senior underwriter.
func (c Caller) Senior() bool { return c.Staff() && slices.Contains(c.scopes, seniorScope) }

// MayRead reports whether the caller may read a customer's data.
func (c Caller) MayRead(customerID string) bool {
	return c.Subject == customerID || c.Staff()
}

// LogRead records in the log that an employee read personal data: who, of which quotes or customer, and what was read,
// such as "explanation". Customers who read their own data leave no record, nor does a read that finds nothing.
func LogRead(ctx context.Context, c Caller, what, customerID string, quoteIDs ...string) {
	if !c.AsStaff(customerID) || len(quoteIDs) == 0 {
		return
	}
	attrs := []slog.Attr{slog.String("what", what), slog.String("customer_id", customerID)}
	if len(quoteIDs) == 1 {
		platform.Note(ctx, platform.Subject{QuoteID: quoteIDs[0]})
	} else {
		attrs = append(attrs, slog.Any("quote_ids", quoteIDs))
	}
	platform.Log(ctx, "read", attrs...)
}
