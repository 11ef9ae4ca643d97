package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"milepost/local/awsapi"
	"milepost/local/eventbridge"
	"milepost/local/stepfunctions"
)

// targets delivers events to the targets of rules.
type targets struct{ stack *Stack }

// Deliver hands an event to a function or a queue. Other targets were refused when the Stack opened.
func (t targets) Deliver(ctx context.Context, d eventbridge.Delivery) error {
	s := t.stack
	service := strings.Split(d.TargetARN, ":")[2]
	action := map[string]string{"lambda": "lambda:InvokeFunction", "sqs": "sqs:SendMessage"}[service]
	if !s.allows(ctx, eventsPrincipal, action, d.TargetARN, d.RuleARN) {
		return &eventbridge.DeliveryError{Code: "NO_PERMISSIONS",
			Message: fmt.Sprintf("%s does not let %s do %s for %s", d.TargetARN, eventsPrincipal, action, d.RuleARN)}
	}
	var err error
	if service == "lambda" {
		err = s.functions.InvokeAsync(ctx, d.TargetARN, d.Payload)
	} else {
		err = s.queues.Send(ctx, d.TargetARN, string(d.Payload), nil)
	}
	return deliveryError(err)
}

// deliveryError says in EventBridge's words why a target did not take an event.
func deliveryError(err error) error {
	if err == nil {
		return nil
	}
	e := awsapi.AsError(err)
	switch {
	case strings.Contains(e.Code, "NotFound") || strings.Contains(e.Code, "DoesNotExist"):
		return &eventbridge.DeliveryError{Code: "NO_RESOURCE", Message: e.Message}
	case e.Code == "TooManyRequestsException":
		return &eventbridge.DeliveryError{Code: "THROTTLING", Message: e.Message, Retryable: true}
	case e.StatusCode() < http.StatusInternalServerError:
		return &eventbridge.DeliveryError{Code: "SDK_CLIENT_ERROR", Message: e.Message}
	}
	return &eventbridge.DeliveryError{Code: "TARGET_ERROR", Message: e.Message, Retryable: true}
}

// tasks does the work of the state machines' tasks.
type tasks struct{ stack *Stack }

// Run calls a function with the permissions of the state machine's role. Other integrations were refused
// when the Stack opened.
func (t tasks) Run(ctx context.Context, call stepfunctions.TaskCall) (json.RawMessage, error) {
	caller, err := t.stack.serviceCaller(call.RoleARN)
	if err != nil {
		return nil, err
	}
	ctx = awsapi.WithCaller(ctx, caller)
	if call.Action == "" {
		result, err := t.stack.invokeTask(ctx, call.Resource, call.Parameters)
		return result.payload, err
	}
	var in struct {
		FunctionName   string
		Payload        json.RawMessage
		InvocationType string
		ClientContext  string
		LogType        string
		Qualifier      string
	}
	if err := awsapi.Decode(call.Parameters, &in); err != nil {
		return nil, err
	}
	if in.InvocationType != "" && in.InvocationType != "RequestResponse" || in.ClientContext != "" || in.LogType != "" || in.Qualifier != "" {
		return nil, awsapi.Unsupported("lambda:invoke with InvocationType, ClientContext, LogType or Qualifier")
	}
	result, err := t.stack.invokeTask(ctx, in.FunctionName, in.Payload)
	if err != nil {
		return nil, err
	}
	return json.Marshal(invokeOutput{
		ExecutedVersion: "$LATEST", Payload: result.payload, StatusCode: http.StatusOK,
		SdkHttpMetadata: sdkHTTPMetadata{
			HttpHeaders: map[string]string{
				"Connection": "keep-alive", "Content-Length": fmt.Sprint(len(result.payload)), "Content-Type": "application/json",
				"Date": time.Now().UTC().Format(http.TimeFormat), "X-Amz-Executed-Version": "$LATEST", "x-amzn-RequestId": result.requestID,
			},
			HttpStatusCode: http.StatusOK,
		},
		SdkResponseMetadata: sdkResponseMetadata{RequestId: result.requestID},
	})
}

// invokeOutput is the output of lambda:invoke.
type invokeOutput struct {
	ExecutedVersion     string
	Payload             json.RawMessage
	SdkHttpMetadata     sdkHTTPMetadata
	SdkResponseMetadata sdkResponseMetadata
	StatusCode          int
}

type sdkHTTPMetadata struct {
	AllHttpHeaders map[string][]string `json:",omitempty"`
	HttpHeaders    map[string]string
	HttpStatusCode int
}

type sdkResponseMetadata struct{ RequestId string }

type taskResult struct {
	payload   json.RawMessage
	requestID string
}

// invokeTask calls a function and names its failure as Retry and Catch see it.
func (s *Stack) invokeTask(ctx context.Context, function string, payload json.RawMessage) (taskResult, error) {
	arn := awsapi.ARN("lambda", "function:"+nameOf(function))
	if err := awsapi.Authorize(ctx, "lambda:InvokeFunction", arn); err != nil {
		return taskResult{}, &stepfunctions.TaskError{Name: "Lambda.AWSLambdaException", Cause: err.Error()}
	}
	result, err := s.functions.Invoke(ctx, arn, payload)
	if err != nil {
		return taskResult{}, &stepfunctions.TaskError{Name: "Lambda." + awsapi.AsError(err).Code, Cause: awsapi.AsError(err).Message}
	}
	if result.FunctionError != "" {
		var document struct {
			ErrorType string `json:"errorType"`
		}
		if json.Unmarshal(result.Payload, &document) != nil || document.ErrorType == "" {
			document.ErrorType = "Lambda.Unknown"
		}
		return taskResult{}, &stepfunctions.TaskError{Name: document.ErrorType, Cause: string(result.Payload)}
	}
	return taskResult{payload: result.Payload, requestID: result.RequestID}, nil
}
