package stack_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	trailtypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"milepost/local/awsapi"
	"milepost/local/lambda"
	"milepost/local/stack"
)

// header begins every template of these tests.
const header = "AWSTemplateFormatVersion: '2010-09-09'\nTransform: AWS::Serverless-2016-10-31\nResources:\n"

// function is one with only the permissions of every function.
const function = `  F:
    Type: AWS::Serverless::Function
    Properties: {Handler: f, Runtime: provided.al2023, CodeUri: ., Policies: POLICIES}
`

const table = `  Notes:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: notes
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
`

type handler func(context.Context, []byte) ([]byte, error)

func (h handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) { return h(ctx, payload) }

// open opens a template from text. The functions' surroundings are kept by the name of their handler.
func open(t *testing.T, text string, change func(*stack.Options)) (*stack.Stack, map[string]stack.Function, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "template.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	functions := map[string]stack.Function{}
	opts := stack.Options{Template: path, Functions: func(f stack.Function) (lambda.Handler, error) {
		functions[f.Handler] = f
		return handler(func(context.Context, []byte) ([]byte, error) { return []byte("{}"), nil }), nil
	}}
	if change != nil {
		change(&opts)
	}
	s, err := stack.Open(opts)
	if err == nil {
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	return s, functions, err
}

func mustOpen(t *testing.T, text string) (*stack.Stack, map[string]stack.Function) {
	t.Helper()
	s, functions, err := open(t, text, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s, functions
}

func TestWhatIsNotRunIsRefusedByNameAndLine(t *testing.T) {
	t.Parallel()
	withPolicies := strings.Replace(function, "POLICIES", "[]", 1)
	tests := map[string]struct{ text, want string }{
		"a type of resource":       {"  B:\n    Type: AWS::Scheduler::Schedule\n", "template.yaml:4: Resources.B: the local runtime does not run resources of type AWS::Scheduler::Schedule"},
		"a property of a resource": {table + "      KinesisStreamSpecification: {StreamArn: x}\n", "KinesisStreamSpecification"},
		"a target of a rule": {`  R:
    Type: AWS::Events::Rule
    Properties:
      EventPattern: {source: [a]}
      Targets: [{Id: t, Arn: arn:aws:sns:us-east-1:000000000000:topic}]
`, "template.yaml:8: Resources.R.Properties.Targets: the local runtime delivers events to functions and queues, not to arn:aws:sns:us-east-1:000000000000:topic"},
		"a task of a state machine": {`  M:
    Type: AWS::Serverless::StateMachine
    Properties: {Definition: {StartAt: A, States: {A: {Type: Task, Resource: "arn:aws:states:::sns:publish", Parameters: {}, End: true}}}}
`, "the task resource arn:aws:states:::sns:publish"},
		"a runtime of another language": {strings.Replace(withPolicies, "provided.al2023", "python3.12", 1),
			`Resources.F.Properties.Runtime: the local runtime runs functions of the runtimes provided.al2023 and provided.al2, not of "python3.12"`},
		"no runtime at all":      {strings.Replace(withPolicies, "Runtime: provided.al2023, ", "", 1), `not of ""`},
		"a function as an image": {strings.Replace(withPolicies, "Handler: f, Runtime: provided.al2023, CodeUri: .", "PackageType: Image, ImageUri: x", 1), "Image"},
		"a destination of a function": {strings.Replace(withPolicies, "Policies: []", "EventInvokeConfig: {DestinationConfig: {OnFailure: {Type: SNS, Destination: arn:aws:sns:us-east-1:000000000000:topic}}}", 1),
			"arn:aws:sns:us-east-1:000000000000:topic"},
		"a second HTTP API": {"  A:\n    Type: AWS::Serverless::HttpApi\n  B:\n    Type: AWS::Serverless::HttpApi\n" + strings.Replace(withPolicies, "Policies: []",
			"Events: {A: {Type: HttpApi, Properties: {ApiId: !Ref A, Method: GET, Path: /a}}, B: {Type: HttpApi, Properties: {ApiId: !Ref B, Method: GET, Path: /b}}}", 1), "the local runtime serves one HTTP API only"},
		"a stream that the function may not read": {table + "      StreamSpecification: {StreamViewType: NEW_IMAGE}\n" + `  Role:
    Type: AWS::IAM::Role
    Properties: {AssumeRolePolicyDocument: {}, Policies: []}
` + strings.Replace(withPolicies, "Policies: []", "Role: !GetAtt Role.Arn, Events: {S: {Type: DynamoDB, Properties: {Stream: !GetAtt Notes.StreamArn, StartingPosition: TRIM_HORIZON}}}", 1),
			"dynamodb:DescribeStream"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := open(t, header+test.text, nil)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "template.yaml:") {
				t.Errorf("error=%v\nwant %s", err, test.want)
			}
		})
	}
}

