package api

import (
	"context"
	"math/rand/v2"
	"net/http"

	"github.com/aws/aws-lambda-go/events"

	"milepost/internal/platform"
)

// traceHeader is the header by which an employee requests a trace of what follows from a request.
const traceHeader = "milepost-trace"

// Option changes how a Handler answers.
type Option func(*options)

type options struct {
	// share is that of the requests that are traced beyond those that Lambda samples, from 0 to 1.
	share float64
}

// Traced has a share of the requests traced, from 0 to 1, beyond those that Lambda samples.
func Traced(share float64) Option { return func(o *options) { o.share = share } }

// traced returns the context under which a request is carried out: what follows from it is traced if an employee
// requests that, or if it belongs to the share of traced requests. It is sampled then, whatever Lambda decided about
// the function.
func traced(ctx context.Context, r events.APIGatewayV2HTTPRequest, share float64) (context.Context, error) {
	asked, there := r.Headers[traceHeader]
	if !there {
		if share > 0 && rand.Float64() < share {
			ctx = platform.WithSampling(ctx)
		}
		return ctx, nil
	}
	caller, err := CallerOf(r)
	if err != nil {
		return ctx, err
	}
	if !caller.Staff() {
		return ctx, NewProblem(http.StatusForbidden, "not-traced", "Only staff ask for a trace",
			"Leave the header Milepost-Trace out, or use a token with the scope staff.")
	}
	if asked != "true" {
		return ctx, NewProblem(http.StatusBadRequest, "bad-trace", "The header Milepost-Trace cannot be used", "Send true, or leave it out.")
	}
	return platform.WithSampling(ctx), nil
}
