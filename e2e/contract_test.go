package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.yaml.in/yaml/v3"

	"milepost/schemas"
)

// documented checks an answer of the API against its OpenAPI document: its operation has the status, and the status
// the media type and the schema.
func documented(method, target string, r response) error {
	doc, err := contract()
	if err != nil {
		return err
	}
	target, _, _ = strings.Cut(target, "?")
	operation, ok := doc.operation(method, target)
	if !ok {
		if r.Status != http.StatusNotFound {
			return fmt.Errorf("status %d of an operation that is not in the document", r.Status)
		}
		return schemas.ValidateBody("Message", r.Body)
	}
	answer, ok := operation.Responses[fmt.Sprint(r.Status)]
	if !ok {
		return fmt.Errorf("status %d is not in the document", r.Status)
	}
	if answer.Ref != "" {
		answer = doc.Components.Responses[path.Base(answer.Ref)]
	}
	if answer.Content == nil {
		if len(r.Body) > 0 {
			return fmt.Errorf("status %d has a body", r.Status)
		}
		return nil
	}
	media, ok := answer.Content[r.Header.Get("Content-Type")]
	if !ok {
		return fmt.Errorf("Content-Type=%q is not in the document", r.Header.Get("Content-Type"))
	}
	if media.Schema.Ref == "" { // it is the document
		return nil
	}
	return schemas.ValidateBody(path.Base(media.Schema.Ref), r.Body)
}

// openAPI is what the tests read of the document.
type openAPI struct {
	Paths      map[string]map[string]operation
	Components struct{ Responses map[string]answer }
}

type operation struct {
	Responses map[string]answer
	// RequestBody is nil if the operation takes none.
	RequestBody *answer `yaml:"requestBody"`
	Security    []map[string][]string
	PassesOver  bool `yaml:"x-passes-over-parameters"`
}

type answer struct {
	Ref     string `yaml:"$ref"`
	Content map[string]struct {
		Schema struct {
			Ref string `yaml:"$ref"`
		}
	}
}

var contract = sync.OnceValues(func() (doc openAPI, err error) {
	text, err := schemas.Document()
	if err != nil {
		return doc, err
	}
	return doc, yaml.Unmarshal(text, &doc)
})

// operation finds the operation that answers a request.
func (d openAPI) operation(method, target string) (operation, bool) {
	for pattern, methods := range d.Paths {
		if ok, _ := path.Match(wild(pattern), target); ok {
			o, ok := methods[strings.ToLower(method)]
			return o, ok
		}
	}
	return operation{}, false
}

// wild is the path of an operation with "*" for each of its parameters.
func wild(pattern string) string {
	parts := strings.Split(pattern, "/")
	for i, part := range parts {
		if strings.HasPrefix(part, "{") {
			parts[i] = "*"
		}
	}
	return strings.Join(parts, "/")
}

// operations are those of the document, by path and method.
func operations(t *testing.T) map[string]map[string]operation {
	t.Helper()
	doc, err := contract()
	if err != nil {
		t.Fatal(err)
	}
	return doc.Paths
}

// body is the example of the operation's body, "" if it takes none.
func (o operation) body(t *testing.T) string {
	t.Helper()
	if o.RequestBody == nil {
		return ""
	}
	component := path.Base(o.RequestBody.Content["application/json"].Schema.Ref)
	text, err := os.ReadFile("../schemas/testdata/api/" + component + ".valid.json")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// forStaff reports whether the operation is for employees alone.
func (o operation) forStaff() bool {
	return len(o.Security) > 0 && !slices.ContainsFunc(o.Security, func(s map[string][]string) bool {
		return !slices.Contains(s["token"], "staff")
	})
}
