package template_test

import (
	"maps"
	"os"
	"reflect"
	"strings"
	"testing"

	"milepost/local/template"
)

const header = "Transform: AWS::Serverless-2016-10-31\n"

// parse reads a template whose first line is line 1 of text.
func parse(text string, opts template.Options) (*template.Template, error) {
	return template.Parse("testdata/t.yaml", []byte(text), opts)
}

func mustParse(tb testing.TB, text string) *template.Template {
	tb.Helper()
	t, err := parse(text, template.Options{StackName: "s"})
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

func TestMistakesAreToldWithTheirLine(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ text, want string }{
		"a section that does not exist": {"Resource: {}\nResources: {}",
			"1: Resource: a template has no Resource that the local runtime knows"},
		"no resources": {"Description: x",
			"1: the template has no resources"},
		"an empty file": {"",
			"1: the template is empty"},
		"broken YAML": {"Resources:\n  A: b: c",
			"2: mapping values are not allowed in this context"},
		"another transform": {"Transform: AWS::Include\nResources: {}",
			`1: Transform: the transform "AWS::Include" is not supported, only AWS::Serverless-2016-10-31`},
		"a key that is written twice": {"Resources:\n  Q:\n    Type: AWS::SQS::Queue\n    Type: AWS::SQS::Queue",
			"4: Resources.Q: Type is written twice"},
		"a type that does not exist": {"Resources:\n  Q:\n    Type: AWS::SQS::Que",
			`3: Resources.Q: the resource type "AWS::SQS::Que" is not supported`},
		"an attribute that does not exist": {"Resources:\n  Q:\n    Type: AWS::SQS::Queue\n    DependOn: X",
			"4: Resources.Q.DependOn: a resource has no DependOn that the local runtime knows"},
		"a property that does not exist": {"Resources:\n  Q:\n    Type: AWS::SQS::Queue\n    Properties:\n      Name: q",
			"5: Resources.Q.Properties.Name: AWS::SQS::Queue has no Name that the local runtime knows"},
		"a serverless property that is not supported": {header + "Resources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties:\n      Handler: f\n      Layers: [x]",
			"7: Resources.F.Properties.Layers: AWS::Serverless::Function has no Layers that the local runtime knows"},
		"a serverless type without the transform": {"Resources:\n  F:\n    Type: AWS::Serverless::Function",
			"3: Resources.F: the type AWS::Serverless::Function needs the transform AWS::Serverless-2016-10-31"},
		"a serverless type that is not supported": {header + "Resources:\n  F:\n    Type: AWS::Serverless::Api",
			`4: Resources.F: the resource type "AWS::Serverless::Api" is not supported`},
		"a function without a handler": {header + "Resources:\n  F:\n    Type: AWS::Serverless::Function",
			"3: Resources.F.Properties: AWS::Serverless::Function needs Handler"},
		"an event type that is not supported": {header + "Resources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties:\n      Handler: f\n      Events:\n        E:\n          Type: S3\n          Properties:\n            Bucket: b",
			`11: Resources.F.Properties.Events.E.Properties: the event type "S3" of AWS::Serverless::Function is not supported`},
		"a policy template that is not supported": {header + "Resources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties:\n      Handler: f\n      Policies:\n        - VPCAccessPolicy: {}",
			"8: Resources.F.Properties.Policies[0].VPCAccessPolicy: the policy template VPCAccessPolicy is not supported"},
		"a managed policy whose content is not known": {header + "Resources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties:\n      Handler: f\n      Policies: AdministratorAccess",
			`7: Resources.F.Properties.Policies: the managed policy "AdministratorAccess" is not supported`},
		"a route that is declared twice": {header + "Resources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties:\n      Handler: f\n      Events:\n        A:\n          Type: HttpApi\n          Properties: {Path: /a, Method: get}\n        B:\n          Type: HttpApi\n          Properties: {Path: /a, Method: GET}",
			"13: Resources.F.Properties.Events.B.Properties: the route GET /a is declared twice, first on line 10"},
		"an authorizer that does not exist": {header + "Resources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties:\n      Handler: f\n      Events:\n        A:\n          Type: HttpApi\n          Properties:\n            Path: /a\n            Method: get\n            Auth: {Authorizer: Jwt}",
			"13: Resources.F.Properties.Events.A.Properties.Auth.Authorizer: the API has no authorizer Jwt"},
		"a reference to nothing": {"Resources:\n  Q:\n    Type: AWS::SQS::Queue\n    Properties:\n      QueueName: !Ref Nothing",
			"5: Resources.Q.Properties.QueueName: Nothing is neither a parameter nor a resource"},
		"a reference to a resource whose condition is false": {"Conditions:\n  No: !Equals [a, b]\nResources:\n  P:\n    Type: AWS::SQS::Queue\n    Condition: No\n  Q:\n    Type: AWS::SQS::Queue\n    Properties:\n      QueueName: !GetAtt P.QueueName",
			"10: Resources.Q.Properties.QueueName: P does not exist, since the condition No is false"},
		"an attribute of a resource that does not exist": {"Resources:\n  Q:\n    Type: AWS::SQS::Queue\n  R:\n    Type: AWS::SQS::Queue\n    Properties:\n      QueueName: !GetAtt Q.Name",
			"7: Resources.R.Properties.QueueName: the attribute Name of AWS::SQS::Queue is not supported"},
		"the stream of a table without one": {"Resources:\n  T:\n    Type: AWS::DynamoDB::Table\nOutputs:\n  S:\n    Value: !GetAtt T.StreamArn",
			"6: Outputs.S.Value: the attribute StreamArn of AWS::DynamoDB::Table is not supported"},
		"an intrinsic function that is refused": {"Resources:\n  Q:\n    Type: AWS::SQS::Queue\n    Properties:\n      QueueName: !ImportValue x",
			"5: Resources.Q.Properties.QueueName: the intrinsic function Fn::ImportValue is not supported"},
		"an intrinsic function beside other keys": {"Resources:\n  Q:\n    Type: AWS::SQS::Queue\n    Properties:\n      QueueName: {Fn::Sub: x, y: z}",
			"5: Resources.Q.Properties.QueueName: the intrinsic function Fn::Sub has other keys beside it"},
		"a pseudo parameter that does not exist": {"Resources:\n  Q:\n    Type: AWS::SQS::Queue\n    Properties:\n      QueueName: !Sub '${AWS::Zone}'",
			"5: Resources.Q.Properties.QueueName: the pseudo parameter AWS::Zone is not supported"},
		"a parameter without a value": {"Parameters:\n  Issuer:\n    Type: String\nResources:\n  Q:\n    Type: AWS::SQS::Queue",
			"3: Parameters.Issuer: the parameter Issuer has no default and no value was given"},
		"a parameter that is not allowed": {"Parameters:\n  P:\n    Type: String\n    Default: c\n    AllowedValues: [a, b]\nResources:\n  Q:\n    Type: AWS::SQS::Queue",
			"3: Parameters.P: the parameter P is not one of a, b"},
		"a parameter that does not match": {"Parameters:\n  P:\n    Type: String\n    Default: axb\n    AllowedPattern: a|b\nResources:\n  Q:\n    Type: AWS::SQS::Queue",
			"3: Parameters.P: the parameter P does not match its pattern a|b"},
		"a parameter that is too long": {"Parameters:\n  P:\n    Type: String\n    Default: abc\n    MaxLength: 2\nResources:\n  Q:\n    Type: AWS::SQS::Queue",
			"3: Parameters.P: the parameter P is longer than 2 characters"},
		"a parameter that is not a number": {"Parameters:\n  P:\n    Type: Number\n    Default: x\nResources:\n  Q:\n    Type: AWS::SQS::Queue",
			`3: Parameters.P: the parameter P is "x", which is not a number`},
		"a parameter type that is not supported": {"Parameters:\n  P:\n    Type: AWS::SSM::Parameter::Value<String>\n    Default: x\nResources:\n  Q:\n    Type: AWS::SQS::Queue",
			`3: Parameters.P: the parameter type "AWS::SSM::Parameter::Value<String>" is not supported`},
		"a condition that does not exist": {"Resources:\n  Q:\n    Type: AWS::SQS::Queue\n    Condition: C",
			"4: Resources.Q.Condition: there is no condition C"},
		"conditions in a circle": {"Conditions:\n  A: !Not [!Condition B]\n  B: !Not [!Condition A]\nResources:\n  Q:\n    Type: AWS::SQS::Queue",
			"3: Conditions.B[0]: the condition A depends on itself"},
		"a mapping that has no such entry": {"Mappings:\n  M: {a: {b: c}}\nResources:\n  Q:\n    Type: AWS::SQS::Queue\n    Properties:\n      QueueName: !FindInMap [M, a, x]",
			"7: Resources.Q.Properties.QueueName: the mappings have no M.a.x"},
		"resources in a circle": {"Resources:\n  P:\n    Type: AWS::SQS::Queue\n    Properties:\n      RedrivePolicy:\n        deadLetterTargetArn: !GetAtt Q.Arn\n  Q:\n    Type: AWS::SQS::Queue\n    DependsOn: R\n  R:\n    Type: AWS::SQS::Queue\n    Properties:\n      QueueName: !Sub '${P.QueueName}-x'",
			"13: Resources.R: circular dependency: P → Q → R → P"},
		"a name that depends on itself": {"Resources:\n  P:\n    Type: AWS::SQS::Queue\n    Properties:\n      QueueName: !GetAtt Q.QueueName\n  Q:\n    Type: AWS::SQS::Queue\n    Properties:\n      QueueName: !GetAtt P.QueueName",
			"9: Resources.Q.Properties.QueueName: circular dependency: the name of P depends on itself"},
		"a placeholder of a definition without a value": {header + "Resources:\n  M:\n    Type: AWS::Serverless::StateMachine\n    Properties:\n      DefinitionUri: statemachines/deliver.asl.json\n      DefinitionSubstitutions: {Wait: 5}",
			"6: Resources.M.Properties.DefinitionUri: DefinitionSubstitutions has no value for ${SubmitArn}"},
		"a definition file that does not exist": {header + "Resources:\n  M:\n    Type: AWS::Serverless::StateMachine\n    Properties:\n      DefinitionUri: nowhere.json",
			"6: Resources.M.Properties.DefinitionUri: open testdata/nowhere.json: no such file or directory"},
		"an alias of itself": {"Resources: &a\n  Q: *a",
			"2: Resources.Q: *a is within &a itself"},
		"a logical id that is used twice": {header + "Resources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties: {Handler: f}\n  FRole:\n    Type: AWS::IAM::Role",
			"6: Resources.FRole: the logical id FRole is used twice, once by a resource that SAM makes"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := parse(test.text, template.Options{})
			if err == nil {
				t.Fatal("the template was taken")
			}
			got, want := strings.Split(err.Error(), "\n"), "testdata/t.yaml:"+test.want
			if got[0] != want {
				t.Errorf("got  %s\nwant %s", strings.Join(got, "\n     "), want)
			}
		})
	}
}

