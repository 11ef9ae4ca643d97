package api

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/aws/aws-lambda-go/events"
)

// ETag is the entity tag of a quote at a version.
func ETag(version int) string { return strconv.Quote(strconv.Itoa(version)) }

// IfMatch is the version that a request names by the ETag of its If-Match header, 0 if it names none or any (*). A
// guarded request must name one.
func IfMatch(r events.APIGatewayV2HTTPRequest, guarded bool) (int, error) {
	tag := strings.TrimSpace(r.Headers["if-match"])
	if tag == "*" || tag == "" && !guarded {
		return 0, nil
	}
	if tag == "" {
		return 0, NewProblem(http.StatusPreconditionRequired, "no-version", "The command has to name a version",
			"Send the ETag of the quote that you have seen as If-Match.")
	}
	if version, _ := strconv.Atoi(strings.Trim(tag, `"`)); version > 0 && tag == ETag(version) {
		return version, nil
	}
	return 0, NewProblem(http.StatusBadRequest, "bad-version", "The If-Match header cannot be used",
		"Send one ETag as the API returned it, such as \"4\".")
}
