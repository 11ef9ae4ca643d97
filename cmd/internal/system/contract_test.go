package system_test

import (
	"fmt"
	"net/http"
	"strings"

	"milepost/schemas"
)

// documented checks an answer of the API against its OpenAPI document: a problem is a Problem, an answer
// has the schema of its operation, and only what the gateway says by itself is but a message.
func documented(method, target string, r response) error {
	path, _, _ := strings.Cut(target, "?")
	media := r.Header.Get("Content-Type")
	switch {
	case r.Status == http.StatusNotModified:
		if len(r.Body) > 0 {
			return fmt.Errorf("304 has a body")
		}
		return nil
	case media == "application/problem+json":
		if r.Status < 400 {
			return fmt.Errorf("a problem with status %d", r.Status)
		}
		return schemas.ValidateBody("Problem", r.Body)
	case media != "application/json":
		return fmt.Errorf("Content-Type=%q", media)
	case r.Status == http.StatusUnauthorized, r.Status == http.StatusForbidden, r.Status == http.StatusNotFound,
		r.Status == http.StatusRequestEntityTooLarge, r.Status == http.StatusInternalServerError:
		if !strings.HasPrefix(string(r.Body), `{"message":"`) {
			return fmt.Errorf("not the gateway's message")
		}
		return nil
	case method == "POST" && r.Status == http.StatusAccepted:
		return schemas.ValidateBody("QuoteAccepted", r.Body)
	case r.Status != http.StatusOK:
		return fmt.Errorf("status %d is not in the OpenAPI document", r.Status)
	case strings.HasSuffix(path, "/events"):
		return schemas.ValidateBody("AuditLog", r.Body)
	case strings.HasSuffix(path, "/explanation"):
		return schemas.ValidateBody("Explanation", r.Body)
	case strings.HasPrefix(path, "/customers/"):
		return schemas.ValidateBody("QuotePage", r.Body)
	}
	return schemas.ValidateBody("Quote", r.Body)
}
