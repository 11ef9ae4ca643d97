package wiring

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// These are written out: a generic function over clients, as sync.OnceValue is, makes the linker keep all their
// methods, which is some megabytes in the binary of the functions.

// DynamoDB returns the client of DynamoDB.
func (s *System) DynamoDB() *dynamodb.Client {
	if s.dynamoDB == nil {
		s.dynamoDB = dynamodb.NewFromConfig(s.aws)
	}
	return s.dynamoDB
}

// EventBridge returns the client of EventBridge.
func (s *System) EventBridge() *eventbridge.Client {
	if s.eventBridge == nil {
		s.eventBridge = eventbridge.NewFromConfig(s.aws)
	}
	return s.eventBridge
}

// Gateway returns the client of the calls on connections of the WebSocket API. It needs LIVE_URL, the address to which
// pages connect.
func (s *System) Gateway() *apigatewaymanagementapi.Client {
	if s.gateway == nil {
		scheme, rest, _ := strings.Cut(s.Required("LIVE_URL"), "://")
		host, stage, _ := strings.Cut(rest, "/")
		endpoint := strings.Replace(scheme, "ws", "http", 1) + "://" + host
		if s.aws.BaseEndpoint != nil { // where all services are
			endpoint = *s.aws.BaseEndpoint
		}
		endpoint += "/" + stage
		s.gateway = apigatewaymanagementapi.NewFromConfig(s.aws, func(o *apigatewaymanagementapi.Options) { o.BaseEndpoint = &endpoint })
	}
	return s.gateway
}

// KMS returns the client of KMS.
func (s *System) KMS() *kms.Client {
	if s.kms == nil {
		s.kms = kms.NewFromConfig(s.aws)
	}
	return s.kms
}

// Lambda returns the client of Lambda.
func (s *System) Lambda() *lambda.Client {
	if s.lambda == nil {
		s.lambda = lambda.NewFromConfig(s.aws)
	}
	return s.lambda
}

// S3 returns the client of S3.
func (s *System) S3() *s3.Client {
	if s.s3 == nil {
		s.s3 = s3.NewFromConfig(s.aws)
	}
	return s.s3
}

// SQS returns the client of SQS.
func (s *System) SQS() *sqs.Client {
	if s.sqs == nil {
		s.sqs = sqs.NewFromConfig(s.aws)
	}
	return s.sqs
}

// StepFunctions returns the client of Step Functions.
func (s *System) StepFunctions() *sfn.Client {
	if s.stepFunctions == nil {
		s.stepFunctions = sfn.NewFromConfig(s.aws)
	}
	return s.stepFunctions
}
