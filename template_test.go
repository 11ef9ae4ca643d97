// Package milepost_test checks what no single package can: that the rooms keep to themselves, and that
// template.yaml, the registry and the code name the same things.
package milepost_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"milepost/handlers"
	"milepost/internal/stacktest"
	"milepost/local/template"
)

func TestTheTemplateHasNoneOfTheMistakesThatLintersMiss(t *testing.T) {
	t.Parallel()
	for _, problem := range template.Check(stacktest.Template(t), handlers.Names()) {
		t.Error(problem)
	}
}

// TestFunctionsHaveOneNameEverywhere compares Handler, the registry, the logical id and the package.
func TestFunctionsHaveOneNameEverywhere(t *testing.T) {
	t.Parallel()
	var inTemplate []string
	for _, r := range stacktest.Template(t).OfType("AWS::Lambda::Function") {
		var in struct{ Handler, Description string }
		for name, into := range map[string]*string{"Handler": &in.Handler, "Description": &in.Description} {
			*into, _ = r.Properties[name].(string)
		}
		inTemplate = append(inTemplate, in.Handler)
		if strings.ToLower(r.LogicalID) != in.Handler+"function" {
			t.Errorf("%s has the handler %s", r.LogicalID, in.Handler)
		}
		if in.Description == "" {
			t.Errorf("%s has no description", r.LogicalID)
		}
		_, notHandler := os.Stat("handlers/" + in.Handler)
		steps, err := filepath.Glob("workflows/*/" + in.Handler + ".go")
		if notHandler != nil && (steps == nil || err != nil) {
			t.Errorf("there is neither handlers/%s nor a step %s.go of a workflow", in.Handler, in.Handler)
		}
	}
	slices.Sort(inTemplate)
	if !slices.Equal(inTemplate, handlers.Names()) {
		t.Errorf("the template has %v\nthe registry %v", inTemplate, handlers.Names())
	}
}

// TestWhatFunctionsKnowOfTheStackIsAnOutput checks the rule by which the command line finds resources: a variable that
// names a resource, such as EVENTS_TABLE_NAME, is the output EventsTableName.
func TestWhatFunctionsKnowOfTheStackIsAnOutput(t *testing.T) {
	t.Parallel()
	loaded := stacktest.Template(t)
	if n := len(loaded.Outputs); n > 200 {
		t.Errorf("%d outputs; CloudFormation takes 200", n)
	}
	resources := map[string]bool{}
	for _, r := range loaded.Resources {
		resources[r.PhysicalID] = true
		for _, value := range r.Attributes {
			resources[value] = true
		}
	}
	checked := map[string]bool{}
	for _, r := range loaded.OfType("AWS::Lambda::Function") {
		environment, _ := r.Properties["Environment"].(map[string]any)
		variables, _ := environment["Variables"].(map[string]any)
		for name, v := range variables {
			value, _ := v.(string)
			if !resources[value] {
				continue
			}
			checked[name] = true
			if output := outputOf(name); loaded.Outputs[output].Value != value {
				t.Errorf("%s of %s is %s, and the output %s is %q", name, r.LogicalID, value, output, loaded.Outputs[output].Value)
			}
		}
	}
	if len(checked) < 10 {
		t.Errorf("only %d variables name a resource", len(checked))
	}
}

// TestEveryQueueIsAnOutput: milepost dlq, and the tests that want all queues empty, find queues by their outputs.
func TestEveryQueueIsAnOutput(t *testing.T) {
	t.Parallel()
	loaded := stacktest.Template(t)
	queues := loaded.OfType("AWS::SQS::Queue")
	for _, r := range queues {
		if loaded.Outputs[r.LogicalID+"Url"].Value == "" {
			t.Errorf("the template has no output %sUrl", r.LogicalID)
		}
	}
	if len(queues) == 0 {
		t.Error("the template has no queue")
	}
}

// outputOf is the name of the output with the value of a variable.
func outputOf(variable string) string {
	var name strings.Builder
	for word := range strings.SplitSeq(variable, "_") {
		name.WriteString(word[:1] + strings.ToLower(word[1:]))
	}
	return name.String()
}

