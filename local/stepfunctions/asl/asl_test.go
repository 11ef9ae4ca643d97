package asl_test

import (
	"strings"
	"testing"

	"milepost/local/stepfunctions/asl"
)

func TestRefusedDefinitions(t *testing.T) {
	t.Parallel()
	pass := func(rest string) string {
		return `{"StartAt":"A","States":{"A":{"Type":"Pass","End":true` + rest + `}}}`
	}
	for _, test := range []struct{ name, definition, want string }{
		{"no JSON", `{`, "INVALID_JSON_DESCRIPTION"},
		{"nothing required is there", `{}`, "These fields are required: [States, StartAt] at /'"},
		{"a field that does not exist", pass(`,"Reslt":1`), "Field is not supported at /States/A/Reslt"},
		{"a start that does not exist", `{"StartAt":"B","States":{"A":{"Type":"Pass","End":true}}}`, "Missing 'StartAt' target: B at /StartAt"},
		{"a next state that does not exist", `{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"B"}}}`, "MISSING_TRANSITION_TARGET: Missing 'Next' target: B at /States/A/Next"},
		{"a state that cannot be reached", `{"StartAt":"A","States":{"A":{"Type":"Pass","End":true},"B":{"Type":"Succeed"}}}`, `State "B" is not reachable. at /States/B`},
		{"neither Next nor End", `{"StartAt":"A","States":{"A":{"Type":"Pass"}}}`, "One of these fields is required: [End, Next] at /States/A"},
		{"a kind that does not exist", `{"StartAt":"A","States":{"A":{"Type":"Jump"}}}`, "The field 'Type' should have one of these values: [Task, Wait, Pass, Succeed, Fail, Choice, Parallel, Map] at /States/A/Type"},
		{"a path that is not one", pass(`,"InputPath":"a.b"`), "at /States/A/InputPath"},
		{"a result path with a wildcard", pass(`,"ResultPath":"$.a[*]"`), "at /States/A/ResultPath"},
		{"a function that does not exist", pass(`,"Parameters":{"a.$":"States.Nope()"}`), "The value for the field 'a.$' must be a valid JSONPath or a valid intrinsic function call at /States/A/Parameters"},
		{"a function with too few arguments", pass(`,"Parameters":{"a.$":"States.Hash('x')"}`), "must be a valid JSONPath"},
		{"a name that is used twice", `{"StartAt":"A","States":{"A":{"Type":"Parallel","End":true,"Branches":[{"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}]}}}`, "DUPLICATE_STATE_NAME"},
		{"no choices", `{"StartAt":"A","States":{"A":{"Type":"Choice","Choices":[]}}}`, "Value cannot be empty at /States/A/Choices"},
		{"a choice with two operators", `{"StartAt":"A","States":{"A":{"Type":"Choice","Choices":[{"Variable":"$.a","IsNull":true,"IsString":true,"Next":"B"}]},"B":{"Type":"Succeed"}}}`, "exactly one of"},
		{"a heartbeat that is longer than the timeout", `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","TimeoutSeconds":5,"HeartbeatSeconds":5,"End":true}}}`, "HeartbeatSeconds must be smaller"},
		{"an integration that does not exist", `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::dynamodb:query","End":true}}}`, "is not recognized"},
		{"JSONata", `{"QueryLanguage":"JSONata","StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}`, "does not support QueryLanguage JSONata"},
		{"JSONata in one state", pass(`,"QueryLanguage":"JSONata","Output":1`), "does not support QueryLanguage JSONata"},
		{"express child executions", distributed(``, `"ExecutionType":"EXPRESS"`), "does not support distributed Map states with the ExecutionType EXPRESS (/States/A)"},
		{"child executions of no type", distributed(``, `"Comment":""`), "These fields are required: [ExecutionType] at /States/A/ItemProcessor/ProcessorConfig"},
		{"a reader", distributed(`"ItemReader":{},`, `"ExecutionType":"STANDARD"`), "does not support the ItemReader of distributed Map states (/States/A)"},
		{"a writer", distributed(`"ResultWriter":{},`, `"ExecutionType":"STANDARD"`), "does not support the ResultWriter of distributed Map states (/States/A)"},
		{"a batch without limits", distributed(`"ItemBatcher":{"BatchInput":{}},`, `"ExecutionType":"STANDARD"`), "at /States/A/ItemBatcher"},
		{"a label that no ARN can have", distributed(`"Label":"a:b",`, `"ExecutionType":"STANDARD"`), "at /States/A/Label"},
		{"more than all may fail", distributed(`"ToleratedFailurePercentage":101,`, `"ExecutionType":"STANDARD"`), "Value must be between 0 and 100 at /States/A/ToleratedFailurePercentage"},
		{"a tolerance of an inline map", `{"StartAt":"A","States":{"A":{"Type":"Map","End":true,"ToleratedFailureCount":1,"ItemProcessor":{"StartAt":"B","States":{"B":{"Type":"Pass","End":true}}}}}}`, "Field is not supported at /States/A/ToleratedFailureCount"},
		{"an activity", `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:us-east-1:000000000000:activity:a","End":true}}}`, "does not support activities"},
		{"waiting for a job", `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::states:startExecution.sync","End":true}}}`, "does not support the integration pattern .sync"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := asl.Compile(test.definition)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
}

// distributed is a distributed Map state with further members, and with those of its ProcessorConfig.
func distributed(members, config string) string {
	return `{"StartAt":"A","States":{"A":{"Type":"Map","End":true,` + members + `"ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED",` + config + `},"StartAt":"B","States":{"B":{"Type":"Pass","End":true}}}}}}`
}

const document = `{"a":{"b":[1,2,{"c":null}],"d e":"x","q'":1},"n":[{"p":1,"s":"one"},{"p":12.50,"s":"two"},{"s":"three"}],"z":{"y":1,"x":2}}`

func TestPaths(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ path, want string }{
		{"$.a.b[0]", "1"},
		{"$.a.b[-1].c", "null"},
		{"$.a['d e']", `"x"`},
		{`$["a"]["d e"]`, `"x"`},
		{`$.a['q\'']`, "1"},
		{"$.a.b[7]", "none"},
		{"$.missing.b", "none"},
		{"$.a.b.c", "none"},
		{"$.a.b[*]", `[1,2,{"c":null}]`},
		{"$.z.*", "[2,1]"},
		{"$.missing[*].x", "[]"},
		{"$.a.b[0:2]", "[1,2]"},
		{"$.a.b[-2:]", `[2,{"c":null}]`},
		{"$.a.b[0,1]", "[1,2]"},
		{"$..p", "[1,12.50]"},
		{"$.n[?(@.p > 2)].s", `["two"]`},
		{"$.n[?(@.s == 'one' || @.p == 12.5)].p", "[1,12.50]"},
		{"$$.Execution.Name", `"e"`},
		{"$v.w", "3"},
		{"$none", "none"},
	} {
		t.Run(test.path, func(t *testing.T) {
			t.Parallel()
			env := &asl.Env{
				Input:   asl.FromText(document),
				Context: func() map[string]any { return map[string]any{"Execution": map[string]any{"Name": "e"}} },
				Vars:    &asl.Scope{Outer: &asl.Scope{Own: map[string]any{"v": asl.FromText(`{"w":3}`).Value()}}},
			}
			p, err := asl.ParsePath(test.path)
			if err != nil {
				t.Fatal(err)
			}
			got := "none"
			if v, ok := p.Lookup(env); ok {
				got = asl.Encode(v)
			}
			if got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
	for _, bad := range []string{"", "a", "$.", "$.a.", "$[", "$['a", "$['a','b']", "$.a b", "$.length()", "$[x]", "$x-y", "$.a[?(@.p >]"} {
		if _, err := asl.ParsePath(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func TestFunctions(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ call, want string }{
		{`States.Format('{} is {}: \{\} \'quoted\' \\', $.z.x, $.z)`, `"2 is {x=2, y=1}: {} 'quoted' \\"`},
		{`States.Format('{}')`, "States.IntrinsicFailure"},
		{`States.Format('none', 1)`, "States.IntrinsicFailure"},
		{`States.ArrayRange(9, 1, -4)`, "[9,5,1]"},
		{`States.ArrayRange(0, 5000, 1)`, "States.IntrinsicFailure"},
		{`States.ArrayRange(0, 5, 0)`, "States.IntrinsicFailure"},
		{`States.ArrayGetItem($.a.b, 3)`, "States.IntrinsicFailure"},
		{`States.ArrayPartition($.a.b, 0)`, "States.IntrinsicFailure"},
		{`States.ArrayUnique(States.Array(1, 1.0, '1', null, null))`, `[1,"1",null]`},
		{`States.StringToJson('[1, "a"]')`, `[1,"a"]`},
		{`States.StringToJson('nope')`, "States.IntrinsicFailure"},
		{`States.JsonToString($.z)`, `"{\"x\":2,\"y\":1}"`},
		{`States.JsonMerge($.z, States.StringToJson('{"x":3}'), true)`, "States.IntrinsicFailure"},
		{`States.StringSplit('a-b_c', '-_')`, `["a","b","c"]`},
		{`States.MathRandom(5, 6)`, "5"},
		{`States.MathRandom(5, 5)`, "States.IntrinsicFailure"},
		{`States.Base64Decode(States.Base64Encode('é'))`, `"é"`},
		{`States.Hash('a', 'CRC')`, "States.IntrinsicFailure"},
		{`States.MathAdd('1', 1)`, "States.IntrinsicFailure"},
		{`States.Array($.n[?(@.p > 2)], $.a['q\''])`, `[[{"p":12.50,"s":"two"}],1]`},
		{`States.Format('{}', $.none)`, "States.Runtime"},
	} {
		t.Run(test.call, func(t *testing.T) {
			t.Parallel()
			e, err := asl.ParseExpression(test.call)
			if err != nil {
				t.Fatal(err)
			}
			v, err := e.Eval(&asl.Env{Input: asl.FromText(document)}, "x.$")
			got := ""
			if err != nil {
				got, _, _ = strings.Cut(err.Error(), ":")
			} else {
				got = asl.Encode(v)
			}
			if got != test.want {
				t.Errorf("got %s (%v), want %s", got, err, test.want)
			}
		})
	}
	for _, bad := range []string{"", "States.Format", "States.Format(", "States.Format('a'", `States.Format('\"')`, "States.Array(1 2)",
		"States.Array(a)", "States.Array(1) x", "States.UUID(1)", strings.Repeat("States.Array(", 11) + strings.Repeat(")", 11)} {
		if _, err := asl.ParseExpression(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func TestStringMatches(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		pattern, text string
		want          bool
	}{
		{"log-*.txt", "log-1.txt", true}, {"log-*.txt", "log-1.csv", false}, {"*", "", true},
		{`a\\*b`, "a*b", true}, {`a\\*b`, "axb", false}, {"a*b*c", "aXbYbZc", true},
	} {
		m, err := asl.Compile(`{"StartAt":"A","States":{"A":{"Type":"Choice","Choices":[{"Variable":"$","StringMatches":"` + test.pattern + `","Next":"B"}]},"B":{"Type":"Succeed"}}}`)
		if err != nil {
			t.Fatal(err)
		}
		rule, err := m.Start.Body.(*asl.Choice).Select(&asl.Env{Input: asl.FromValue(test.text)})
		if err != nil || (rule != nil) != test.want {
			t.Errorf("%q matches %q: got %v, %v, want %v", test.pattern, test.text, rule != nil, err, test.want)
		}
	}
}

func FuzzExpression(f *testing.F) {
	for _, seed := range []string{"$.a.b[0]", "$..p", "$.n[?(@.p > 2)]", "$['a']", "States.Format('{}', $.a)", "States.Array(1, null, 'x')", "States.MathAdd(1e400, 1)", "$.a[:-1]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := asl.ParseExpression(text)
		if err != nil {
			return
		}
		env := &asl.Env{Input: asl.FromText(document), Context: func() map[string]any { return nil }}
		if v, err := e.Eval(env, "x"); err == nil {
			if _, err := asl.Decode(asl.Encode(v)); err != nil {
				t.Errorf("%q yields what is not JSON: %v", text, err)
			}
		}
	})
}

func FuzzCompile(f *testing.F) {
	f.Add(`{"StartAt":"A","States":{"A":{"Type":"Choice","Choices":[{"Not":{"Variable":"$.a","IsNull":true},"Next":"B"}]},"B":{"Type":"Succeed"}}}`)
	f.Add(`{"StartAt":"A","States":{"A":{"Type":"Map","ItemProcessor":{"StartAt":"B","States":{"B":{"Type":"Fail","Error":1}}},"End":true}}}`)
	f.Add(`{"StartAt":1,"States":[]}`)
	f.Fuzz(func(_ *testing.T, definition string) { _, _ = asl.Compile(definition) })
}
