package api

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-lambda-go/events"

	"milepost/domain/quote"
	"milepost/internal/platform"
)

// Caller is who makes a request, as the token says that the gateway has checked.
type Caller struct {
	// Subject is the customer's or the employee's id.
	Subject string
	scopes  []string
	// agency is a broker's, "" of anybody else.
	agency string
}

// maxSubject is how long the id of a customer or an employee may be.
const maxSubject = 200

// staffScope is what a token of an employee has, seniorScope what that of a senior underwriter has besides, and
// brokerScope what that of a broker has.
const (
	staffScope  = "staff"
	seniorScope = "senior"
	brokerScope = "broker"
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
	c := Caller{Subject: subject, scopes: scopesOf(claims)}
	if quote.IsClient(subject) {
		return Caller{}, NewProblem(http.StatusForbidden, "no-subject", "The token names a client of an agency",
			"Subjects that begin with client: are names that agencies have for their clients; nobody signs in with one.")
	}
	if slices.Contains(c.scopes, brokerScope) {
		if c.agency = claims["agency"]; !quote.ValidAgency(c.agency) {
			return Caller{}, NewProblem(http.StatusForbidden, "no-agency", "The token names no agency",
				"A broker's token needs a claim agency of 1 to 40 small letters, digits and hyphens.")
		}
	}
	return c, nil
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

// Agency returns the agency of a broker, "" of anybody else.
func (c Caller) Agency() string { return c.agency }

// MayRead reports whether the caller may read a customer's data: the customer, employees, and the brokers of the agency
// whose client the customer is.
func (c Caller) MayRead(customerID string) bool {
	return c.Subject == customerID || c.Staff() || c.agency != "" && quote.AgencyOf(customerID) == c.agency
}

// Customer returns for whom the caller requests quotes. Brokers name their client in the header On-Behalf-Of; anybody
// else requests them for themselves.
func (c Caller) Customer(r events.APIGatewayV2HTTPRequest) (string, error) {
	client, named := r.Headers["on-behalf-of"]
	switch {
	case !named && c.agency == "":
		return c.Subject, nil
	case !named && slices.Contains(c.scopes, customerScope):
		return c.Subject, nil
	case c.agency == "":
		return "", NewProblem(http.StatusForbidden, "no-broker", "Only brokers request quotes for others",
			"Leave out On-Behalf-Of, or send a broker's token.")
	case !named:
		return "", NewProblem(http.StatusBadRequest, "no-client", "The request names no client",
			"A broker names the client in On-Behalf-Of.")
	}
	id, ok := quote.ClientID(c.agency, client)
	if !ok {
		return "", NewProblem(http.StatusBadRequest, "bad-client", "The client's name cannot be used",
			"On-Behalf-Of is what your agency calls the client: 1 to 80 letters, digits, dots, hyphens and underscores.")
	}
	return id, nil
}

// customerScope is what a token of a customer has.
const customerScope = "quotes"

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
