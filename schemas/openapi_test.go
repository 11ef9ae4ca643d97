package schemas_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"milepost/internal/stacktest"
	"milepost/schemas"
)

// document is what the tests read of the OpenAPI document.
type document struct {
	Paths map[string]map[string]struct {
		OperationID string                `json:"operationId"`
		Security    []map[string][]string `json:"security"`
		Parameters  []struct {
			Name, In, Description string
			Ref                   string `json:"$ref"`
		}
	}
	Components struct {
		Schemas    map[string]any
		Parameters map[string]struct{ Name, In, Description string }
	}
}

// openAPIValue is the document as it is written.
func openAPIValue(t *testing.T) any {
	t.Helper()
	return mustYAML(t, schemas.OpenAPI())
}

// servedValue is the document as it is served.
func servedValue(t *testing.T) any {
	t.Helper()
	text, err := schemas.Document()
	if err != nil {
		t.Fatal(err)
	}
	return mustYAML(t, text)
}

func mustYAML(t *testing.T, document []byte) any {
	t.Helper()
	var value any
	if err := yaml.Unmarshal(document, &value); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return mustValue(t, text)
}

func openAPI(t *testing.T) document {
	t.Helper()
	text, err := json.Marshal(openAPIValue(t))
	if err != nil {
		t.Fatal(err)
	}
	var doc document
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestDocumentIsOpenAPI(t *testing.T) {
	t.Parallel()
	schema, err := jsonschema.NewCompiler().Compile("testdata/openapi-3.1.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]any{"written": openAPIValue(t), "served": servedValue(t)} {
		if err := schema.Validate(value); err != nil {
			t.Errorf("as it is %s: %v", name, err)
		}
	}
}

// TestGeneratorsUnderstandTheDocument holds the document to what generators of clients and forms can do with OpenAPI
// 3.1: an enumeration has a type, a value has one type or null, and there is neither const nor a boolean schema. make
// clients shows that the tools do generate clients from it.
func TestGeneratorsUnderstandTheDocument(t *testing.T) {
	t.Parallel()
	var walk func(at string, value any)
	walk = func(at string, value any) {
		switch v := value.(type) {
		case []any:
			for i, item := range v {
				walk(fmt.Sprintf("%s/%d", at, i), item)
			}
		case map[string]any:
			_, enum := v["enum"].([]any)
			if _, typed := v["type"].(string); enum && !typed {
				t.Errorf("%s: the enumeration has no type", at)
			}
			if kinds, ok := v["type"].([]any); ok && (len(kinds) != 2 || !slices.Contains(kinds, any("null"))) {
				t.Errorf("%s has the types %v", at, kinds)
			}
			if value, ok := v["const"]; ok {
				t.Errorf("%s: const %v is an enumeration of one", at, value)
			}
			if _, ok := v["items"].(bool); ok {
				t.Errorf("%s: items is a boolean", at)
			}
			for name, member := range v {
				if name != "example" && name != "examples" {
					walk(at+"/"+name, member)
				}
			}
		}
	}
	walk("", servedValue(t))
}

// TestEveryOperationHasExamplesAndRefusals: the served document shows a body of each operation, and has the gateway's
// answers that come before a function is called.
func TestEveryOperationHasExamplesAndRefusals(t *testing.T) {
	t.Parallel()
	type body struct {
		Content map[string]struct{ Example, Examples any }
	}
	text, err := json.Marshal(servedValue(t))
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]struct {
			Security    []any
			RequestBody *body
			Responses   map[string]body
		}
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	for path, methods := range doc.Paths {
		for method, op := range methods {
			bodies := map[string]body{}
			if op.RequestBody != nil {
				bodies["request"] = *op.RequestBody
			}
			maps.Copy(bodies, op.Responses)
			for name, body := range bodies {
				for media, content := range body.Content {
					if content.Example == nil && content.Examples == nil {
						t.Errorf("%s %s: the %s of %s has no example", method, path, media, name)
					}
				}
			}
			refused := []string{"429", "500", "503"}
			if len(op.Security) > 0 {
				refused = append(refused, "401", "403")
			}
			if strings.Contains(path, "{") {
				refused = append(refused, "404")
			}
			for _, status := range refused {
				if _, ok := op.Responses[status]; !ok {
					t.Errorf("%s %s has no answer %s", method, path, status)
				}
			}
		}
	}
}