func TestAllThatIsRefusedIsToldAtOnce(t *testing.T) {
	t.Parallel()
	_, _, err := open(t, header+"  A:\n    Type: AWS::Kinesis::Stream\n  B:\n    Type: AWS::ECS::Cluster\n", nil)
	for _, want := range []string{"AWS::Kinesis::Stream", "AWS::ECS::Cluster"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error=%v, want one that names %s", err, want)
		}
	}
}

func TestCodeThatCannotBeMadeStopsTheStack(t *testing.T) {
	t.Parallel()
	missing := errors.New("NAME is not set")
	_, _, err := open(t, header+strings.Replace(function, "POLICIES", "[]", 1), func(o *stack.Options) {
		o.Functions = func(stack.Function) (lambda.Handler, error) { return nil, missing }
	})
	if err == nil || !strings.Contains(err.Error(), "Resources.F: NAME is not set") {
		t.Errorf("error=%v, want %v with its resource", err, missing)
	}
}

func TestWhatHasNoMeaningHereIsLeftOutAndSaid(t *testing.T) {
	t.Parallel()
	s, _ := mustOpen(t, header+table+"      PointInTimeRecoverySpecification: {PointInTimeRecoveryEnabled: true}\n"+
		"  Registry:\n    Type: AWS::EventSchemas::Registry\n  Schema:\n    Type: AWS::EventSchemas::Schema\n"+
		"    Properties: {RegistryName: !GetAtt Registry.RegistryName, Type: JSONSchemaDraft4, Content: '{}'}\n")
	left := map[string]string{}
	for _, l := range s.LeftOut() {
		left[l.LogicalID+" "+l.Type] = l.Why
	}
	for _, want := range []string{"Notes AWS::DynamoDB::Table", "Registry AWS::EventSchemas::Registry", "Schema AWS::EventSchemas::Schema"} {
		if left[want] == "" {
			t.Errorf("%s is not left out: %v", want, left)
		}
	}
	if started := strings.Join(s.Started(), ", "); len(left) != 3 || started != "table notes" {
		t.Errorf("started %q, left out %v", started, left)
	}
}

func TestATemplateWithoutAnAPIHasNone(t *testing.T) {
	t.Parallel()
	s, _ := mustOpen(t, header+table)
	if s.API() != nil || s.AWS() == nil {
		t.Errorf("API=%v AWS=%v", s.API(), s.AWS())
	}
}

