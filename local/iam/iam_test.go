package iam_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"

	"milepost/local/awsapi"
	"milepost/local/iam"
)

var _ awsapi.Authorizer = (*iam.Role)(nil)

func mustPolicy(tb testing.TB, statements string) *iam.Policy {
	tb.Helper()
	p, err := iam.ParsePolicy("test", []byte(`{"Version":"2012-10-17","Statement":`+statements+`}`))
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func newRole(tb testing.TB, statements ...string) *iam.Role {
	tb.Helper()
	var policies []*iam.Policy
	for _, s := range statements {
		policies = append(policies, mustPolicy(tb, s))
	}
	return iam.NewRole("arn:aws:iam::000000000000:role/path/writer", "submit", policies...)
}

const table = "arn:aws:dynamodb:us-east-1:000000000000:table/Events"

func TestAuthorize(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		statements       string
		action, resource string
		allowed          bool
	}{
		"what is named is allowed":                     {`{"Effect":"Allow","Action":"dynamodb:PutItem","Resource":"` + table + `"}`, "dynamodb:PutItem", table, true},
		"the case of an action does not matter":        {`{"Effect":"Allow","Action":"DynamoDB:putitem","Resource":"*"}`, "dynamodb:PutItem", table, true},
		"the case of a resource does":                  {`{"Effect":"Allow","Action":"*","Resource":"` + strings.ToLower(table) + `"}`, "dynamodb:PutItem", table, false},
		"another action is not":                        {`{"Effect":"Allow","Action":["dynamodb:GetItem","dynamodb:Query"],"Resource":"*"}`, "dynamodb:PutItem", table, false},
		"another resource is not":                      {`{"Effect":"Allow","Action":"dynamodb:*","Resource":"` + table + `/index/*"}`, "dynamodb:PutItem", table, false},
		"a star matches the rest":                      {`{"Effect":"Allow","Action":"dynamodb:*","Resource":"` + table + `/index/*"}`, "dynamodb:Query", table + "/index/a/b", true},
		"a star matches the middle":                    {`{"Effect":"Allow","Action":"dynamodb:*Item","Resource":"arn:*:table/*s"}`, "dynamodb:PutItem", table, true},
		"a question mark matches one character":        {`{"Effect":"Allow","Action":"dynamodb:?utItem","Resource":"*"}`, "dynamodb:PutItem", table, true},
		"a question mark does not match nothing":       {`{"Effect":"Allow","Action":"dynamodb:PutItem?","Resource":"*"}`, "dynamodb:PutItem", table, false},
		"an explicit deny wins":                        {`[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"dynamodb:DeleteItem","Resource":"*"}]`, "dynamodb:DeleteItem", table, false},
		"a deny of something else does not":            {`[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"dynamodb:DeleteItem","Resource":"*"}]`, "dynamodb:PutItem", table, true},
		"NotAction allows the others":                  {`{"Effect":"Allow","NotAction":"dynamodb:Delete*","Resource":"*"}`, "dynamodb:PutItem", table, true},
		"NotAction does not allow what it names":       {`{"Effect":"Allow","NotAction":"dynamodb:Delete*","Resource":"*"}`, "dynamodb:DeleteItem", table, false},
		"NotResource allows the others":                {`{"Effect":"Allow","Action":"*","NotResource":"` + table + `"}`, "dynamodb:PutItem", table + "2", true},
		"NotResource does not allow what it names":     {`{"Effect":"Allow","Action":"*","NotResource":"` + table + `"}`, "dynamodb:PutItem", table, false},
		"a condition on the caller holds":              {`{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/path/*"}}}`, "dynamodb:PutItem", table, true},
		"a condition on the caller does not hold":      {`{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalAccount":["1","2"]}}}`, "dynamodb:PutItem", table, false},
		"a call is made over TLS":                      {`[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":false}}}]`, "dynamodb:PutItem", table, true},
		"a wildcard in an ARN stays within its part":   {`{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"ArnEquals":{"aws:PrincipalArn":"arn:*:role/path/writer"}}}`, "dynamodb:PutItem", table, false},
		"a condition that does not hold denies nobody": {`[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringNotEquals":{"aws:RequestedRegion":"us-east-1"}}}]`, "dynamodb:PutItem", table, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			role := newRole(t, test.statements)
			for range 2 { // the second answer is remembered
				if err := role.Authorize(test.action, test.resource); (err == nil) != test.allowed {
					t.Errorf("Authorize=%v, want allowed=%v", err, test.allowed)
				}
			}
		})
	}
}

