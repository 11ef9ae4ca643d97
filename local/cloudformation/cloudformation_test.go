package cloudformation_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/smithy-go"

	"milepost/local/awsapi"
	"milepost/local/cloudformation"
	"milepost/local/iam"
	"milepost/local/template"
)

// text is a template with more queues than one answer has.
func text(queues int) string {
	t := `AWSTemplateFormatVersion: "2010-09-09"
Description: Some <queues> & nothing else.
Parameters:
  Region: {Type: String, Default: west}
  Hours: {Type: Number}
  Secret: {Type: String, NoEcho: true}
Resources:
`
	for i := range queues {
		t += fmt.Sprintf("  Queue%d: {Type: AWS::SQS::Queue}\n", i)
	}
	return t + `Outputs:
  SecondQueueName: {Value: !GetAtt Queue1.QueueName, Description: The second., Export: {Name: second}}
  FirstQueueUrl: {Value: !Ref Queue0}
`
}

var parcels = "parcels"

// stacks begins the ids of stacks.
const stacks = "arn:aws:cloudformation:us-east-1:000000000000:stack/"

var made = time.Date(2026, 5, 1, 9, 30, 0, 0, time.UTC)

// newClient is a client of the stack "parcels", of the template with a number of queues.
func newClient(t *testing.T, queues int, caller awsapi.Caller) *sdk.Client {
	t.Helper()
	stack, err := template.Parse("t.yaml", []byte(text(queues)), template.Options{
		StackName: "parcels", Parameters: map[string]string{"Hours": "012", "Secret": "hush"},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := awsapi.NewServer()
	why := func(id string) string { return map[string]string{"Queue1": "not run: it is idle"}[id] }
	server.HandleQuery(cloudformation.Version, cloudformation.Namespace, cloudformation.New(stack, made, why))
	return sdk.New(sdk.Options{
		Region: awsapi.Region, BaseEndpoint: aws.String("http://local"), Credentials: aws.AnonymousCredentials{},
		HTTPClient: &http.Client{Transport: &awsapi.Transport{Server: server, Caller: &caller}}, Retryer: aws.NopRetryer{},
	})
}

func TestAStackIsDescribed(t *testing.T) {
	t.Parallel()
	client := newClient(t, 2, awsapi.Caller{})
	all, err := client.DescribeStacks(t.Context(), &sdk.DescribeStacksInput{})
	if err != nil {
		t.Fatal(err)
	}
	id := *all.Stacks[0].StackId
	if !strings.HasPrefix(id, stacks+"parcels/") {
		t.Errorf("StackId=%s", id)
	}
	for _, name := range []string{"parcels", id} {
		got, err := client.DescribeStacks(t.Context(), &sdk.DescribeStacksInput{StackName: &name})
		if err != nil || len(got.Stacks) != 1 {
			t.Fatalf("%s: %+v, %v", name, got, err)
		}
		s := got.Stacks[0]
		if *s.StackId != id || *s.StackName != "parcels" ||
			*s.Description != "Some <queues> & nothing else." ||
			s.StackStatus != types.StackStatusCreateComplete || !s.CreationTime.Equal(made) {
			t.Errorf("%s: %+v", name, s)
		}
		var parameters, outputs []string
		for _, p := range s.Parameters {
			parameters = append(parameters, *p.ParameterKey+"="+*p.ParameterValue)
		}
		for _, o := range s.Outputs {
			about := aws.ToString(o.Description) + " " + aws.ToString(o.ExportName)
			outputs = append(outputs, *o.OutputKey+"="+*o.OutputValue+" "+about)
		}
		if got, want := strings.Join(parameters, ","), "Hours=012,Region=west,Secret=****"; got != want {
			t.Errorf("parameters=%s, want %s", got, want)
		}
		const want = "FirstQueueUrl=https://sqs.us-east-1.amazonaws.com/000000000000/parcels-Queue0  ," +
			"SecondQueueName=parcels-Queue1 The second. second"
		if got := strings.Join(outputs, ","); got != want {
			t.Errorf("outputs=%s, want %s", got, want)
		}
	}
	got, err := client.GetTemplate(t.Context(), &sdk.GetTemplateInput{
		StackName: &parcels, TemplateStage: types.TemplateStageOriginal,
	})
	if err != nil || *got.TemplateBody != text(2) {
		t.Errorf("GetTemplate=%+v, %v, want the text as it was read", got, err)
	}
}

func TestResourcesAreListedInPages(t *testing.T) {
	t.Parallel()
	const queues = 230
	client := newClient(t, queues, awsapi.Caller{})
	var found []types.StackResourceSummary
	pages := 0
	list := sdk.NewListStackResourcesPaginator(client, &sdk.ListStackResourcesInput{StackName: &parcels})
	for p := list; p.HasMorePages(); pages++ {
		page, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, page.StackResourceSummaries...)
	}
	if len(found) != queues || pages != 3 {
		t.Fatalf("%d resources in %d pages, want %d in 3", len(found), pages, queues)
	}
	for i, r := range found {
		reason := ""
		if i == 1 {
			reason = "not run: it is idle"
		}
		if *r.LogicalResourceId != fmt.Sprint("Queue", i) || *r.ResourceType != "AWS::SQS::Queue" ||
			r.ResourceStatus != types.ResourceStatusCreateComplete ||
			!strings.HasSuffix(*r.PhysicalResourceId, fmt.Sprint("/parcels-Queue", i)) ||
			!r.LastUpdatedTimestamp.Equal(made) || aws.ToString(r.ResourceStatusReason) != reason {
			t.Errorf("resource %d is %+v", i, r)
		}
	}
	first := found[0].PhysicalResourceId
	for _, row := range []struct {
		in   sdk.DescribeStackResourcesInput
		want int
	}{
		{sdk.DescribeStackResourcesInput{StackName: &parcels}, 100},
		{sdk.DescribeStackResourcesInput{PhysicalResourceId: first}, 100},
		{sdk.DescribeStackResourcesInput{StackName: &parcels, LogicalResourceId: aws.String("Queue229")}, 1},
	} {
		got, err := client.DescribeStackResources(t.Context(), &row.in)
		if err != nil || len(got.StackResources) != row.want || *got.StackResources[0].StackName != "parcels" ||
			!got.StackResources[0].Timestamp.Equal(made) {
			t.Errorf("%+v: %+v, %v, want %d", row.in, got, err, row.want)
		}
	}
	one, err := client.DescribeStackResource(t.Context(), &sdk.DescribeStackResourceInput{
		StackName: &parcels, LogicalResourceId: aws.String("Queue1"),
	})
	if err != nil || *one.StackResourceDetail.PhysicalResourceId != *found[1].PhysicalResourceId ||
		!one.StackResourceDetail.LastUpdatedTimestamp.Equal(made) ||
		!strings.HasPrefix(*one.StackResourceDetail.StackId, stacks+"parcels/") {
		t.Errorf("DescribeStackResource=%+v, %v", one, err)
	}
}

func TestWhatIsRefused(t *testing.T) {
	t.Parallel()
	policy, err := iam.ParsePolicy("p", []byte(`{"Statement":{"Effect":"Allow",
		"Action":"cloudformation:DescribeStacks","Resource":"arn:aws:cloudformation:*:*:stack/parcels/*"}}`))
	if err != nil {
		t.Fatal(err)
	}
	role := iam.NewRole("arn:aws:iam::000000000000:role/reader", "reader", policy)
	reader, nobody := newClient(t, 2, awsapi.Caller{ARN: role.ARN, Policy: role}), aws.String("other")
	if _, err := reader.DescribeStacks(t.Context(), &sdk.DescribeStacksInput{StackName: &parcels}); err != nil {
		t.Errorf("who may describe the stack: %v", err)
	}
	client := newClient(t, 2, awsapi.Caller{})
	ctx := t.Context()
	for name, row := range map[string]struct {
		call          func() error
		code, message string
	}{
		"a stack that is not there": {func() error {
			_, err := client.DescribeStacks(ctx, &sdk.DescribeStacksInput{StackName: nobody})
			return err
		}, "ValidationError", "Stack with id other does not exist"},
		"the resources of one": {func() error {
			_, err := client.ListStackResources(ctx, &sdk.ListStackResourcesInput{StackName: nobody})
			return err
		}, "ValidationError", "Stack with id other does not exist"},
		"a resource of one": {func() error {
			in := &sdk.DescribeStackResourceInput{StackName: nobody, LogicalResourceId: nobody}
			_, err := client.DescribeStackResource(ctx, in)
			return err
		}, "ValidationError", "Stack 'other' does not exist"},
		"a resource that is not there": {func() error {
			in := &sdk.DescribeStackResourceInput{StackName: &parcels, LogicalResourceId: nobody}
			_, err := client.DescribeStackResource(ctx, in)
			return err
		}, "ValidationError", "Resource other does not exist for stack parcels"},
		"a physical id of nothing": {func() error {
			_, err := client.DescribeStackResources(ctx, &sdk.DescribeStackResourcesInput{PhysicalResourceId: nobody})
			return err
		}, "ValidationError", "Stack for other does not exist"},
		"neither stack nor physical id": {func() error {
			_, err := client.DescribeStackResources(ctx, &sdk.DescribeStackResourcesInput{})
			return err
		}, "ValidationError", "Either StackName or PhysicalResourceId must be given, and not both"},
		"a page that is not there": {func() error {
			_, err := client.ListStackResources(ctx, &sdk.ListStackResourcesInput{StackName: &parcels, NextToken: nobody})
			return err
		}, "ValidationError", "NextToken is not one of this stack: other"},
		"the template as it was processed": {func() error {
			in := &sdk.GetTemplateInput{StackName: &parcels, TemplateStage: types.TemplateStageProcessed}
			_, err := client.GetTemplate(ctx, in)
			return err
		}, "NotImplemented", "the local runtime does not support the template stage Processed"},
		"a template of a change set": {func() error {
			_, err := client.GetTemplate(ctx, &sdk.GetTemplateInput{StackName: &parcels, ChangeSetName: nobody})
			return err
		}, "NotImplemented", "the local runtime does not support the request member ChangeSetName"},
		"a change": {func() error {
			_, err := client.DeleteStack(ctx, &sdk.DeleteStackInput{StackName: &parcels})
			return err
		}, "NotImplemented", "the local runtime does not support the CloudFormation operation DeleteStack"},
		"what the policy does not allow": {func() error {
			_, err := reader.GetTemplate(ctx, &sdk.GetTemplateInput{StackName: &parcels})
			return err
		}, "AccessDenied", "cloudformation:GetTemplate on resource: " + stacks + "parcels/"},
		"another stack than the policy allows": {func() error {
			_, err := reader.DescribeStacks(ctx, &sdk.DescribeStacksInput{StackName: nobody})
			return err
		}, "AccessDenied", "cloudformation:DescribeStacks on resource: " + stacks + "other/*"},
		"all stacks where the policy allows one": {func() error {
			_, err := reader.DescribeStacks(ctx, &sdk.DescribeStacksInput{})
			return err
		}, "AccessDenied", "cloudformation:DescribeStacks on resource: " + stacks + "*/*"},
	} {
		e, ok := errors.AsType[smithy.APIError](row.call())
		if !ok || e.ErrorCode() != row.code || !strings.Contains(e.ErrorMessage(), row.message) {
			t.Errorf("%s: %v, want %s: %s", name, e, row.code, row.message)
		}
	}
}
