package stack_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
)

func TestLogGroupsOfTheTemplateAreThere(t *testing.T) {
	t.Parallel()
	s, _ := mustOpen(t, header+table+"  Lines:\n    Type: AWS::Logs::LogGroup\n    Properties: {LogGroupName: /aws/lambda/all, RetentionInDays: 3}\n")
	out, err := cloudwatchlogs.NewFromConfig(s.Config()).DescribeLogGroups(t.Context(), &cloudwatchlogs.DescribeLogGroupsInput{})
	if err != nil || len(out.LogGroups) != 1 || aws.ToString(out.LogGroups[0].LogGroupName) != "/aws/lambda/all" || aws.ToInt32(out.LogGroups[0].RetentionInDays) != 3 {
		t.Errorf("%+v, %v", out.LogGroups, err)
	}
}