func TestADenialIsInAWSsWords(t *testing.T) {
	t.Parallel()
	role := newRole(t, `{"Effect":"Deny","Action":"dynamodb:Query","Resource":"*"}`)
	const user = "User: arn:aws:sts::000000000000:assumed-role/writer/submit is not authorized to perform: "
	for action, want := range map[string]string{
		"dynamodb:DeleteItem": user + "dynamodb:DeleteItem on resource: " + table + " because no identity-based policy allows the dynamodb:DeleteItem action",
		"dynamodb:Query":      user + "dynamodb:Query on resource: " + table + " with an explicit deny in an identity-based policy",
	} {
		if err := role.Authorize(action, table); err == nil || err.Error() != want {
			t.Errorf("Authorize=%v, want %s", err, want)
		}
	}
}

func TestConditionsOnTheRequest(t *testing.T) {
	t.Parallel()
	const leading = "dynamodb:LeadingKeys"
	tests := map[string]struct {
		condition string
		keys      iam.Keys
		allowed   bool
	}{
		"all values are listed":                  {`{"ForAllValues:StringEquals":{"dynamodb:LeadingKeys":["a","b"]}}`, iam.Keys{leading: {"a", "b"}}, true},
		"one of all is not listed":               {`{"ForAllValues:StringEquals":{"dynamodb:LeadingKeys":["a","b"]}}`, iam.Keys{leading: {"a", "c"}}, false},
		"none is all":                            {`{"ForAllValues:StringEquals":{"dynamodb:LeadingKeys":["a"]}}`, iam.Keys{}, true},
		"any value is listed":                    {`{"ForAnyValue:StringLike":{"dynamodb:LeadingKeys":"quote-*"}}`, iam.Keys{leading: {"x", "quote-1"}}, true},
		"none is not any":                        {`{"ForAnyValue:StringLike":{"dynamodb:LeadingKeys":"*"}}`, iam.Keys{}, false},
		"a key that is missing does not match":   {`{"StringEquals":{"dynamodb:Select":"COUNT"}}`, iam.Keys{}, false},
		"unless it may be missing":               {`{"StringEqualsIfExists":{"dynamodb:Select":"COUNT"}}`, iam.Keys{}, true},
		"a key that is missing is not equal":     {`{"StringNotEquals":{"dynamodb:Select":"COUNT"}}`, iam.Keys{}, true},
		"a value that is equal is not not equal": {`{"StringNotEquals":{"dynamodb:Select":["COUNT","X"]}}`, iam.Keys{"dynamodb:Select": {"COUNT"}}, false},
		"a key has to be missing":                {`{"Null":{"dynamodb:Select":"true"}}`, iam.Keys{}, true},
		"a key has to be there":                  {`{"Null":{"dynamodb:Select":"false"}}`, iam.Keys{}, false},
		"two conditions hold together":           {`{"StringLike":{"a:b":"x*","a:c":"y"}}`, iam.Keys{"a:b": {"xx"}, "A:C": {"y"}}, true},
		"one of two does not hold":               {`{"StringLike":{"a:b":"x*","a:c":"y"}}`, iam.Keys{"a:b": {"xx"}, "a:c": {"z"}}, false},
		"the case of a value does not matter":    {`{"StringEqualsIgnoreCase":{"a:b":"X"}}`, iam.Keys{"a:b": {"x"}}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			role := newRole(t, `{"Effect":"Allow","Action":"dynamodb:Query","Resource":"*","Condition":`+test.condition+`}`)
			err := role.AuthorizeKeys("dynamodb:Query", table, func() iam.Keys { return test.keys })
			if (err == nil) != test.allowed {
				t.Errorf("AuthorizeKeys=%v, want allowed=%v", err, test.allowed)
			}
		})
	}
	t.Run("a call without keys is not guessed about", func(t *testing.T) {
		t.Parallel()
		role := newRole(t, `{"Effect":"Allow","Action":"dynamodb:*","Resource":"*","Condition":{"ForAllValues:StringEquals":{"dynamodb:LeadingKeys":"a"}}}`)
		err := role.Authorize("dynamodb:Query", table)
		if e, ok := errors.AsType[*awsapi.Error](err); !ok || !strings.Contains(e.Message, "dynamodb:LeadingKeys") {
			t.Errorf("Authorize=%v, want an error that names dynamodb:LeadingKeys", err)
		}
	})
}

