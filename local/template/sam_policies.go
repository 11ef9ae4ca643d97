package template

import (
	"strconv"
	"strings"

	"milepost/local/awsapi"
	"milepost/local/iam"
)

// A policyTemplate is a policy that SAM makes from one parameter.
type policyTemplate struct {
	parameter string
	actions   string
	// resources are patterns for Fn::Sub after "arn:<partition>:", with ${name} for the parameter.
	resources []string
}

const here = "${AWS::Region}:${AWS::AccountId}:"

var (
	aTable  = []string{"dynamodb:" + here + "table/${name}", "dynamodb:" + here + "table/${name}/index/*"}
	aBucket = []string{"s3:::${name}", "s3:::${name}/*"}
)

var policyTemplates = map[string]policyTemplate{
	"DynamoDBReadPolicy":           {"TableName", "dynamodb:GetItem dynamodb:Scan dynamodb:Query dynamodb:BatchGetItem dynamodb:DescribeTable", aTable},
	"DynamoDBWritePolicy":          {"TableName", "dynamodb:PutItem dynamodb:UpdateItem dynamodb:BatchWriteItem", aTable},
	"DynamoDBCrudPolicy":           {"TableName", "dynamodb:GetItem dynamodb:DeleteItem dynamodb:PutItem dynamodb:Scan dynamodb:Query dynamodb:UpdateItem dynamodb:BatchWriteItem dynamodb:BatchGetItem dynamodb:DescribeTable dynamodb:ConditionCheckItem", aTable},
	"EventBridgePutEventsPolicy":   {"EventBusName", "events:PutEvents", []string{"events:" + here + "event-bus/${name}"}},
	"StepFunctionsExecutionPolicy": {"StateMachineName", "states:StartExecution", []string{"states:" + here + "stateMachine:${name}"}},
	"SQSSendMessagePolicy":         {"QueueName", "sqs:SendMessage*", []string{"sqs:" + here + "${name}"}},
	"SQSPollerPolicy":              {"QueueName", "sqs:ChangeMessageVisibility sqs:ChangeMessageVisibilityBatch sqs:DeleteMessage sqs:DeleteMessageBatch sqs:GetQueueAttributes sqs:ReceiveMessage", []string{"sqs:" + here + "${name}"}},
	"LambdaInvokePolicy":           {"FunctionName", invokeFunction, []string{"lambda:" + here + "function:${name}*"}},
	"SNSPublishMessagePolicy":      {"TopicName", "sns:Publish", []string{"sns:" + here + "${name}"}},
	"S3ReadPolicy":                 {"BucketName", "s3:GetObject s3:ListBucket s3:GetBucketLocation s3:GetObjectVersion s3:GetLifecycleConfiguration", aBucket},
	"S3WritePolicy":                {"BucketName", "s3:PutObject s3:PutObjectAcl s3:PutLifecycleConfiguration", aBucket},
}

// addPolicies adds what the Policies of a serverless resource say: one policy or a list of them,
// each the name or the ARN of a managed policy, a policy document, or a policy template with its
// parameter.
func (l *loader) addPolicies(r *role, name string, policies *node) {
	if policies == nil || policies.isNull() {
		return
	}
	if policies.kind != listNode {
		policies = policies.list(policies)
	}
	for i, p := range policies.items {
		name := name + strconv.Itoa(i)
		switch {
		case p.kind == scalarNode:
			r.attach(l.managedPolicy(p))
		case isIntrinsic(p):
			r.attach(p)
		case p.get("Statement") != nil:
			r.grant(name, p)
		case p.kind == objectNode && len(p.fields) == 1:
			if document := l.fromTemplate(p.fields[0]); document != nil {
				r.grant(name, document)
			}
		default:
			l.problem(p, "a policy is the name of a managed policy, a policy document, or a policy template")
		}
	}
}

// managedPolicy returns the ARN of a managed policy.
func (l *loader) managedPolicy(n *node) *node {
	name := n.str()
	if strings.HasPrefix(name, "arn:"+awsapi.Partition+":") {
		return n
	}
	arn, known := iam.ManagedPolicyARN(name)
	if !known {
		l.problem(n, "the managed policy %q is not supported", name)
	}
	return n.value(arn)
}

func (l *loader) fromTemplate(f field) *node {
	t, known := policyTemplates[f.name]
	if !known {
		l.problem(f.value, "the policy template %s is not supported", f.name)
		return nil
	}
	l.check(f.value, f.name, t.parameter)
	parameter := l.one(f.value, f.name, t.parameter)
	resources := f.value.list()
	for _, r := range t.resources {
		resources.items = append(resources.items, f.value.sub("arn:${AWS::Partition}:"+r, "name", parameter))
	}
	resource := resources
	if len(resources.items) == 1 {
		resource = resources.items[0]
	}
	return f.value.object("Statement", f.value.list(f.value.object(
		"Action", strings.Fields(t.actions), "Effect", "Allow", "Resource", resource)))
}
