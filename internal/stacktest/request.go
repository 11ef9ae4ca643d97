package stacktest

import (
	"encoding/json"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"milepost/local/lambda"
)

// Bearer is what the gateway passes on of a token that it has verified.
func Bearer(subject, scope string) *events.APIGatewayV2HTTPRequestContextAuthorizerDescription {
	return &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{
		JWT: &events.APIGatewayV2HTTPRequestContextAuthorizerJWTDescription{Claims: map[string]string{"sub": subject, "scope": scope}},
	}
}

// MustAnswer is the answer of a handler behind the API.
func MustAnswer(tb testing.TB, h lambda.Handler, r events.APIGatewayV2HTTPRequest) events.APIGatewayV2HTTPResponse {
	tb.Helper()
	payload, err := json.Marshal(r)
	if err != nil {
		tb.Fatal(err)
	}
	out, err := h.Invoke(tb.Context(), payload)
	if err != nil {
		tb.Fatal(err)
	}
	var response events.APIGatewayV2HTTPResponse
	if err := json.Unmarshal(out, &response); err != nil {
		tb.Fatal(err)
	}
	return response
}
