package api

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"

	"github.com/aws/aws-lambda-go/events"

	"milepost/internal/platform"
)

// traceHeader is the header by which an employee requests a trace of what follows from a request.
const traceHeader = "milepost-trace"

// shareOf reads the share of requests that are traced beyond those that Lambda samples, 0 if there is no variable.
func shareOf(env platform.Environment) (float64, error) {
	text := ""
	if env.Getenv != nil {
		text = env.Getenv("TRACED_SHARE")
	}
	if text == "" {
		return 0, nil
	}
	share, err := strconv.ParseFloat(text, 64)
	if err != nil || share < 0 || share > 1 {
		return 0, fmt.Errorf("TRACED_SHARE is %q, not a share from 0 to 1", text)
	}
	return share, nil
}

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
