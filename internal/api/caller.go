package api

import (
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-lambda-go/events"
)

// Caller is who makes a request, as the token says that the gateway has checked.
type Caller struct {
	// Subject is the customer's or the employee's id.
	Subject string
	scopes  []string
}

// staffScope is what a token of an employee has.
const staffScope = "staff"

// CallerOf reads the caller of a request.
func CallerOf(r events.APIGatewayV2HTTPRequest) (Caller, error) {
	if r.RequestContext.Authorizer == nil || r.RequestContext.Authorizer.JWT == nil {
		return Caller{}, NewProblem(http.StatusUnauthorized, "no-token", "No token", "Send a bearer token.")
	}
	claims := r.RequestContext.Authorizer.JWT.Claims
	subject := claims["sub"]
	if subject == "" || len(subject) > 200 {
		return Caller{}, NewProblem(http.StatusForbidden, "no-subject", "The token names nobody",
			"The token needs a claim sub of 1 to 200 characters.")
	}
	return Caller{Subject: subject, scopes: strings.Fields(claims["scope"])}, nil
}

// Staff reports whether the caller is an employee.
func (c Caller) Staff() bool { return slices.Contains(c.scopes, staffScope) }

// MayRead reports whether the caller may see what belongs to a customer.
func (c Caller) MayRead(customerID string) bool {
	return c.Subject == customerID || c.Staff()
}
