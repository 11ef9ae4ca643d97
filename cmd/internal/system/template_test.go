package system_test

import (
	"testing"

	"milepost/handlers"
	"milepost/local/template"
)

// TestTemplateHasNoMistakesThatLintersMiss also fails for a handler without a function, and for a
// function without a handler.
func TestTemplateHasNoMistakesThatLintersMiss(t *testing.T) {
	t.Parallel()
	loaded, err := template.Load("../../../template.yaml", template.Options{
		StackName: "milepost", Parameters: map[string]string{
			"TokenIssuer": "https://issuer.example", "AccidentHistoryUrl": "https://bureau.example", "AccidentHistoryKey": "key",
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range template.Check(loaded, handlers.Names()) {
		t.Error(problem)
	}
}
