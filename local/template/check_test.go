package template_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"milepost/local/template"
)

// good is a template without any of the mistakes; each test spoils one thing.
const good = header + `Resources:
  Table:
    Type: AWS::DynamoDB::Table
    Properties: {StreamSpecification: {StreamViewType: NEW_IMAGE}}
  Failures:
    Type: AWS::SQS::Queue
  FailuresPolicy:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Failures]
      PolicyDocument:
        Statement:
          - Effect: Allow
            Principal: {Service: events.amazonaws.com}
            Action: sqs:SendMessage
            Resource: !GetAtt Failures.Arn
            Condition: {ArnLike: {aws:SourceArn: !Sub 'arn:aws:events:${AWS::Region}:${AWS::AccountId}:rule/*'}}
  F:
    Type: AWS::Serverless::Function
    Properties:
      Handler: f
      Environment:
        Variables: {NAME: x}
      EventInvokeConfig:
        DestinationConfig: {OnFailure: {Type: SQS, Destination: !GetAtt Failures.Arn}}
      Events:
        Stream:
          Type: DynamoDB
          Properties:
            Stream: !GetAtt Table.StreamArn
            StartingPosition: TRIM_HORIZON
            MaximumRetryAttempts: 3
            FunctionResponseTypes: [ReportBatchItemFailures]
            FilterCriteria: {Filters: [{Pattern: '{"eventName":["INSERT"]}'}]}
            DestinationConfig: {OnFailure: {Type: SQS, Destination: !GetAtt Failures.Arn}}
        Rule:
          Type: EventBridgeRule
          Properties:
            Pattern: {source: [a]}
            DeadLetterConfig: {Arn: !GetAtt Failures.Arn}
  M:
    Type: AWS::Serverless::StateMachine
    Properties:
      DefinitionUri: statemachines/deliver.asl.json
      DefinitionSubstitutions: {Wait: 1, SubmitArn: !GetAtt F.Arn}
  Many:
    Type: AWS::Events::Rule
    Properties:
      EventPattern: {source: [a]}
      Targets:
        - {Id: '1', Arn: x, DeadLetterConfig: {Arn: !GetAtt Failures.Arn}}
`

func TestCheckTakesAGoodTemplate(t *testing.T) {
	t.Parallel()
	for _, text := range []string{good, strings.Replace(good, "MaximumRetryAttempts: 3", "MaximumRecordAgeInSeconds: 60", 1)} {
		if problems := template.Check(mustParse(t, text), []string{"f"}); problems != nil {
			t.Errorf("Check=%v, want none", problems)
		}
	}
}

