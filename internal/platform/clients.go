package platform

import (
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
)

// DynamoDB is a client for tables.
func DynamoDB(env Environment) *dynamodb.Client { return dynamodb.NewFromConfig(env.AWS) }

// EventBridge is a client for buses.
func EventBridge(env Environment) *eventbridge.Client { return eventbridge.NewFromConfig(env.AWS) }

// StepFunctions is a client for state machines.
func StepFunctions(env Environment) *sfn.Client { return sfn.NewFromConfig(env.AWS) }

// KMS is a client for encryption keys.
func KMS(env Environment) *kms.Client { return kms.NewFromConfig(env.AWS) }

// S3 is a client for buckets.
func S3(env Environment) *s3.Client { return s3.NewFromConfig(env.AWS) }
