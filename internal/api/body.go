package api

import (
	"mime"
	"net/http"
	"strings"

	"github.com/aws/aws-lambda-go/events"

	"milepost/internal/bounds"
	"milepost/schemas"
)

// Bounds on a request, checked before anything is decoded.
const (
	maxBody  = bounds.Body
	maxDepth = 16
	maxKey   = 255
)

// DecodeBody reads the body of a request into v. It refuses, with what becomes a Problem, whatever is
// not exactly one value of the component in the OpenAPI document.
func DecodeBody(r events.APIGatewayV2HTTPRequest, component string, v any) error {
	media, _, err := mime.ParseMediaType(r.Headers["content-type"])
	// The gateway encodes what is not text.
	if err != nil || media != "application/json" || r.IsBase64Encoded {
		return NewProblem(http.StatusUnsupportedMediaType, "not-json", "The body is not JSON",
			"Send the body as application/json.")
	}
	if len(r.Body) > maxBody {
		return NewProblem(http.StatusRequestEntityTooLarge, "too-large", "The body is too large",
			"A body has at most %d bytes; this one has %d.", maxBody, len(r.Body))
	}
	body := []byte(r.Body)
	if depth(body) > maxDepth {
		return NewProblem(http.StatusBadRequest, "too-deep", "The body is nested too deep",
			"A body nests at most %d levels.", maxDepth)
	}
	return schemas.DecodeBody(component, body, v)
}

// depth is how deep a JSON text nests, without decoding it.
func depth(text []byte) int {
	deepest, open := 0, 0
	inString, escaped := false, false
	for _, c := range text {
		switch {
		case escaped:
			escaped = false
		case inString:
			escaped, inString = c == '\\', c != '"'
		case c == '"':
			inString = true
		case c == '{' || c == '[':
			open++
			deepest = max(deepest, open)
		case c == '}' || c == ']':
			open--
		}
	}
	return deepest
}

// IdempotencyKey is the key that makes a repeated request harmless, "" when there is none.
func IdempotencyKey(r events.APIGatewayV2HTTPRequest) (string, error) {
	key := r.Headers["idempotency-key"]
	if len(key) > maxKey || strings.ContainsFunc(key, func(c rune) bool { return c < '!' || c > '~' }) {
		return "", NewProblem(http.StatusBadRequest, "bad-key", "The Idempotency-Key cannot be used",
			"A key has 1 to %d visible ASCII characters.", maxKey)
	}
	return key, nil
}