// TestTheLogIsOnlyEverAppendedTo checks what no function may do to the table of events.
func TestTheLogIsOnlyEverAppendedTo(t *testing.T) {
	t.Parallel()
	loaded := stacktest.Template(t)
	var table string
	for _, r := range loaded.OfType("AWS::DynamoDB::Table") {
		if r.LogicalID == "EventsTable" {
			table = r.ARN
		}
	}
	if table == "" {
		t.Fatal("there is no table of events")
	}
	allowed := []string{"dynamodb:PutItem", "dynamodb:Query", "dynamodb:Scan", "dynamodb:BatchGetItem"}
	granted := 0
	for _, r := range loaded.OfType("AWS::IAM::Role") {
		policies, _ := r.Properties["Policies"].([]any)
		for _, p := range policies {
			document, _ := p.(map[string]any)["PolicyDocument"].(map[string]any)
			for _, statement := range list(document["Statement"]) {
				s := statement.(map[string]any)
				if !slices.ContainsFunc(list(s["Resource"]), func(v any) bool {
					return v == table || v == "*" && slices.ContainsFunc(list(s["Action"]), isTableAction)
				}) {
					continue
				}
				for _, action := range list(s["Action"]) {
					granted++
					if !slices.Contains(allowed, action.(string)) {
						t.Errorf("%s may %v the log", r.LogicalID, action)
					}
				}
			}
		}
	}
	if granted == 0 {
		t.Error("no function may use the log at all")
	}
}

var (
	// rowOfFunctions is a row of a table whose first cell names functions.
	rowOfFunctions = regexp.MustCompile("(?m)^\\| ((?:`[a-z]+`(?:, )?)+) \\| (.*) \\|$")
	codeWord       = regexp.MustCompile("`([A-Za-z]+)`")
)

// words are those of a text in code quotes.
func words(text string) []string {
	var all []string
	for _, found := range codeWord.FindAllStringSubmatch(text, -1) {
		all = append(all, found[1])
	}
	return all
}

// TestTheDocumentsSayWhatEachFunctionMay compares the tables of docs/architecture.md with the template: each function
// is in both, and the table of its permissions has exactly its actions.
func TestTheDocumentsSayWhatEachFunctionMay(t *testing.T) {
	t.Parallel()
	functions, permissions, found := strings.Cut(mustReadText(t, "docs/architecture.md"), "\n## Security\n")
	if !found {
		t.Fatal("docs/architecture.md has no section Security")
	}
	var explained []string
	for _, row := range rowOfFunctions.FindAllStringSubmatch(functions, -1) {
		explained = append(explained, words(row[1])...)
	}
	granted := map[string][]string{}
	for _, r := range stacktest.Template(t).OfType("AWS::IAM::Role") {
		name, ofFunction := strings.CutSuffix(r.LogicalID, "FunctionRole")
		if !ofFunction {
			continue
		}
		name = strings.ToLower(name)
		granted[name] = nil
		if !slices.Contains(explained, name) {
			t.Errorf("docs/architecture.md does not say what %s does", name)
		}
		policies, _ := r.Properties["Policies"].([]any)
		for _, p := range policies {
			document, _ := p.(map[string]any)["PolicyDocument"].(map[string]any)
			for _, statement := range list(document["Statement"]) {
				s := statement.(map[string]any)
				for _, action := range list(s["Action"]) {
					if a := action.(string); !saidOfAll(a, list(s["Resource"])) {
						granted[name] = append(granted[name], a[strings.Index(a, ":")+1:])
					}
				}
			}
		}
	}
	said := map[string][]string{}
	for _, row := range rowOfFunctions.FindAllStringSubmatch(permissions, -1) {
		names, actions := words(row[1]), words(row[2])
		for _, name := range names {
			said[name] = actions
		}
		for _, action := range actions {
			if action[0] >= 'A' && action[0] <= 'Z' && !slices.ContainsFunc(names, func(name string) bool { return slices.Contains(granted[name], action) }) {
				t.Errorf("docs/architecture.md says that %v may %s", names, action)
			}
		}
	}
	if len(granted) == 0 {
		t.Error("the template has no functions")
	}
	for name, actions := range granted {
		if _, ok := said[name]; !ok {
			t.Errorf("docs/architecture.md does not say what %s may", name)
			continue
		}
		for _, action := range actions {
			if !slices.Contains(said[name], action) {
				t.Errorf("docs/architecture.md does not say that %s may %s", name, action)
			}
		}
	}
}

// saidOfAll reports whether the document lists an action for many functions at once: to log, to trace, to report a
// failure, to unseal, and to read snapshots.
func saidOfAll(action string, resources []any) bool {
	if action == "kms:Decrypt" || action == "kms:GenerateDataKey" || action == "sqs:SendMessage" ||
		strings.HasPrefix(action, "logs:") || strings.HasPrefix(action, "xray:") {
		return true
	}
	return action == "dynamodb:GetItem" && !slices.ContainsFunc(resources, func(v any) bool {
		of, _ := v.(string)
		return !strings.HasSuffix(of, "-customer-keys") && !strings.HasSuffix(of, "-snapshots")
	})
}

func isTableAction(v any) bool {
	action, _ := v.(string)
	return action == "*" || strings.HasPrefix(action, "dynamodb:")
}

// list is a value of a policy that may be one or several.
func list(v any) []any {
	if all, ok := v.([]any); ok {
		return all
	}
	return []any{v}
}
