package stepfunctions_test

import (
	"fmt"
	"testing"

	"milepost/local/awsapi"
	"milepost/local/stepfunctions"
)

// tags lists those of a machine.
func (w *world) tags() string {
	w.t.Helper()
	return fmt.Sprint(w.mustCall("ListTagsForResource", map[string]any{"resourceArn": w.machine})["tags"])
}

func tag(key, value string) map[string]string { return map[string]string{"key": key, "value": value} }

func TestTagsOfAMachineAreKept(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	w := newWorld(t, passes, stepfunctions.Config{Store: store})
	if got := w.tags(); got != "[]" {
		t.Errorf("at first: %s", got)
	}
	w.mustCall("TagResource", map[string]any{"resourceArn": w.machine, "tags": []any{tag("b", "1"), tag("a", "2")}})
	w.mustCall("TagResource", map[string]any{"resourceArn": w.machine, "tags": []any{tag("b", "3"), tag("c", "")}})
	w.mustCall("UntagResource", map[string]any{"resourceArn": w.machine, "tagKeys": []string{"c", "x"}})
	const want = "[map[key:a value:2] map[key:b value:3]]"
	if got := w.tags(); got != want {
		t.Errorf("tags %s, want %s", got, want)
	}
	w.kill()
	w.up()
	defer w.kill()
	if got := w.tags(); got != want {
		t.Errorf("tags after a restart %s, want %s", got, want)
	}
}

func TestAMachineIsMadeWithTags(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passes, stepfunctions.Config{})
	defer w.kill()
	request := map[string]any{"name": "tagged", "definition": passes, "roleArn": "arn:aws:iam::000000000000:role/quote", "tags": []any{tag("a", "1")}}
	w.machine = fmt.Sprint(w.mustCall("CreateStateMachine", request)["stateMachineArn"])
	request["tags"] = []any{tag("b", "1")}
	w.mustCall("CreateStateMachine", request)
	if got := w.tags(); got != "[map[key:a value:1]]" {
		t.Errorf("tags %s: another create with other tags changes nothing", got)
	}
}

func TestTagsThatAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passes, stepfunctions.Config{})
	defer w.kill()
	var many []any
	for i := range 51 {
		many = append(many, tag(fmt.Sprint(i), ""))
	}
	for code, tags := range map[string][]any{"TooManyTags": many, "ValidationException": {tag("aws:x", "1")}} {
		_, err := w.call("TagResource", map[string]any{"resourceArn": w.machine, "tags": tags})
		wantCode(t, err, code)
	}
	for _, operation := range []string{"TagResource", "UntagResource", "ListTagsForResource"} {
		_, err := w.call(operation, map[string]any{"resourceArn": w.machine + "x"})
		wantCode(t, err, "ResourceNotFound")
		_, err = w.Call(awsapi.WithCaller(t.Context(), awsapi.Caller{Policy: denied{}}), operation, []byte(`{"resourceArn":"`+w.machine+`"}`))
		wantCode(t, err, "AccessDeniedException")
	}
}