func TestUnsupportedPoliciesAreRefusedByName(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ document, want string }{
		"an operator":                 {`{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"1"}}}}`, "the condition operator IpAddress"},
		"a set operator":              {`{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"ForSome:Bool":{"a:b":"true"}}}}`, "the condition operator ForSome:Bool"},
		"a variable in a resource":    {`{"Statement":{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::b/${aws:username}"}}`, "the policy variable in arn:aws:s3:::b/${aws:username}"},
		"a variable in a condition":   {`{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringLike":{"a:b":"${aws:username}"}}}}`, "the policy variable in ${aws:username}"},
		"an element":                  {`{"Statement":{"Effect":"Allow","Action":"*","Resources":"*"}}`, `the policy element "Resources"`},
		"a version":                   {`{"Version":"2020-01-01","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`, `the version "2020-01-01" does not exist`},
		"an effect":                   {`{"Statement":{"Effect":"Permit","Action":"*","Resource":"*"}}`, `the effect is Allow or Deny, not "Permit"`},
		"no statement":                {`{"Version":"2012-10-17","Statement":[]}`, "there is no statement"},
		"an action without a service": {`{"Statement":{"Effect":"Allow","Action":"PutItem","Resource":"*"}}`, `the action "PutItem" has no service`},
		"an empty list":               {`{"Statement":{"Effect":"Allow","Action":[],"Resource":"*"}}`, "a list in a statement is empty"},
		"no action":                   {`{"Statement":{"Effect":"Allow","Resource":"*"}}`, "a statement has either Action or NotAction"},
		"no resource":                 {`{"Statement":{"Effect":"Allow","Action":"*"}}`, "a statement has either Resource or NotResource"},
		"a principal":                 {`{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Principal":"*"}}`, "an identity-based policy names no principal"},
		"no JSON":                     {`{`, "unexpected EOF"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := iam.ParsePolicy("p", []byte(test.document)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("ParsePolicy=%v, want %s", err, test.want)
			}
		})
	}
	if _, err := iam.ManagedPolicy("arn:aws:iam::aws:policy/AdministratorAccess"); err == nil || !strings.Contains(err.Error(), "AdministratorAccess") {
		t.Errorf("ManagedPolicy=%v, want an error that names it", err)
	}
}

func TestUnused(t *testing.T) {
	t.Parallel()
	logs, err := iam.ManagedPolicy("arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole")
	if err != nil {
		t.Fatal(err)
	}
	role := iam.NewRole("arn:aws:iam::000000000000:role/r", "f", logs, mustPolicy(t,
		`[{"Sid":"Log","Effect":"Allow","Action":["dynamodb:PutItem","dynamodb:Query"],"Resource":["`+table+`","`+table+`/index/*"]},
		  {"Effect":"Deny","Action":"dynamodb:DeleteItem","Resource":"*"}]`))
	for _, call := range [][2]string{{"dynamodb:PutItem", table}, {"dynamodb:Query", table + "/index/i"}, {"dynamodb:GetItem", table}, {"logs:PutLogEvents", "arn:aws:logs:x"}} {
		_ = role.Authorize(call[0], call[1])
	}
	managed := "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
	want := []iam.Grant{
		{Policy: managed, Managed: true, Action: "logs:CreateLogGroup", Resource: "*"},
		{Policy: managed, Managed: true, Action: "logs:CreateLogStream", Resource: "*"},
		{Policy: "test", Sid: "Log", Action: "dynamodb:PutItem", Resource: table + "/index/*"},
		{Policy: "test", Sid: "Log", Action: "dynamodb:Query", Resource: table},
	}
	if got := role.Unused(); !reflect.DeepEqual(got, want) {
		t.Errorf("Unused=%v, want %v", got, want)
	}
}