func TestAFunctionMayDoWhatItsPoliciesSayAndNothingElse(t *testing.T) {
	t.Parallel()
	policies := "[{Version: '2012-10-17', Statement: [{Effect: Allow, Action: [dynamodb:GetItem, dynamodb:PutItem], Resource: !GetAtt Notes.Arn}]}]"
	s, functions := mustOpen(t, header+table+strings.Replace(function, "POLICIES", policies, 1))
	own, account := dynamodb.NewFromConfig(functions["f"].AWS), dynamodb.NewFromConfig(s.Config())
	key := map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: "1"}}
	name := "notes"
	if _, err := own.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &name, Item: key}); err != nil {
		t.Errorf("what is granted: %v", err)
	}
	_, err := own.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: &name, Key: key})
	if err == nil || !strings.Contains(err.Error(), "AccessDeniedException") || !strings.Contains(err.Error(), "dynamodb:DeleteItem") {
		t.Errorf("what is not granted: error=%v, want AccessDeniedException", err)
	}
	if _, err := account.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: &name, Key: key}); err != nil {
		t.Errorf("the account itself: %v", err)
	}
	role, arn := "FRole", awsapi.ARN("dynamodb", "table/notes")
	if denied, want := s.TakeDenied(), []stack.Denial{{Caller: role, Action: "dynamodb:DeleteItem", Resource: arn}}; !slices.Equal(denied, want) {
		t.Errorf("denied=%v, want %v", denied, want)
	}
	if denied := s.TakeDenied(); denied != nil {
		t.Errorf("denied=%v after it was taken", denied)
	}
	found, err := cloudtrail.NewFromConfig(s.Config()).LookupEvents(t.Context(), &cloudtrail.LookupEventsInput{
		LookupAttributes: []trailtypes.LookupAttribute{{AttributeKey: trailtypes.LookupAttributeKeyResourceName, AttributeValue: &arn}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var decided []string
	for _, e := range found.Events {
		var event struct {
			RequestID           string
			AdditionalEventData struct{ Decision string }
		}
		if err := json.Unmarshal([]byte(*e.CloudTrailEvent), &event); err != nil || event.RequestID == "" {
			t.Errorf("%s: %v", *e.CloudTrailEvent, err)
		}
		user := *e.Username
		if user != "root" {
			user = "f"
		}
		decided = append(decided, user+" "+*e.EventName+" "+event.AdditionalEventData.Decision)
	}
	if got := strings.Join(decided, ", "); got != "root DeleteItem allowed, f DeleteItem implicitDeny, f PutItem allowed" {
		t.Errorf("decided: %s", got)
	}
	var unused []string
	for _, grants := range s.Unused() {
		for _, g := range grants {
			unused = append(unused, g.Action)
		}
	}
	if strings.Join(unused, " ") != "dynamodb:GetItem" {
		t.Errorf("Unused=%v, want dynamodb:GetItem", unused)
	}
}

func TestTheStateIsThereAfterAReopening(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keep := func(o *stack.Options) { o.DataDir = dir }
	text := header + table + "  Letters:\n    Type: AWS::SQS::Queue\n    Properties: {QueueName: letters}\n"
	path := filepath.Join(t.TempDir(), "template.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := stack.Open(stack.Options{Template: path, DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	name, letter := "notes", "hello"
	item := map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: "1"}}
	if _, err := dynamodb.NewFromConfig(s.Config()).PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &name, Item: item}); err != nil {
		t.Fatal(err)
	}
	url := mustQueue(t, s)
	if _, err := sqs.NewFromConfig(s.Config()).SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: &letter}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := open(t, text, keep); err == nil {
		t.Error("a second Stack has the same data directory open")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, _, err = open(t, text, keep)
	if err != nil {
		t.Fatal(err)
	}
	out, err := dynamodb.NewFromConfig(s.Config()).GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &name, Key: item})
	if err != nil || out.Item == nil {
		t.Errorf("item=%v error=%v", out, err)
	}
	received, err := sqs.NewFromConfig(s.Config()).ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &url})
	if err != nil || len(received.Messages) != 1 || *received.Messages[0].Body != letter {
		t.Errorf("messages=%v error=%v", received, err)
	}
}

func mustQueue(t *testing.T, s *stack.Stack) string {
	t.Helper()
	name := "letters"
	out, err := sqs.NewFromConfig(s.Config()).GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: &name})
	if err != nil {
		t.Fatal(err)
	}
	return *out.QueueUrl
}