func TestReferencesOfTheDocumentResolve(t *testing.T) {
	t.Parallel()
	root := servedValue(t)
	used := map[string]bool{}
	var walk func(value any)
	walk = func(value any) {
		switch v := value.(type) {
		case []any:
			for _, item := range v {
				walk(item)
			}
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				used[ref] = true
			}
			for _, member := range v {
				walk(member)
			}
		}
	}
	walk(root)
	for ref := range used {
		tokens, ok := strings.CutPrefix(ref, "#/")
		if !ok {
			t.Errorf("%s leads out of the document", ref)
			continue
		}
		at := root
		for token := range strings.SplitSeq(tokens, "/") {
			object, _ := at.(map[string]any)
			at = object[token]
		}
		if at == nil {
			t.Errorf("%s leads nowhere", ref)
		}
	}
	for name := range openAPI(t).Components.Schemas {
		if !used["#/components/schemas/"+name] {
			t.Errorf("nothing refers to the schema %s", name)
		}
	}
}

// operation is one operation of the API as both the document and the template describe it.
type operation struct{ method, path, scopes string }

func TestOperationsAreTheRoutesOfTheTemplate(t *testing.T) {
	t.Parallel()
	var documented []operation
	for path, methods := range openAPI(t).Paths {
		for method, op := range methods {
			var scopes []string
			for _, requirement := range op.Security {
				scopes = append(scopes, requirement["token"]...)
			}
			documented = append(documented, newOperation(method, path, scopes))
		}
	}
	loaded := stacktest.Template(t)
	var routed []operation
	for _, r := range loaded.OfType("AWS::ApiGatewayV2::Api") {
		if r.IsWebSocketAPI() {
			continue
		}
		api, err := r.HTTPAPI()
		if err != nil {
			t.Fatal(err)
		}
		for _, route := range api.Routes {
			if route.Path == "/" || route.Path == "/app" || strings.HasPrefix(route.Path, "/app/") {
				continue // pages
			}
			routed = append(routed, newOperation(route.Method, route.Path, route.Scopes))
		}
	}
	sortOperations(documented)
	sortOperations(routed)
	if len(documented) == 0 || !slices.Equal(documented, routed) {
		t.Errorf("the document has %v\nthe template %v", documented, routed)
	}
}

func newOperation(method, path string, scopes []string) operation {
	slices.Sort(scopes)
	return operation{strings.ToUpper(method), path, strings.Join(scopes, " ")}
}

func sortOperations(all []operation) {
	slices.SortFunc(all, func(a, b operation) int {
		return cmp.Or(strings.Compare(a.path, b.path), strings.Compare(a.method, b.method))
	})
}

// TestParametersAreDescribed: an operation describes the parameters of its path, and each operation that posts takes a
// key; each that changes an existing quote names its version.
func TestParametersAreDescribed(t *testing.T) {
	t.Parallel()
	doc := openAPI(t)
	ids := map[string]string{}
	for path, methods := range doc.Paths {
		var want []string
		for part := range strings.SplitSeq(path, "/") {
			if name, ok := strings.CutPrefix(part, "{"); ok {
				want = append(want, strings.TrimSuffix(name, "}"))
			}
		}
		for method, op := range methods {
			got := map[string][]string{}
			for _, p := range op.Parameters {
				if p.Ref != "" {
					shared := doc.Components.Parameters[p.Ref[strings.LastIndex(p.Ref, "/")+1:]]
					p.Name, p.In, p.Description = shared.Name, shared.In, shared.Description
				}
				if p.Description == "" {
					t.Errorf("%s %s does not say what %s is", method, path, p.Name)
				}
				got[p.In] = append(got[p.In], p.Name)
			}
			if !slices.Equal(got["path"], want) {
				t.Errorf("%s %s describes %v, want %v", method, path, got["path"], want)
			}
			var headers []string
			byLink := strings.HasPrefix(path, "/offers/")                                                      // which is about a phone, and not about a version
			revealing := path == "/quotes/{quoteId}/accesses"                                                  // which changes nothing of the quote
			erasing := strings.HasSuffix(path, "/erasure") || strings.HasSuffix(path, "/erasure/confirmation") // once for a customer
			revealing = revealing || erasing
			if method == "post" && len(want) > 0 && !byLink && !revealing {
				headers = append(headers, "If-Match")
			}
			if method == "post" && path != "/estimates" && !byLink && !revealing { // nothing of an estimate is kept
				headers = append(headers, "Idempotency-Key")
				if path == "/quotes" {
					headers = append(headers, "On-Behalf-Of")
				}
				headers = append(headers, "Milepost-Trace")
			}
			if method == "put" { // a draft, which is new or not
				headers = append(headers, "If-Match", "If-None-Match")
			}
			if !slices.Equal(got["header"], headers) {
				t.Errorf("%s %s describes the headers %v, want %v", method, path, got["header"], headers)
			}
			if other := ids[op.OperationID]; op.OperationID == "" || other != "" {
				t.Errorf("%s %s has the operationId %q, which %q has too", method, path, op.OperationID, other)
			}
			ids[op.OperationID] = path
		}
	}
}