func TestAllMistakesAreToldAtOnce(t *testing.T) {
	t.Parallel()
	_, err := parse("Resources:\n  P:\n    Type: X\n  Q:\n    Type: Y\n", template.Options{Parameters: map[string]string{"Z": "1"}})
	want := `testdata/t.yaml:1: Parameters: the template has no parameter Z
testdata/t.yaml:3: Resources.P: the resource type "X" is not supported
testdata/t.yaml:5: Resources.Q: the resource type "Y" is not supported`
	if err == nil || err.Error() != want {
		t.Errorf("error=\n%v\nwant\n%s", err, want)
	}
}

func TestOfferedParametersAreTakenWhereTheTemplateHasThem(t *testing.T) {
	t.Parallel()
	const resources = "Resources:\n  Q:\n    Type: AWS::SQS::Queue\n"
	offered := map[string]string{"Issuer": "offered", "Absent": "x"}
	for name, c := range map[string]struct {
		text  string
		given map[string]string
		want  map[string]string
	}{
		"none":                    {resources, nil, map[string]string{}},
		"without a default":       {"Parameters:\n  Issuer: {Type: String}\n" + resources, nil, map[string]string{"Issuer": "offered"}},
		"with a default":          {"Parameters:\n  Issuer: {Type: String, Default: d}\n" + resources, nil, map[string]string{"Issuer": "offered"}},
		"given another value":     {"Parameters:\n  Issuer: {Type: String}\n" + resources, map[string]string{"Issuer": "given"}, map[string]string{"Issuer": "given"}},
		"others than are offered": {"Parameters:\n  P: {Type: String, Default: d}\n" + resources, nil, map[string]string{"P": "d"}},
	} {
		loaded, err := parse(c.text, template.Options{Parameters: c.given, Offered: offered})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := map[string]string{}
		for parameter, value := range loaded.Parameters {
			got[parameter] = value.Text
		}
		if !maps.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestIntrinsicFunctions(t *testing.T) {
	t.Parallel()
	const text = `
Parameters:
  Name: {Type: String, Default: mine}
  Count: {Type: Number, Default: "3"}
  List: {Type: CommaDelimitedList, Default: "a, b"}
Mappings:
  M: {mine: {size: 7}}
Conditions:
  Yes: !And [!Equals [!Ref Name, mine], !Or [!Equals [!Ref Count, 3], !Condition No]]
  No: !Not [!Equals [a, a]]
Resources:
  Bus:
    Type: AWS::Events::EventBus
    Properties: {Name: bus}
  Rule:
    Type: AWS::Events::Rule
    Properties: {EventBusName: !GetAtt Bus.Arn, Name: rule}
  Plain:
    Type: AWS::Events::Rule
  Queue:
    Type: AWS::SQS::Queue
    Properties: {FifoQueue: true}
  Dashboard:
    Type: AWS::CloudWatch::Dashboard
    Properties:
      DashboardBody: `
	tests := map[string]struct {
		value string
		want  any
	}{
		"a parameter":                           {"!Ref Name", "mine"},
		"a number":                              {"!Ref Count", int64(3)},
		"a list":                                {"!Ref List", []any{"a", "b"}},
		"the long form":                         {"{Ref: Name}", "mine"},
		"a region":                              {"!Ref AWS::Region", "us-east-1"},
		"no value leaves no property":           {"{a: !Ref AWS::NoValue, b: 1}", map[string]any{"b": int64(1)}},
		"no value leaves no item":               {"[!Ref AWS::NoValue, 1]", []any{int64(1)}},
		"the first branch of a true condition":  {"!If [Yes, 1, 2]", int64(1)},
		"the second branch of a false one":      {"!If [No, 1, 2]", int64(2)},
		"a number within a string":              {"!Sub '${Count}/${Name}'", "3/mine"},
		"a literal":                             {"!Sub '${!Name} $5 {x}'", "${Name} $5 {x}"},
		"variables of a string":                 {"!Sub ['${x}-${Bus.Arn}', {x: !Ref Name}]", "mine-arn:aws:events:us-east-1:000000000000:event-bus/bus"},
		"a joined list":                         {"!Join ['-', !Ref List]", "a-b"},
		"a joined list with a resource":         {"!Join [':', [x, !Ref Bus]]", "x:bus"},
		"an item of a split string":             {"!Select [1, !Split ['-', 'a-b-c']]", "b"},
		"an entry of a mapping":                 {"!FindInMap [M, !Ref Name, size]", int64(7)},
		"the attribute of a resource":           {"!GetAtt Bus.Arn", "arn:aws:events:us-east-1:000000000000:event-bus/bus"},
		"the attribute in the long form":        {"{Fn::GetAtt: [Bus, Arn]}", "arn:aws:events:us-east-1:000000000000:event-bus/bus"},
		"a rule of a bus":                       {"!Ref Rule", "bus|rule"},
		"the ARN of a rule of a bus":            {"!GetAtt Rule.Arn", "arn:aws:events:us-east-1:000000000000:rule/bus/rule"},
		"the ARN of a rule of the default bus":  {"!GetAtt Plain.Arn", "arn:aws:events:us-east-1:000000000000:rule/s-Plain"},
		"a queue is its URL":                    {"!Ref Queue", "https://sqs.us-east-1.amazonaws.com/000000000000/s-Queue.fifo"},
		"a date is a string":                    {"2010-09-09", "2010-09-09"},
		"a merge key":                           {"{<<: {a: 1, b: 2}, b: 3}", map[string]any{"a": int64(1), "b": int64(3)}},
		"an alias":                              {"[&x {a: 1}, *x]", []any{map[string]any{"a": int64(1)}, map[string]any{"a": int64(1)}}},
		"an object with a Ref among other keys": {"{Ref: [a], b: 1}", map[string]any{"Ref": []any{"a"}, "b": int64(1)}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := mustParse(t, text+test.value).Resource("Dashboard").Properties["DashboardBody"]
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("%s = %#v, want %#v", test.value, got, test.want)
			}
		})
	}
}