func TestAuthorizeFromManyGoroutines(t *testing.T) {
	t.Parallel()
	role := newRole(t, `{"Effect":"Allow","Action":"states:*","Resource":"*"}`)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 8_000 { // more executions than decisions are kept
				if err := role.Authorize("states:DescribeExecution", fmt.Sprintf("arn:aws:states:execution:%d-%d", g, i)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if unused := role.Unused(); unused != nil {
		t.Errorf("Unused=%v, want none", unused)
	}
}

func TestResourcePolicies(t *testing.T) {
	t.Parallel()
	const queue, rule = "arn:aws:sqs:us-east-1:000000000000:failures", "arn:aws:events:us-east-1:000000000000:rule/bus/r"
	statement := func(principal, condition string) string {
		return `{"Statement":[{"Effect":"Allow","Principal":` + principal + `,"Action":"sqs:SendMessage","Resource":"` + queue + `"` + condition + `}]}`
	}
	const service = `{"Service":"events.amazonaws.com"}`
	tests := map[string]struct {
		document, principal, source string
		allowed                     bool
	}{
		"a service":                        {statement(service, ""), "events.amazonaws.com", rule, true},
		"another service":                  {statement(service, ""), "sns.amazonaws.com", rule, false},
		"a service for a rule":             {statement(service, `,"Condition":{"ArnEquals":{"aws:SourceArn":"`+rule+`"}}`), "events.amazonaws.com", rule, true},
		"a service for another rule":       {statement(service, `,"Condition":{"ArnEquals":{"aws:SourceArn":"`+rule+`2"}}`), "events.amazonaws.com", rule, false},
		"a service for an account":         {statement(service, `,"Condition":{"StringEquals":{"aws:SourceAccount":"000000000000"}}`), "events.amazonaws.com", rule, true},
		"anybody":                          {statement(`"*"`, ""), "arn:aws:iam::1:role/r", "", true},
		"an account":                       {statement(`{"AWS":"arn:aws:iam::000000000000:root"}`, ""), "arn:aws:sts::000000000000:assumed-role/r/f", "", true},
		"another account":                  {statement(`{"AWS":["1"]}`, ""), "arn:aws:sts::000000000000:assumed-role/r/f", "", false},
		"a role":                           {statement(`{"AWS":"arn:aws:iam::000000000000:role/r"}`, ""), "arn:aws:sts::000000000000:assumed-role/r/f", "", true},
		"a deny beside an allow":           {`{"Statement":[{"Effect":"Allow","Principal":"*","Action":"sqs:*","Resource":"*"},{"Effect":"Deny","Principal":"*","Action":"sqs:SendMessage","Resource":"*"}]}`, "events.amazonaws.com", rule, false},
		"a statement without a resource":   {`{"Statement":{"Effect":"Allow","Principal":"*","Action":"sqs:SendMessage"}}`, "events.amazonaws.com", rule, true},
		"a statement about something else": {`{"Statement":{"Effect":"Allow","Principal":"*","Action":"sqs:ReceiveMessage","Resource":"*"}}`, "events.amazonaws.com", rule, false},
		"a statement that wants TLS":       {statement(service, `,"Condition":{"Bool":{"aws:SecureTransport":"true"}}`), "events.amazonaws.com", rule, true},
		"all but a role": {
			statement(`"*"`, `,"Condition":{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::000000000000:role/r"}}`),
			"arn:aws:sts::000000000000:assumed-role/r/f", "", false,
		},
		"another than a role": {
			statement(`"*"`, `,"Condition":{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::000000000000:role/r"}}`),
			"arn:aws:sts::000000000000:assumed-role/q/f", "", true,
		},
		"a statement for services of AWS only": {statement(`"*"`, `,"Condition":{"Bool":{"aws:PrincipalIsAWSService":"true"}}`), "arn:aws:iam::1:role/r", "", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := iam.ParseResourcePolicy([]byte(test.document))
			if err != nil {
				t.Fatal(err)
			}
			if got := p.Allows(test.principal, "sqs:SendMessage", queue, test.source); got != test.allowed {
				t.Errorf("Allows=%v, want %v", got, test.allowed)
			}
		})
	}
	if (*iam.ResourcePolicy)(nil).Allows("events.amazonaws.com", "sqs:SendMessage", queue, rule) {
		t.Error("no policy allows something")
	}
	if _, err := iam.ParseResourcePolicy([]byte(statement(`{"Federated":"x"}`, ""))); err == nil || !strings.Contains(err.Error(), "Federated") {
		t.Errorf("ParseResourcePolicy=%v, want an error that names Federated", err)
	}
}

func TestPermission(t *testing.T) {
	t.Parallel()
	const function, rule = "arn:aws:lambda:us-east-1:000000000000:function:f", "arn:aws:events:us-east-1:000000000000:rule/r"
	p := iam.Permission("p", function, "lambda:InvokeFunction", "events.amazonaws.com", rule, "").
		Join(iam.Permission("p", function, "lambda:InvokeFunction", "apigateway.amazonaws.com", "arn:aws:execute-api:us-east-1:000000000000:api/*/GET/a/*", "000000000000"))
	tests := map[string]struct {
		principal, source string
		allowed           bool
	}{
		"the rule":         {"events.amazonaws.com", rule, true},
		"another rule":     {"events.amazonaws.com", rule + "2", false},
		"no rule":          {"events.amazonaws.com", "", false},
		"the route":        {"apigateway.amazonaws.com", "arn:aws:execute-api:us-east-1:000000000000:api/$default/GET/a/b", true},
		"another route":    {"apigateway.amazonaws.com", "arn:aws:execute-api:us-east-1:000000000000:api/$default/GET/b", false},
		"the wrong caller": {"sns.amazonaws.com", rule, false},
	}
	for name, test := range tests {
		if got := p.Allows(test.principal, "lambda:InvokeFunction", function, test.source); got != test.allowed {
			t.Errorf("%s: Allows=%v, want %v", name, got, test.allowed)
		}
	}
}

func FuzzParsePolicy(f *testing.F) {
	f.Add([]byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["a:*"],"Resource":"*","Condition":{"Null":{"a:b":true}}}]}`))
	f.Add([]byte(`{"Statement":{"Effect":"Deny","NotAction":"a:b?","NotResource":["*a*b"],"Principal":{"AWS":"*"}}}`))
	f.Add([]byte(`{"Statement":null}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		if p, err := iam.ParsePolicy("p", document); err == nil {
			_ = iam.NewRole("r", "s", p).AuthorizeKeys("a:b", "c", func() iam.Keys { return iam.Keys{"a:b": {"x"}} })
		}
		if p, err := iam.ParseResourcePolicy(document); err == nil {
			p.Allows("events.amazonaws.com", "a:b", "c", "")
		}
	})
}

func BenchmarkAuthorize(b *testing.B) {
	role := newRole(b, `[{"Effect":"Allow","Action":["dynamodb:Query","dynamodb:PutItem"],"Resource":"`+table+`"}]`)
	b.ReportAllocs()
	for b.Loop() {
		if err := role.Authorize("dynamodb:PutItem", table); err != nil {
			b.Fatal(err)
		}
	}
}
