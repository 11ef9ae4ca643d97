// Package milepost_test checks what no single package can: that the rooms keep to themselves, and that
// template.yaml, the registry and the code name the same things.
package milepost_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"milepost/handlers"
	"milepost/local/template"
)

func mustLoad(t *testing.T) *template.Template {
	t.Helper()
	loaded, err := template.Load("template.yaml", template.Options{StackName: "milepost", Parameters: map[string]string{
		"TokenIssuer": "https://issuer.example", "AccidentHistoryUrl": "https://bureau.example", "AccidentHistoryKey": "key",
	}})
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

func TestTheTemplateHasNoneOfTheMistakesThatLintersMiss(t *testing.T) {
	t.Parallel()
	for _, problem := range template.Check(mustLoad(t), handlers.Names()) {
		t.Error(problem)
	}
}

// TestFunctionsHaveOneNameEverywhere compares Handler, the registry, the logical id and the package.
func TestFunctionsHaveOneNameEverywhere(t *testing.T) {
	t.Parallel()
	var inTemplate []string
	for _, r := range mustLoad(t).OfType("AWS::Lambda::Function") {
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
		_, notStep := os.Stat("workflows/quote/" + in.Handler + ".go")
		if notHandler != nil && notStep != nil {
			t.Errorf("there is neither handlers/%s nor a step %s.go of the workflow", in.Handler, in.Handler)
		}
	}
	slices.Sort(inTemplate)
	if !slices.Equal(inTemplate, handlers.Names()) {
		t.Errorf("the template has %v\nthe registry %v", inTemplate, handlers.Names())
	}
}

// TestTheLogIsOnlyEverAppendedTo checks what no function may do to the table of events.
func TestTheLogIsOnlyEverAppendedTo(t *testing.T) {
	t.Parallel()
	loaded := mustLoad(t)
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
