package api

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-lambda-go/events"

	"milepost/schemas"
)

// quoteID is what the id of a quote looks like.
var quoteID = regexp.MustCompile(`^[0-9A-HJKMNP-TV-Z]{26}$`)

// notFound are the problems of ids that nothing can have, by their parameters.
var notFound = map[string]*Problem{
	"quoteId": NotFound,
	"draftId": NewProblem(http.StatusNotFound, "not-found", "No such draft", "The id of a draft is a ULID."),
}

// check refuses what is wrong with a request before its operation sees it, and writes the id of a quote or a draft in
// capitals.
func check(r events.APIGatewayV2HTTPRequest) error {
	for name := range notFound {
		if id, ok := r.PathParameters[name]; ok {
			id = strings.ToUpper(id)
			if !quoteID.MatchString(id) {
				return notFound[name]
			}
			r.PathParameters[name] = id
		}
	}
	if id, ok := r.PathParameters["customerId"]; ok && len(id) > maxSubject {
		return NewProblem(http.StatusNotFound, "not-found", "No such customer", "A customer's id has at most %d characters.", maxSubject)
	}
	if len(r.QueryStringParameters) == 0 {
		return nil
	}
	known, err := schemas.QueryParameters(r.RouteKey)
	if err != nil {
		return err
	}
	if known.PassesOver {
		return nil
	}
	if cursor, ok := r.QueryStringParameters["cursor"]; ok && cursor == "" {
		return BadCursor
	}
	var unknown []Violation
	for _, name := range slices.Sorted(maps.Keys(r.QueryStringParameters)) {
		if !slices.Contains(known.Names, name) {
			unknown = append(unknown, Violation{Parameter: shortened(name), Detail: "is not a parameter of this operation"})
		}
	}
	if unknown == nil {
		return nil
	}
	does := "It takes none."
	if len(known.Names) > 0 {
		does = "It takes " + strings.Join(known.Names, ", ") + "."
	}
	p := NewProblem(http.StatusBadRequest, "unknown-parameter", "The request has an unknown query parameter",
		"The parameters under errors are unknown to this operation. %s", does)
	p.Errors = unknown[:min(len(unknown), maxViolations)]
	return p
}

// maxViolations is how many unknown parameters are named, and maxName how much of a name.
const (
	maxViolations = 10
	maxName       = 60
)

func shortened(name string) string {
	if len(name) <= maxName {
		return name
	}
	return strings.ToValidUTF8(name[:maxName], "") + "…"
}