func TestCheckSeesWhatLintersDoNot(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		old, new, want string
		refused        bool
	}{
		"six targets on a rule": {"        - {Id: '1', Arn: x, DeadLetterConfig: {Arn: !GetAtt Failures.Arn}}\n", strings.Repeat("        - {Id: '1', Arn: x}\n", 6),
			"t.yaml:52: Resources.Many.Properties.Targets: a rule has at most 5 targets", true},
		"a pattern with a scalar": {"Pattern: {source: [a]}", "Pattern: {source: a}",
			"t.yaml:40: Resources.F.Properties.Events.Rule.Properties.Pattern: ", true},
		"a filter with an operator that does not exist": {`["INSERT"]`, `[{"infix":"x"}]`,
			"t.yaml:35: Resources.F.Properties.Events.Stream.Properties.FilterCriteria.Filters[0].Pattern: ", true},
		"a handler that is not registered": {"Handler: f", "Handler: g",
			"t.yaml:22: Resources.F.Properties.Handler: no handler is registered as g", false},
		"a queue that the rule may not send to": {"Service: events.amazonaws.com", "Service: sns.amazonaws.com",
			"t.yaml:41: Resources.F.Properties.Events.Rule.Properties.DeadLetterConfig.Arn: no queue policy lets events.amazonaws.com send to Failures for this rule, so undelivered events are lost", false},
		"a target that loses events": {"Arn: x, DeadLetterConfig: {Arn: !GetAtt Failures.Arn}", "Arn: x",
			"t.yaml:52: Resources.Many.Properties.Targets[0]: a target without a dead-letter queue loses the events that it does not take", false},
		"a queue that another rule may send to": {":rule/*'", ":rule/other'",
			"t.yaml:41: Resources.F.Properties.Events.Rule.Properties.DeadLetterConfig.Arn: no queue policy lets events.amazonaws.com send to Failures for this rule, so undelivered events are lost", false},
		"a stream that repeats whole batches": {"            FunctionResponseTypes: [ReportBatchItemFailures]\n", "",
			"t.yaml:31: Resources.FStream: a stream without ReportBatchItemFailures repeats whole batches", false},
		"a stream that loses records": {"            DestinationConfig: {OnFailure: {Type: SQS, Destination: !GetAtt Failures.Arn}}\n        Rule:", "        Rule:",
			"t.yaml:31: Resources.FStream: a stream without an OnFailure destination loses the records it gives up", false},
		"a stream that is blocked": {"MaximumRetryAttempts: 3", "MaximumRetryAttempts: -1",
			"t.yaml:31: Resources.FStream: a stream without MaximumRetryAttempts or MaximumRecordAgeInSeconds is blocked by one bad record for a day", false},
		"a function that loses events": {"        DestinationConfig: {OnFailure: {Type: SQS, Destination: !GetAtt Failures.Arn}}\n      Events", "        MaximumRetryAttempts: 1\n      Events",
			"t.yaml:19: Resources.F: FRule calls the function asynchronously, and an event that fails every time is lost: it has no OnFailure destination", false},
		"a variable that Lambda reserves": {"NAME: x", "AWS_REGION: x",
			"t.yaml:24: Resources.F.Properties.Environment.Variables.AWS_REGION: Lambda reserves the environment variable AWS_REGION", true},
		"an environment that is too large": {"NAME: x", "NAME: " + strings.Repeat("x", 4093),
			"t.yaml:24: Resources.F.Properties.Environment.Variables: the environment is larger than the 4 KB that Lambda allows", true},
		"a state machine that leads nowhere": {"DefinitionUri: statemachines/deliver.asl.json", "Definition: {StartAt: A, States: {B: {Type: Pass, End: true}}}",
			`t.yaml:45: Resources.M.Properties.Definition: StartAt names "A", which is not a state of the state machine`, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if strings.Count(good, test.old) < 1 {
				t.Fatalf("the good template has no %q", test.old)
			}
			problems := template.Check(mustParse(t, strings.Replace(good, test.old, test.new, 1)), []string{"f"})
			if !slices.ContainsFunc(problems, func(e *template.Error) bool {
				return strings.HasPrefix(e.Error(), "testdata/"+test.want) && e.Refused == test.refused
			}) {
				t.Errorf("Check=%v\nwant %s, refused: %v", problems, test.want, test.refused)
			}
		})
	}
	t.Run("a registered handler without a function", func(t *testing.T) {
		t.Parallel()
		want := "[testdata/t.yaml:1: Resources: no function has the registered handler g]"
		if got := fmt.Sprint(template.Check(mustParse(t, good), []string{"f", "g"})); got != want {
			t.Errorf("Check=%s, want %s", got, want)
		}
	})
}

func TestCheckComparesHandlersIfItKnowsThem(t *testing.T) {
	t.Parallel()
	if problems := template.Check(mustParse(t, good), nil); problems != nil {
		t.Errorf("Check=%v, want none", problems)
	}
}

