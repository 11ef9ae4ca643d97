package template_test

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"testing"

	"milepost/local/template"
)

func mustLoad(tb testing.TB, path string, opts template.Options) *template.Template {
	tb.Helper()
	t, err := template.Load(path, opts)
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

// rich.translated.json is what AWS's own SAM translator (1.110) makes of rich.yaml, with the code in a bucket. Loading
// either yields the same stack.
func TestExpansionIsThatOfTheSAMTranslator(t *testing.T) {
	t.Parallel()
	opts := template.Options{StackName: "parcels", APIEndpoint: "http://127.0.0.1:8080"}
	got := mustLoad(t, "testdata/rich.yaml", opts)
	want := mustLoad(t, "testdata/rich.translated.json", opts)
	byID := func(t *template.Template) map[string]*template.Resource {
		m := map[string]*template.Resource{}
		for _, r := range t.Resources {
			m[r.LogicalID] = r
		}
		return m
	}
	g, w := byID(got), byID(want)
	for _, id := range slices.Sorted(maps.Keys(w)) {
		if g[id] == nil {
			t.Errorf("%s (%s) is missing", id, w[id].Type)
			continue
		}
		if g[id].Type != w[id].Type || g[id].ARN != w[id].ARN || g[id].PhysicalID != w[id].PhysicalID {
			t.Errorf("%s = %s %s %s, want %s %s %s", id, g[id].Type, g[id].ARN, g[id].PhysicalID, w[id].Type, w[id].ARN, w[id].PhysicalID)
		}
		assertSame(t, id, normal("", g[id].Properties), normal("", w[id].Properties))
	}
	for id := range g {
		if w[id] == nil {
			t.Errorf("%s (%s) is not made by SAM", id, g[id].Type)
		}
	}
	if !reflect.DeepEqual(got.Outputs, want.Outputs) {
		t.Errorf("Outputs=%v, want %v", got.Outputs, want.Outputs)
	}
}

// assertSame compares two values and names the places where they differ.
func assertSame(t *testing.T, path string, got, want any) {
	t.Helper()
	g, ok1 := got.(map[string]any)
	w, ok2 := want.(map[string]any)
	if ok1 && ok2 {
		keys := map[string]bool{}
		for k := range g {
			keys[k] = true
		}
		for k := range w {
			keys[k] = true
		}
		for _, k := range slices.Sorted(maps.Keys(keys)) {
			assertSame(t, path+"."+k, g[k], w[k])
		}
		return
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s=%s, want %s", path, text(got), text(want))
	}
}

// normal hides what differs without a difference: one action needs no list, the order of tags and policies is free, and
// a definition is JSON in whatever layout.
func normal(name string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := map[string]any{}
		for k, item := range v {
			m[k] = normal(k, item)
		}
		return m
	case []any:
		var list []any
		for _, item := range v {
			list = append(list, normal("", item))
		}
		switch name {
		case "Tags", "tags", "ManagedPolicyArns", "Policies":
			slices.SortFunc(list, func(a, b any) int {
				return slices.Compare(text(a), text(b))
			})
		}
		return list
	case string:
		if name == "Action" {
			return []any{v}
		}
		if name == "DefinitionString" {
			var definition any
			if json.Unmarshal([]byte(v), &definition) == nil {
				return definition
			}
		}
	}
	return v
}

func text(v any) []byte {
	b, _ := json.Marshal(v)
	return b
}
