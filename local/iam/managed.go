package iam

import (
	"strings"
	"sync/atomic"

	"milepost/local/awsapi"
)

const (
	writeLogs   = "logs:CreateLogGroup logs:CreateLogStream logs:PutLogEvents"
	writeTraces = "xray:PutTraceSegments xray:PutTelemetryRecords xray:GetSamplingRules xray:GetSamplingTargets xray:GetSamplingStatisticSummaries"
)

// managed has the actions that each policy managed by AWS allows on every resource, by the policy's path and name.
var managed = map[string]string{
	"service-role/AWSLambdaBasicExecutionRole":    writeLogs,
	"service-role/AWSLambdaDynamoDBExecutionRole": "dynamodb:DescribeStream dynamodb:GetRecords dynamodb:GetShardIterator dynamodb:ListStreams " + writeLogs,
	"service-role/AWSLambdaSQSQueueExecutionRole": "sqs:ReceiveMessage sqs:DeleteMessage sqs:GetQueueAttributes " + writeLogs,
	"service-role/AWSLambdaRole":                  "lambda:InvokeFunction",
	"AWSXrayWriteOnlyAccess":                      writeTraces,
	"AWSXRayDaemonWriteAccess":                    writeTraces,
}

const managedPrefix = "arn:" + awsapi.Partition + ":iam::aws:policy/"

// ManagedPolicyARN returns the ARN of a policy managed by AWS, by its bare name.
func ManagedPolicyARN(name string) (string, bool) {
	for path := range managed {
		if path == name || strings.HasSuffix(path, "/"+name) {
			return managedPrefix + path, true
		}
	}
	return "", false
}

// ManagedPolicy returns a policy managed by AWS. One whose content is not known here is refused.
func ManagedPolicy(arn string) (*Policy, error) {
	path, ok := strings.CutPrefix(arn, managedPrefix)
	actions, known := managed[path]
	if !ok || !known {
		return nil, awsapi.Unsupported("the managed policy " + arn)
	}
	written := strings.Fields(actions)
	s := &statement{is: &awsapi.Statement{Policy: arn, Index: 1}, actions: lower(written), written: written, resources: []string{"*"}, used: make([]atomic.Bool, len(written))}
	return &Policy{Name: arn, Managed: true, statements: []*statement{s}}, nil
}
