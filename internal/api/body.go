package api

import (
	"bytes"
	"encoding/base64"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

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

// DecodeBody reads the body of a request into v. It refuses anything that is not exactly one value of the component in
// the OpenAPI document, with an error that becomes a Problem.
func DecodeBody(r events.APIGatewayV2HTTPRequest, component string, v any) error {
	media, _, err := mime.ParseMediaType(r.Headers["content-type"])
	if err != nil || media != "application/json" {
		return NewProblem(http.StatusUnsupportedMediaType, "not-json", "The body is not JSON",
			"Send the body as application/json.")
	}
	body, err := textOf(r)
	if err != nil {
		return err
	}
	if depth(body) > maxDepth {
		return NewProblem(http.StatusBadRequest, "too-deep", "The body is nested too deep",
			"A body nests at most %d levels.", maxDepth)
	}
	return schemas.DecodeBody(component, body, v)
}

// NoBody refuses a body of a request that takes none, so that nobody believes it was read. An empty object is allowed,
// because many clients send one if there is nothing to send.
func NoBody(r events.APIGatewayV2HTTPRequest) error {
	if body := strings.TrimSpace(r.Body); body == "" || body == "{}" {
		return nil
	}
	return NewProblem(http.StatusBadRequest, "unexpected-body", "The request has a body",
		"%s takes none, and nothing was done. Send it without a body.", r.RouteKey)
}

// textOf is the body of a request as UTF-8, without a byte order mark. The gateway encodes in base64 what is not.
func textOf(r events.APIGatewayV2HTTPRequest) ([]byte, error) {
	body := []byte(r.Body)
	if r.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(r.Body); err != nil {
			return nil, NewProblem(http.StatusUnsupportedMediaType, "not-json", "The body is not JSON", "It cannot be read.")
		}
	}
	if len(body) > maxBody {
		return nil, NewProblem(http.StatusRequestEntityTooLarge, "too-large", "The body is too large",
			"A body has at most %d bytes; this one has %d.", maxBody, len(body))
	}
	coding := strings.TrimSpace(r.Headers["content-encoding"])
	if coding != "" && !strings.EqualFold(coding, "identity") || bytes.HasPrefix(body, gzipMagic) {
		return nil, NewProblem(http.StatusUnsupportedMediaType, "compressed", "The body is compressed",
			"Send the body as plain JSON, without Content-Encoding.")
	}
	if !utf8.Valid(body) {
		return nil, NewProblem(http.StatusBadRequest, "not-utf8", "The body is not UTF-8",
			"JSON is UTF-8 text; encode the body so.")
	}
	if bytes.ContainsRune(body, utf8.RuneError) {
		return nil, NewProblem(http.StatusBadRequest, "not-utf8", "The body has lost characters",
			"It holds U+FFFD, which stands where text was decoded wrongly. Send the text as it was.")
	}
	return bytes.TrimPrefix(body, byteOrderMark), nil
}

var (
	gzipMagic     = []byte{0x1f, 0x8b}
	byteOrderMark = []byte("\ufeff")
)

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
	key, sent := r.Headers["idempotency-key"]
	if sent && key == "" || len(key) > maxKey || strings.ContainsFunc(key, func(c rune) bool { return c < '!' || c > '~' }) {
		return "", NewProblem(http.StatusBadRequest, "bad-key", "The Idempotency-Key cannot be used",
			"A key has 1 to %d visible ASCII characters.", maxKey)
	}
	return key, nil
}
