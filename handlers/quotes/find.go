package quotes

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/internal/api"
	"milepost/internal/quotes/readmodel"
	"milepost/schemas"
)

// find lists the quotes of all customers that employees look for, newest first unless they ask otherwise.
func (h *handler) find(ctx context.Context, r events.APIGatewayV2HTTPRequest, caller api.Caller) (events.APIGatewayV2HTTPResponse, error) {
	if !caller.Staff() {
		return api.Respond(api.NotFound)
	}
	limit, err := api.Limit(r)
	if err != nil {
		return api.Respond(err)
	}
	filter, err := filterOf(r.QueryStringParameters)
	if err != nil {
		return api.Respond(err)
	}
	page, err := h.current.Find(ctx, filter, r.QueryStringParameters["cursor"], limit, time.Now())
	return answerPage(ctx, r, caller, "search", page, err)
}

// answerPage answers with a page of quotes as they read now.
func answerPage(ctx context.Context, r events.APIGatewayV2HTTPRequest, caller api.Caller, what string, page readmodel.Page, err error) (events.APIGatewayV2HTTPResponse, error) {
	if errors.Is(err, readmodel.ErrBadCursor) {
		return api.Respond(api.BadCursor)
	}
	if err != nil {
		return api.Respond(err)
	}
	now := time.Now()
	ids := make([]string, len(page.Quotes))
	for i, line := range page.Quotes {
		page.Quotes[i], ids[i] = line.At(now), line.QuoteID
	}
	api.LogRead(ctx, caller, what, r.PathParameters["customerId"], ids...)
	return api.JSON(http.StatusOK, page, api.NextPage(r, page.Next))
}

// maxCustomer is how long the id of a customer may be.
const maxCustomer = 200

var state = regexp.MustCompile(`^[A-Z]{2}$`)

// readers read the query parameters that say which quotes are looked for, and in which order. Each returns what it takes if it cannot read
// its parameter.
var readers = []struct {
	name string
	read func(text string, f *readmodel.Filter) (takes string)
}{
	{"status", func(text string, f *readmodel.Filter) string {
		f.Status = quote.Status(text)
		return unless(slices.Contains(quote.Statuses, f.Status), "one status of quotes, such as REFERRED")
	}},
	{"state", func(text string, f *readmodel.Filter) string {
		f.State = text
		return unless(state.MatchString(text), "the postal code of a state, such as OH")
	}},
	{"from", func(text string, f *readmodel.Filter) string { return moment(text, &f.FromDay, &f.From) }},
	{"to", func(text string, f *readmodel.Filter) string { return moment(text, &f.ToDay, &f.To) }},
	{"order", func(text string, f *readmodel.Filter) string {
		f.OldestFirst = text == "oldest"
		return unless(f.OldestFirst || text == "newest", "newest or oldest")
	}},
	{"expiring", func(text string, f *readmodel.Filter) string {
		var err error
		f.ExpiringBy, err = civil.ParseDate(text)
		return unless(err == nil, "a day, such as 2026-05-01")
	}},
	{"email", term(quote.TermEmail, "Contact/properties/email", "an e-mail address")},
	{"vin", term(quote.TermVIN, "Vehicle/properties/vin", "a VIN, 17 letters and digits without I, O and Q")},
	{"license", term(quote.TermLicense, "Driver/properties/licenseNumber", "the number of a license, up to 30 letters and digits")},
	{"customer", func(text string, f *readmodel.Filter) string {
		f.CustomerID = text
		return unless(text != "" && len(text) <= maxCustomer, "the id of a customer: the subject of their token")
	}},
}

// term reads a search term: a possible value of a member of a request, in any spelling.
func term(field quote.TermField, member, takes string) func(string, *readmodel.Filter) string {
	return func(text string, f *readmodel.Filter) string {
		t, ok := quote.NewTerm(field, text)
		f.Term = &t
		return unless(ok && len(text) <= maxTerm && schemas.ValidateText(member, t.Value) == nil, takes)
	}
}

// maxTerm is how long what quotes are found by may be.
const maxTerm = 254

// exact are the parameters of which at most one is allowed.
var exact = []string{"customer", "email", "vin", "license"}

func unless(ok bool, takes string) string {
	if ok {
		return ""
	}
	return takes
}

// moment reads a day, or a time in RFC 3339.
func moment(text string, day *civil.Date, at *time.Time) (takes string) {
	var err error
	if *day, err = civil.ParseDate(text); err == nil {
		return ""
	}
	*at, err = time.Parse(time.RFC3339, text)
	return unless(err == nil, "a day where the risk is, such as 2026-05-01, or a time in RFC 3339")
}

// filterOf reads which quotes are looked for. The error names every parameter that cannot be read.
func filterOf(parameters map[string]string) (readmodel.Filter, error) {
	var f readmodel.Filter
	var wrong, given []api.Violation
	for _, name := range exact {
		if _, ok := parameters[name]; ok {
			given = append(given, api.Violation{Parameter: name, Detail: "must not be given together with another of " + strings.Join(exact, ", ")})
		}
	}
	if len(given) > 1 {
		wrong = given
	}
	for _, p := range readers {
		if text, ok := parameters[p.name]; ok {
			if takes := p.read(text, &f); takes != "" {
				wrong = append(wrong, api.Violation{Parameter: p.name, Detail: "must be " + takes})
			}
		}
	}
	if wrong == nil {
		return f, nil
	}
	problem := api.NewProblem(http.StatusBadRequest, "bad-filter", "A filter cannot be used", "Correct the parameters under errors.")
	problem.Errors = wrong
	return f, problem
}
