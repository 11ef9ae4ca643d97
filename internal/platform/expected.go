package platform

import (
	"context"
	"errors"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-xray-sdk-go/v2/xray"
	"github.com/aws/smithy-go"
	smithymiddleware "github.com/aws/smithy-go/middleware"
)

// expected are the error codes, by service, with which a normal race ends: another process was first. So does a
// canceled transaction if only conditions failed.
var expected = map[string]map[string]bool{
	"DynamoDB": {"ConditionalCheckFailedException": true},
	"SFN": {"TaskTimedOut": true, "InvalidToken": true, "TaskDoesNotExist": true,
		"ExecutionAlreadyExists": true},
}

func isExpected(service string, err error) (code string, ok bool) {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return "", false
	}
	if canceled, ok := errors.AsType[*types.TransactionCanceledException](err); ok {
		return api.ErrorCode(), !slices.ContainsFunc(canceled.CancellationReasons, func(r types.CancellationReason) bool {
			return aws.ToString(r.Code) != "None" && aws.ToString(r.Code) != "ConditionalCheckFailed"
		})
	}
	return api.ErrorCode(), expected[service][api.ErrorCode()]
}

// xrayMiddleware is the name under which the X-Ray SDK opens and closes a call's subsegment.
const xrayMiddleware = "XRayInitializeMiddlewareAfter"

type outcomeKey struct{}

// raceIsNoError keeps expected errors from the middleware of the X-Ray SDK, which would mark the call as failed: one
// middleware below it takes the error away and one above it puts it back.
func raceIsNoError(cfg *aws.Config) {
	cfg.APIOptions = append(cfg.APIOptions, func(stack *smithymiddleware.Stack) error {
		above := smithymiddleware.InitializeMiddlewareFunc("RestoreExpectedError", func(ctx context.Context,
			in smithymiddleware.InitializeInput, next smithymiddleware.InitializeHandler) (
			smithymiddleware.InitializeOutput, smithymiddleware.Metadata, error) {
			var hidden error
			out, metadata, err := next.HandleInitialize(context.WithValue(ctx, outcomeKey{}, &hidden), in)
			if hidden != nil {
				err = hidden
			}
			return out, metadata, err
		})
		below := smithymiddleware.InitializeMiddlewareFunc("HideExpectedError", func(ctx context.Context,
			in smithymiddleware.InitializeInput, next smithymiddleware.InitializeHandler) (
			smithymiddleware.InitializeOutput, smithymiddleware.Metadata, error) {
			out, metadata, err := next.HandleInitialize(ctx, in)
			code, ok := isExpected(middleware.GetServiceID(ctx), err)
			segment := xray.GetSegment(ctx)
			if !ok || segment == nil {
				return out, metadata, err
			}
			segment.Lock()
			segment.Error = false
			segment.Unlock()
			_ = segment.AddAnnotation("lost_race", code) // it fails only for values that are no text
			*ctx.Value(outcomeKey{}).(*error) = err
			return out, metadata, nil
		})
		if err := stack.Initialize.Insert(above, xrayMiddleware, smithymiddleware.Before); err != nil {
			return err
		}
		return stack.Initialize.Insert(below, xrayMiddleware, smithymiddleware.After)
	})
}
