package apigateway

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
)

// result is a function's answer in payload format 2.0.
type result struct {
	StatusCode      any            `json:"statusCode"`
	Headers         map[string]any `json:"headers"` // strings, numbers and booleans
	Body            string         `json:"body"`
	IsBase64Encoded bool           `json:"isBase64Encoded"`
	Cookies         []string       `json:"cookies"`
}

// writeResult answers with a function's result: an object with a statusCode is a response; any other JSON is the body
// of one with status 200, a string without its quotes. If the result is not a response at all, writeResult fails and
// writes nothing.
//
// The CORS headers of the function are dropped withCORS, since the gateway then sets its own.
func writeResult(w http.ResponseWriter, payload []byte, withCORS bool) error {
	payload = bytes.TrimSpace(payload)
	var res result
	var text string
	switch {
	case bytes.HasPrefix(payload, []byte("{")):
		err := json.Unmarshal(payload, &res)
		if res.StatusCode != nil {
			if err != nil {
				return err
			}
			return writeStructured(w, &res, withCORS)
		}
		// Without a statusCode the other members may be of any type.
		if _, otherType := errors.AsType[*json.UnmarshalTypeError](err); err != nil && !otherType {
			return err
		}
	case bytes.HasPrefix(payload, []byte(`"`)):
		if err := json.Unmarshal(payload, &text); err != nil {
			return err
		}
		payload = []byte(text)
	case !json.Valid(payload):
		return errors.New("the result is not JSON")
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(payload)
	return nil
}

func writeStructured(w http.ResponseWriter, res *result, withCORS bool) error {
	status, ok := res.StatusCode.(float64)
	if !ok || status != float64(int(status)) || status < 100 || status > 599 {
		return fmt.Errorf("the statusCode %v is not an HTTP status", res.StatusCode)
	}
	body := []byte(res.Body)
	if res.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(res.Body); err != nil {
			return fmt.Errorf("body: %w", err)
		}
	}
	h := http.Header{"Content-Type": {"text/plain;charset=UTF-8"}}
	for name, value := range res.Headers {
		name = http.CanonicalHeaderKey(name)
		if name == "Content-Length" || withCORS && strings.HasPrefix(name, "Access-Control-") {
			continue // the gateway sets these itself
		}
		switch value.(type) {
		case string, float64, bool:
			h.Set(name, fmt.Sprint(value))
		default:
			return fmt.Errorf("header %s is neither text nor number nor boolean", name)
		}
	}
	maps.Copy(w.Header(), h)
	for _, cookie := range res.Cookies {
		w.Header().Add("Set-Cookie", cookie)
	}
	w.WriteHeader(int(status))
	_, _ = w.Write(body)
	return nil
}
