package console

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/xray"
)

// clients are those of the services that the console asks.
type clients struct {
	cloudFormation *cloudformation.Client
	cloudWatch     *cloudwatch.Client
	cloudTrail     *cloudtrail.Client
	logsClient     *cloudwatchlogs.Client
	dynamoDB       *dynamodb.Client
	eventBridge    *eventbridge.Client
	iam            *iam.Client
	kms            *kms.Client
	lambda         *lambda.Client
	s3             *s3.Client
	sfn            *sfn.Client
	sqs            *sqs.Client
	sts            *sts.Client
	xray           *xray.Client
}

func open(cfg aws.Config) clients {
	return clients{
		cloudTrail: cloudtrail.NewFromConfig(cfg),
		logsClient: cloudwatchlogs.NewFromConfig(cfg), cloudFormation: cloudformation.NewFromConfig(cfg), dynamoDB: dynamodb.NewFromConfig(cfg), eventBridge: eventbridge.NewFromConfig(cfg),
		cloudWatch: cloudwatch.NewFromConfig(cfg), iam: iam.NewFromConfig(cfg),
		s3: s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = cfg.BaseEndpoint != nil }), kms: kms.NewFromConfig(cfg),
		lambda: lambda.NewFromConfig(cfg), sfn: sfn.NewFromConfig(cfg), sqs: sqs.NewFromConfig(cfg), sts: sts.NewFromConfig(cfg),
		xray: xray.NewFromConfig(cfg),
	}
}

// resource is one of the stack.
type resource struct {
	// Logical is its name in the template, Physical its name, ARN or address at its service.
	Logical, Physical, Type, Status, Reason string
}

// resources are those of the stack, read again after a while.
type resources struct {
	stack          string
	cloudFormation *cloudformation.Client
	sts            *sts.Client

	mu      sync.Mutex
	read    time.Time
	all     []resource
	outputs map[string]string
	who     string
}

// kept is for how long the list of resources is believed. A deployment shows after it.
const kept = 15 * time.Second

// load reads what the stack has.
func (s *resources) load(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.read) < kept {
		return nil
	}
	var all []resource
	pages := cloudformation.NewListStackResourcesPaginator(s.cloudFormation, &cloudformation.ListStackResourcesInput{StackName: &s.stack})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, r := range page.StackResourceSummaries {
			all = append(all, resource{
				Logical: aws.ToString(r.LogicalResourceId), Physical: aws.ToString(r.PhysicalResourceId), Type: aws.ToString(r.ResourceType),
				Status: string(r.ResourceStatus), Reason: aws.ToString(r.ResourceStatusReason),
			})
		}
	}
	found, err := s.cloudFormation.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &s.stack})
	if err != nil {
		return err
	}
	outputs := map[string]string{}
	for _, o := range found.Stacks[0].Outputs {
		outputs[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
	}
	s.all, s.outputs, s.read = all, outputs, time.Now()
	return nil
}

// of returns the stack's resources of a type, such as AWS::SQS::Queue, that exist.
func (s *resources) of(ctx context.Context, typ string) (found []resource, err error) {
	if err := s.load(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.all {
		if r.Type == typ && r.Physical != "" && strings.HasSuffix(r.Status, "_COMPLETE") {
			found = append(found, r)
		}
	}
	return found, nil
}

// output returns an output of the stack, "" if it has none of that name.
func (s *resources) output(ctx context.Context, name string) (string, error) {
	if err := s.load(ctx); err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.outputs[name], nil
}

// account says whose account this is, "" while that cannot be told.
func (s *resources) account(ctx context.Context) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.who == "" {
		out, err := s.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		if err != nil {
			return ""
		}
		s.who = aws.ToString(out.Account)
	}
	return s.who
}
