package stack_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
)

func TestAStackTellsOfItself(t *testing.T) {
	t.Parallel()
	s, _ := mustOpen(t, header+table+`  Lines: {Type: AWS::EventSchemas::Registry}
Outputs:
  NotesTableName: {Value: !Ref Notes}
`)
	client := cloudformation.NewFromConfig(s.Config())
	stacks, err := client.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: aws.String("local")})
	if err != nil || len(stacks.Stacks) != 1 || len(stacks.Stacks[0].Outputs) != 1 ||
		*stacks.Stacks[0].Outputs[0].OutputKey != "NotesTableName" || *stacks.Stacks[0].Outputs[0].OutputValue != "notes" {
		t.Errorf("DescribeStacks=%+v, %v", stacks, err)
	}
	resources, err := client.ListStackResources(t.Context(), &cloudformation.ListStackResourcesInput{StackName: aws.String("local")})
	if err != nil || len(resources.StackResourceSummaries) != 2 {
		t.Fatalf("ListStackResources=%+v, %v", resources, err)
	}
	for _, r := range resources.StackResourceSummaries {
		// What is not run is not passed off as running.
		if reason := aws.ToString(r.ResourceStatusReason); strings.HasPrefix(reason, "not run: ") != (*r.LogicalResourceId == "Lines") {
			t.Errorf("%s: reason %q", *r.LogicalResourceId, reason)
		}
	}
}
