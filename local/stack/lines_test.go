package stack_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	sdklambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	sfntypes "github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"milepost/local/lambda"
	"milepost/local/stack"
)

func TestLogGroupsOfTheTemplateAreThere(t *testing.T) {
	t.Parallel()
	s, _ := mustOpen(t, header+table+"  Lines:\n    Type: AWS::Logs::LogGroup\n    Properties: {LogGroupName: /aws/lambda/all, RetentionInDays: 3}\n")
	out, err := cloudwatchlogs.NewFromConfig(s.Config()).DescribeLogGroups(t.Context(), &cloudwatchlogs.DescribeLogGroupsInput{})
	if err != nil || len(out.LogGroups) != 1 || aws.ToString(out.LogGroups[0].LogGroupName) != "/aws/lambda/all" || aws.ToInt32(out.LogGroups[0].RetentionInDays) != 3 {
		t.Errorf("%+v, %v", out.LogGroups, err)
	}
}

func TestWhoInvokesAFunctionReadsItsLog(t *testing.T) {
	t.Parallel()
	s, _, err := open(t, header+strings.Replace(function, "POLICIES", "[]", 1), func(o *stack.Options) {
		o.Functions = func(f stack.Function) (lambda.Handler, error) {
			return handler(func(_ context.Context, payload []byte) ([]byte, error) {
				_, err := fmt.Fprintf(f.Log, "got %s\n", payload)
				return payload, err
			}), nil
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	client := sdklambda.NewFromConfig(s.Config())
	for _, payload := range []string{"1", "2"} {
		out, err := client.Invoke(t.Context(), &sdklambda.InvokeInput{FunctionName: aws.String("local-F"), Payload: []byte(payload), LogType: types.LogTypeTail})
		if err != nil {
			t.Fatal(err)
		}
		log, err := base64.StdEncoding.DecodeString(aws.ToString(out.LogResult))
		if err != nil || !regexp.MustCompile(`^START RequestId: \S+ Version: \$LATEST\ngot `+payload+`\nEND RequestId: \S+\nREPORT RequestId: [^\n]*\n$`).Match(log) {
			t.Errorf("the log of %s: %q, %v", payload, log, err)
		}
	}
}

func TestTheTemplatesPermissionsAreAFunctionsPolicy(t *testing.T) {
	t.Parallel()
	s, _ := mustOpen(t, header+strings.Replace(function, "POLICIES", "[]", 1)+`  G:
    Type: AWS::Serverless::Function
    Properties: {Handler: g, Runtime: provided.al2023, CodeUri: ., Policies: []}
  Rules:
    Type: AWS::Lambda::Permission
    Properties: {Action: lambda:InvokeFunction, FunctionName: !Ref F, Principal: events.amazonaws.com, SourceArn: "arn:aws:events:us-east-1:000000000000:rule/r"}
  Others:
    Type: AWS::Lambda::Permission
    Properties: {Action: lambda:InvokeFunction, FunctionName: !GetAtt F.Arn, Principal: "111111111111", SourceAccount: "111111111111"}
`)
	client := sdklambda.NewFromConfig(s.Config())
	out, err := client.GetPolicy(t.Context(), &sdklambda.GetPolicyInput{FunctionName: aws.String("local-F")})
	if err != nil {
		t.Fatal(err)
	}
	const arn = "arn:aws:lambda:us-east-1:000000000000:function:local-F"
	want := `{"Version":"2012-10-17","Id":"default","Statement":[` +
		`{"Sid":"SID","Effect":"Allow","Principal":{"Service":"events.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"` + arn +
		`","Condition":{"ArnLike":{"AWS:SourceArn":"arn:aws:events:us-east-1:000000000000:rule/r"}}},` +
		`{"Sid":"SID","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:root"},"Action":"lambda:InvokeFunction","Resource":"` + arn +
		`","Condition":{"StringEquals":{"AWS:SourceAccount":"111111111111"}}}]}`
	if got := regexp.MustCompile(`"Sid":"[^"]+"`).ReplaceAllString(aws.ToString(out.Policy), `"Sid":"SID"`); got != want || aws.ToString(out.RevisionId) == "" {
		t.Errorf("policy %s, revision %s", aws.ToString(out.Policy), aws.ToString(out.RevisionId))
	}
	for _, name := range []string{"local-G", "nobody"} {
		if _, err := client.GetPolicy(t.Context(), &sdklambda.GetPolicyInput{FunctionName: &name}); err == nil || !strings.Contains(err.Error(), "ResourceNotFoundException") {
			t.Errorf("the policy of %s: %v", name, err)
		}
	}
}

func TestExecutionsAreLoggedAsTheTemplateSays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _ := mustOpen(t, header+`  Runs:
    Type: AWS::Logs::LogGroup
    Properties: {LogGroupName: runs}
  M:
    Type: AWS::Serverless::StateMachine
    Properties:
      Name: m
      Tags: {team: quotes}
      Definition: {StartAt: A, States: {A: {Type: Pass, End: true}}}
      Logging: {Level: ALL, IncludeExecutionData: true, Destinations: [{CloudWatchLogsLogGroup: {LogGroupArn: !GetAtt Runs.Arn}}]}
`)
		if err := s.Start(); err != nil {
			t.Fatal(err)
		}
		machines := sfn.NewFromConfig(s.Config())
		const arn = "arn:aws:states:us-east-1:000000000000:stateMachine:m"
		described, err := machines.DescribeStateMachine(t.Context(), &sfn.DescribeStateMachineInput{StateMachineArn: aws.String(arn)})
		if err != nil {
			t.Fatal(err)
		}
		if l := described.LoggingConfiguration; l == nil || l.Level != "ALL" || !l.IncludeExecutionData || len(l.Destinations) != 1 ||
			aws.ToString(l.Destinations[0].CloudWatchLogsLogGroup.LogGroupArn) != "arn:aws:logs:us-east-1:000000000000:log-group:runs:*" {
			t.Errorf("%+v", l)
		}
		tags, err := machines.ListTagsForResource(t.Context(), &sfn.ListTagsForResourceInput{ResourceArn: aws.String(arn)})
		if err != nil || !slices.ContainsFunc(tags.Tags, func(tag sfntypes.Tag) bool { return *tag.Key == "team" && *tag.Value == "quotes" }) {
			t.Errorf("%+v, %v", tags, err)
		}
		if _, err := machines.StartExecution(t.Context(), &sfn.StartExecutionInput{StateMachineArn: aws.String(arn), Input: aws.String(`{"a":1}`)}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		found, err := cloudwatchlogs.NewFromConfig(s.Config()).FilterLogEvents(t.Context(), &cloudwatchlogs.FilterLogEventsInput{
			LogGroupName: aws.String("runs"), FilterPattern: aws.String(`{ $.type = "ExecutionSucceeded" }`),
		})
		if err != nil || len(found.Events) != 1 || !strings.Contains(aws.ToString(found.Events[0].Message), `"output":"{\"a\":1}"`) {
			t.Errorf("%+v, %v", found, err)
		}
	})
}
