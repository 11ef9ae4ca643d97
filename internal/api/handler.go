package api

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"milepost/internal/platform"
)

// Handler frames fn as the handler of API requests. fn gets the id of a quote as it is stored, in capitals, and never a
// request with an unknown query parameter, unless the operation ignores these. An error that fn returns is answered as
// a problem document; if it is the system's own fault, the invocation's log line says so.
func Handler(env platform.Environment, fn func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error), change ...Option) lambda.Handler {
	begin := platform.Frame(env)
	var o options
	for _, f := range change {
		f(&o)
	}
	return platform.HandlerFunc(func(ctx context.Context, payload []byte) ([]byte, error) {
		var r events.APIGatewayV2HTTPRequest
		if err := json.Unmarshal(payload, &r); err != nil {
			return nil, &platform.BadPayload{Err: err}
		}
		ctx, done := begin(ctx)
		platform.Note(ctx, subject(r))
		var response events.APIGatewayV2HTTPResponse
		err := check(r)
		if err == nil {
			ctx, err = traced(ctx, r, o.share)
		}
		if err == nil {
			response, err = fn(ctx, r)
		}
		if err != nil {
			response, err = Respond(err)
		}
		done(err)
		return json.Marshal(response)
	})
}

// subject is what a request is about: the quote in its path, if that can be one, and who makes it.
func subject(r events.APIGatewayV2HTTPRequest) platform.Subject {
	s := platform.Subject{CorrelationID: r.RequestContext.RequestID}
	if id := strings.ToUpper(r.PathParameters["quoteId"]); quoteID.MatchString(id) {
		s.QuoteID = id
	}
	if caller, err := CallerOf(r); err == nil {
		s.Actor = caller.Subject
	}
	return s
}