func TestOptionsDecideWhatATemplateCannot(t *testing.T) {
	t.Parallel()
	got, err := parse(`
Parameters: {Name: {Type: String}}
Resources:
  Queue: {Type: AWS::SQS::Queue}
  Table:
    Type: AWS::DynamoDB::Table
    Properties: {TableName: !Ref Name, StreamSpecification: {StreamViewType: NEW_IMAGE}}
  Api: {Type: AWS::ApiGatewayV2::Api}
Outputs:
  Queue: {Value: !Ref Queue}
  Stream: {Value: !GetAtt Table.StreamArn}
  Api: {Value: !GetAtt Api.ApiEndpoint}
`, template.Options{
		StackName:   "stack",
		Parameters:  map[string]string{"Name": "t"},
		APIEndpoint: "http://127.0.0.1:8080",
		QueueURL:    func(name string) string { return "http://queues/" + name },
		StreamARN:   func(table string) string { return "stream-of-" + table },
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]template.Output{
		"Queue":  {Value: "http://queues/stack-Queue"},
		"Stream": {Value: "stream-of-t"},
		"Api":    {Value: "http://127.0.0.1:8080"},
	}
	if !reflect.DeepEqual(got.Outputs, want) {
		t.Errorf("Outputs=%v, want %v", got.Outputs, want)
	}
	if got.Parameters["Name"] != (template.Parameter{Text: "t"}) {
		t.Errorf("Parameters=%v, want Name=t", got.Parameters)
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	const text = `
Resources:
  F:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: f
      MemorySize: "128"
      Timeout: 3
      Environment:
        Variables: {A: 1, B: true, C: x}
      Tags:
        - {Key: a, Value: 1}
`
	type function struct {
		FunctionName string
		MemorySize   int
		Timeout      *int
		Environment  struct {
			Variables map[string]string
		}
		Tags []struct{ Key, Value string }
	}
	var f function
	if err := mustParse(t, text).Resource("F").Decode(&f); err != nil {
		t.Fatal(err)
	}
	want := function{FunctionName: "f", MemorySize: 128, Timeout: f.Timeout, Tags: []struct{ Key, Value string }{{"a", "1"}}}
	want.Environment.Variables = map[string]string{"A": "1", "B": "true", "C": "x"}
	if !reflect.DeepEqual(f, want) || f.Timeout == nil || *f.Timeout != 3 {
		t.Errorf("Decode=%+v, want %+v", f, want)
	}

	var partial struct {
		FunctionName bool
		MemorySize   string `json:"MemorySize"`
		Timeout      int
		Environment  struct{ Vars any }
		Tags         []struct{ Key string }
	}
	err := mustParse(t, text).Resource("F").Decode(&partial)
	wantErr := `testdata/t.yaml:6: Resources.F.Properties.FunctionName: a value of type bool is expected here
testdata/t.yaml:10: Resources.F.Properties.Environment.Variables: the local runtime does not support the property Variables of AWS::Lambda::Function
testdata/t.yaml:12: Resources.F.Properties.Tags[0].Value: the local runtime does not support the property Value of AWS::Lambda::Function`
	if err == nil || err.Error() != wantErr {
		t.Errorf("Decode error=\n%v\nwant\n%s", err, wantErr)
	}
}

func TestHTTPAPI(t *testing.T) {
	t.Parallel()
	api, err := mustLoad(t, "testdata/rich.yaml", template.Options{StackName: "s"}).Resource("Api").HTTPAPI()
	if err != nil {
		t.Fatal(err)
	}
	const submit = "arn:aws:lambda:us-east-1:000000000000:function:s-Submit"
	want := []template.Route{
		{Method: "POST", Path: "/parcels", FunctionARN: submit, Authorizer: "Jwt", Scopes: []string{"parcels"}, Timeout: 1e9},
		{Method: "GET", Path: "/parcels/{id}/{part}", FunctionARN: submit, Authorizer: "Jwt", Scopes: []string{"staff"}},
		{Method: "ANY", Path: "/parcels/{id}", FunctionARN: submit, Authorizer: "Jwt", Scopes: []string{"audit"}},
		{Method: "GET", Path: "/health/", FunctionARN: submit},
	}
	if !reflect.DeepEqual(api.Routes, want) {
		t.Errorf("Routes=%+v, want %+v", api.Routes, want)
	}
	jwt := template.JWTAuthorizer{Issuer: "https://issuer.example", Audience: []string{"parcels"}, IdentitySource: "$request.header.Authorization"}
	if !reflect.DeepEqual(api.Authorizers, map[string]template.JWTAuthorizer{"Jwt": jwt}) {
		t.Errorf("Authorizers=%+v, want Jwt=%+v", api.Authorizers, jwt)
	}
	if api.CORS == nil || api.CORS.MaxAge != 600e9 || len(api.CORS.AllowOrigins) != 2 {
		t.Errorf("CORS=%+v, want two origins and ten minutes", api.CORS)
	}
}

func FuzzParse(f *testing.F) {
	rich, err := os.ReadFile("testdata/rich.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(rich))
	f.Add(good)
	f.Add("Resources: {}")
	f.Add(header + "Resources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties: {Handler: f, Events: {A: {Type: HttpApi}}}")
	f.Add(header + "Resources:\n  M:\n    Type: AWS::Serverless::StateMachine\n    Properties: {Definition: {StartAt: '${x}'}, DefinitionSubstitutions: {x: y}}")
	f.Add("a: &a [*a]\nb: {<<: *a}")
	f.Add("Resources:\n  Q: {Type: AWS::SQS::Queue, Properties: !Ref AWS::NoValue}")
	f.Add("Conditions: {A: !Condition A}\nOutputs: {O: {Value: !If [A, !Sub ['${x', {}], !Select [9, []]]}}}")
	f.Fuzz(func(t *testing.T, text string) {
		stack, err := parse(text, template.Options{})
		if (stack == nil) == (err == nil) {
			t.Errorf("Parse=%v, %v", stack, err)
		}
		if stack != nil {
			template.Check(stack, nil)
		}
	})
}
