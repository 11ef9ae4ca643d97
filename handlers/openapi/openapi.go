// Package openapi is the function behind GET /openapi.yaml: it serves the API's document to anyone.
package openapi

import (
	"context"
	"net/http"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"milepost/internal/api"
	"milepost/internal/platform"
	"milepost/schemas"
)

// New makes the handler. It needs no variables.
func New(env platform.Environment) (lambda.Handler, error) {
	return api.Handler(env, serve), nil
}

func serve(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	document, err := schemas.Document()
	if err != nil {
		return api.Respond(err)
	}
	return events.APIGatewayV2HTTPResponse{
		StatusCode: http.StatusOK, Headers: map[string]string{"content-type": "application/yaml"}, Body: string(document),
	}, nil
}
