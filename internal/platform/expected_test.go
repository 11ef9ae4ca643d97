package platform_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-xray-sdk-go/v2/xray"
	"github.com/aws/smithy-go"

	"milepost/internal/platform"
	"milepost/internal/platform/stored"
)

// refusing answers every request with an error code, and keeps the subsegment of the call.
type refusing struct {
	code    string
	reason  string // of the cancellation of a transaction
	segment *xray.Segment
}

func (r *refusing) Do(q *http.Request) (*http.Response, error) {
	r.segment = xray.GetSegment(q.Context())
	return &http.Response{StatusCode: 400, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		Body: io.NopCloser(strings.NewReader(`{"__type":"` + r.code + `","message":"m","CancellationReasons":[{"Code":"None"},{"Code":"` + r.reason + `"}]}`))}, nil
}

func TestALostRaceIsNoErrorInATrace(t *testing.T) {
	table := map[string]struct {
		service, code string
		failed        bool
		reason        string
	}{
		"a conditional write":              {"DynamoDB", "ConditionalCheckFailedException", false, ""},
		"a transaction's":                  {"DynamoDB", "TransactionCanceledException", false, "ConditionalCheckFailed"},
		"transactions in each other's way": {"DynamoDB", "TransactionCanceledException", true, "TransactionConflict"},
		"a missing table":                  {"DynamoDB", "ResourceNotFoundException", true, ""},
		"a task's end":                     {"SFN", "TaskTimedOut", false, ""},
		"a spent token":                    {"SFN", "InvalidToken", false, ""},
		"a task that is gone":              {"SFN", "TaskDoesNotExist", false, ""},
		"a workflow that began":            {"SFN", "ExecutionAlreadyExists", false, ""},
		"a workflow that is not":           {"SFN", "StateMachineDoesNotExist", true, ""},
	}
	for name, row := range table {
		t.Run(name, func(t *testing.T) {
			r := &refusing{code: row.code, reason: row.reason}
			cfg := platform.Traced(aws.Config{Region: "us-east-1", HTTPClient: r,
				Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
					return aws.Credentials{AccessKeyID: "a", SecretAccessKey: "b"}, nil
				})})
			ctx, root := xray.BeginSegment(t.Context(), "test")
			defer root.Close(nil)
			var err error
			if row.service == "SFN" {
				_, err = sfn.NewFromConfig(cfg).SendTaskSuccess(ctx, &sfn.SendTaskSuccessInput{TaskToken: aws.String("t"), Output: aws.String("{}")})
			} else {
				_, err = dynamodb.NewFromConfig(cfg).TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{
					TransactItems: []types.TransactWriteItem{{ConditionCheck: &types.ConditionCheck{TableName: aws.String("table"),
						Key: stored.Item{}, ConditionExpression: aws.String("c")}}}})
			}
			var api smithy.APIError
			if !errors.As(err, &api) || api.ErrorCode() != row.code {
				t.Fatalf("error %v, want %s for the caller", err, row.code)
			}
			s := r.segment
			if failed := s.Error || s.Fault || s.Throttle || s.Cause != nil; failed != row.failed {
				t.Errorf("error=%v fault=%v cause=%v, want failed=%v", s.Error, s.Fault, s.Cause, row.failed)
			}
		})
	}
}