func TestCheckFollowsStates(t *testing.T) {
	t.Parallel()
	const ok = `A: {Type: Task, Next: B, Retry: [{ErrorEquals: [X], IntervalSeconds: 1, MaxAttempts: 0, BackoffRate: 1.5, JitterStrategy: FULL}, {ErrorEquals: [States.ALL]}], Catch: [{ErrorEquals: [States.ALL], Next: C, ResultPath: null}]}, ` +
		`B: {Type: Choice, Choices: [{Variable: $.x, IsNull: true, Next: C}], Default: D}, C: {Type: Succeed}, ` +
		`D: {Type: Parallel, End: true, Branches: [{StartAt: E, States: {E: {Type: Map, End: true, ItemProcessor: {StartAt: G, States: {G: {Type: Pass, End: true}}}}}}]}`
	tests := map[string]struct{ old, new, want string }{
		"nothing wrong":                    {"", "", ""},
		"Next":                             {"Next: B", "Next: Z", `Next names "Z", which is not a state of the state machine`},
		"Default":                          {"Default: D", "Default: Z", `Default names "Z", which is not a state of the state machine`},
		"Next of a choice":                 {"IsNull: true, Next: C", "IsNull: true, Next: Z", `Next of a choice names "Z", which is not a state of the state machine`},
		"Next of a catcher":                {"[States.ALL], Next: C", "[States.ALL], Next: Z", `Next of a catcher names "Z", which is not a state of the state machine`},
		"StartAt of a branch":              {"StartAt: E", "StartAt: Z", `StartAt names "Z", which is not a state of branch 1 of "D"`},
		"StartAt of a processor":           {"StartAt: G", "StartAt: Z", `StartAt names "Z", which is not a state of the processor of "E"`},
		"a state outside its branch":       {"Type: Pass, End: true", "Type: Pass, Next: C", `Next names "C", which is not a state of the processor of "E"`},
		"a state that nothing leads to":    {"C: {Type: Succeed}", "C: {Type: Succeed}, F: {Type: Fail}", "no path leads to this state"},
		"a state without an end":           {"Type: Pass, End: true", "Type: Pass", "a state of type Pass has either Next or End"},
		"a state after the end":            {"C: {Type: Succeed}", "C: {Type: Succeed, End: true}", "a state of type Succeed has neither Next nor End"},
		"a retry that is no list":          {"Retry: [{ErrorEquals: [X], IntervalSeconds: 1, MaxAttempts: 0, BackoffRate: 1.5, JitterStrategy: FULL}, {ErrorEquals: [States.ALL]}]", "Retry: {ErrorEquals: [X]}", "Retry is malformed: "},
		"a retry with an unknown field":    {"MaxAttempts: 0", "MaxAttempt: 0", `Retry is malformed: json: unknown field "MaxAttempt"`},
		"a retry that catches nothing":     {"ErrorEquals: [X]", "ErrorEquals: []", "an entry of Retry names no error in ErrorEquals"},
		"a retry of all before others":     {"ErrorEquals: [X]", "ErrorEquals: [States.ALL]", "States.ALL must be alone and in the last entry of Retry"},
		"a retry without a wait":           {"IntervalSeconds: 1", "IntervalSeconds: 0", "IntervalSeconds of Retry is at least 1"},
		"a retry that shrinks":             {"BackoffRate: 1.5", "BackoffRate: 0.5", "BackoffRate of Retry is at least 1"},
		"a jitter that does not exist":     {"JitterStrategy: FULL", "JitterStrategy: SOME", "JitterStrategy of Retry is FULL or NONE"},
		"a catch of all together with one": {"ErrorEquals: [States.ALL], Next", "ErrorEquals: [States.ALL, X], Next", "States.ALL must be alone and in the last entry of Catch"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			states := strings.Replace(ok, test.old, test.new, 1)
			stack := mustParse(t, header+"Resources:\n  M:\n    Type: AWS::Serverless::StateMachine\n    Properties:\n      Definition: {StartAt: A, States: {"+states+"}}")
			problems := template.Check(stack, nil)
			if test.want == "" {
				if problems != nil {
					t.Errorf("Check=%v, want none", problems)
				}
				return
			}
			if !slices.ContainsFunc(problems, func(e *template.Error) bool { return strings.HasPrefix(e.Message, test.want) }) {
				t.Errorf("Check=%v, want %s", problems, test.want)
			}
		})
	}
}

func TestCheckNamesTheLineInADefinitionFile(t *testing.T) {
	t.Parallel()
	text := strings.Replace(good, "deliver.asl.json", "broken.asl.json", 1)
	want := `[testdata/statemachines/broken.asl.json:5: States.Submit: Next names "Sumbit again", which is not a state of the state machine]`
	if got := fmt.Sprint(template.Check(mustParse(t, text), []string{"f"})); got != want {
		t.Errorf("Check=%s, want %s", got, want)
	}
}
