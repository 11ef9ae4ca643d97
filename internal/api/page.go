package api

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"github.com/aws/aws-lambda-go/events"
)

// Page sizes of every list.
const (
	defaultLimit = 20
	maxLimit     = 100
)

// maxAnswer is how many bytes the body of an answer may have as JSON text: what a function answers is a JSON document
// of at most 6 MB, in which the body is a string.
const maxAnswer = 5 << 20

// BadCursor refuses a cursor that did not come from the list.
var BadCursor = NewProblem(http.StatusBadRequest, "bad-cursor", "The cursor cannot be used",
	"Use the value of next from the page before, unchanged.")

// Limit is the maximum number of entries that a request wants on a page.
func Limit(r events.APIGatewayV2HTTPRequest) (int, error) {
	text, ok := r.QueryStringParameters["limit"]
	if !ok {
		return defaultLimit, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxLimit {
		return 0, NewProblem(http.StatusBadRequest, "bad-limit", "The limit cannot be used",
			"The limit is a whole number from 1 to %d.", maxLimit)
	}
	return n, nil
}

// NextPage returns the headers of a page that others follow from a cursor, nil for the last page: the link to the next
// one (RFC 8288), with the other query parameters of the request.
func NextPage(r events.APIGatewayV2HTTPRequest, cursor string) map[string]string {
	if cursor == "" {
		return nil
	}
	query := url.Values{}
	for name, value := range r.QueryStringParameters {
		query.Set(name, value)
	}
	query.Set("cursor", cursor)
	link := url.URL{Path: r.RawPath, RawQuery: query.Encode()}
	return map[string]string{"link": "<" + link.String() + `>; rel="next"`}
}

// Fitting is how many entries fit into one answer, with room for what surrounds them: at least one.
func Fitting[T any](entries []T) (int, error) {
	const around = 4 << 10
	size := around
	for i, e := range entries {
		body, err := JSON(http.StatusOK, e, nil)
		if err != nil {
			return 0, err
		}
		escaped, err := json.Marshal(body.Body)
		if err != nil {
			return 0, err
		}
		if size += len(escaped); size > maxAnswer && i > 0 {
			return i, nil
		}
	}
	return len(entries), nil
}
