// Package schemas holds the contracts of the system as data: a JSON Schema for each event type and
// version, and the OpenAPI document of the HTTP API. Both are enforced at run time: events before
// they are appended, request bodies before they are read.
package schemas

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"milepost/domain/quote"
)

//go:embed events/*.json types/*.json openapi.yaml testdata/api/*.valid.json
var files embed.FS

// OpenAPI is the source of the HTTP API's document, in YAML. Document is what is served.
func OpenAPI() []byte {
	doc, err := files.ReadFile("openapi.yaml")
	if err != nil {
		panic(err) // it is embedded
	}
	return doc
}

// EventVersions lists every event type and version that has a schema.
func EventVersions() ([]quote.Versioned, error) {
	names, err := fs.Glob(files, "events/*.json")
	if err != nil {
		return nil, err
	}
	all := make([]quote.Versioned, len(names))
	for i, name := range names {
		eventType, version, _ := strings.Cut(strings.TrimSuffix(path.Base(name), ".json"), ".v")
		n, err := strconv.Atoi(version)
		if err != nil {
			return nil, fmt.Errorf("%s is not named Type.vN.json", name)
		}
		all[i] = quote.Versioned{Type: eventType, Version: n}
	}
	return all, nil
}

// ValidateEvent checks the data of an event. The error is *Malformed, *Invalid, or says that there is no
// such type and version.
func ValidateEvent(eventType string, version int, data []byte) error {
	return validateText(fmt.Sprintf("events/%s.v%d.json", eventType, version), data)
}

// DecodeBody checks a request body against a schema of the OpenAPI document's components and decodes it into v. What is
// decoded is exactly what was checked, even if a body has a whole number as 6.0 or 6e0. The error is *Malformed if the
// body is not JSON, *Repeated if an object has a member twice, *Invalid if it does not fit.
func DecodeBody(component string, body []byte, v any) error {
	s, err := schema("openapi.json#/components/schemas/" + component)
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return &Malformed{Err: err}
	}
	if err := noneRepeated(body); err != nil {
		return err
	}
	value, odd := wholeNumbers(nil, "", value)
	if odd != nil {
		return (&Invalid{Violations: odd}).bounded()
	}
	if err := validate(s, value); err != nil {
		return err
	}
	checked, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return json.Unmarshal(checked, v)
}

// ValidateText checks a text against the schema of a member of a request, such as "Vehicle/properties/vin".
func ValidateText(member, text string) error {
	s, err := schema("openapi.json#/components/schemas/" + member)
	if err != nil {
		return err
	}
	return validate(s, text)
}

// ValidateBody checks a body against a schema of the Document's components.
func ValidateBody(component string, body []byte) error {
	return validateText("document.json#/components/schemas/"+component, body)
}

func validateText(name string, text []byte) error {
	s, err := schema(name)
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return &Malformed{Err: err}
	}
	return validate(s, value)
}

// base is the address that the files have among themselves. Nothing is fetched from it.
const base = "https://milepost.example/schemas/"

// compiled caches the schemas that were used. A function needs few of them, and compiling all would lengthen every cold
// start.
var compiled struct {
	sync.Mutex
	compiler *jsonschema.Compiler
	schemas  map[string]*jsonschema.Schema
}

func schema(name string) (*jsonschema.Schema, error) {
	compiled.Lock()
	defer compiled.Unlock()
	if s, ok := compiled.schemas[name]; ok {
		return s, nil
	}
	if compiled.compiler == nil {
		compiled.compiler = jsonschema.NewCompiler()
		compiled.compiler.UseLoader(loader{})
		compiled.compiler.AssertFormat()
		compiled.schemas = map[string]*jsonschema.Schema{}
	}
	s, err := compiled.compiler.Compile(base + name)
	if err != nil {
		return nil, fmt.Errorf("schema %s: %w", name, err)
	}
	compiled.schemas[name] = s
	return s, nil
}

// loader reads the embedded files, the OpenAPI document as JSON.
type loader struct{}

func (loader) Load(url string) (any, error) {
	name, ok := strings.CutPrefix(url, base)
	if !ok {
		return nil, fmt.Errorf("%s is not one of the embedded schemas", url)
	}
	switch name {
	case "openapi.json":
		return valueOf(OpenAPI())
	case "document.json":
		text, err := Document()
		if err != nil {
			return nil, err
		}
		return valueOf(text)
	}
	text, err := files.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return jsonschema.UnmarshalJSON(bytes.NewReader(text))
}

// valueOf reads YAML as the compiler of schemas wants it.
func valueOf(document []byte) (any, error) {
	var doc any
	if err := yaml.Unmarshal(document, &doc); err != nil {
		return nil, err
	}
	text, err := json.Marshal(doc)
	if err != nil {
		return nil, err
	}
	return jsonschema.UnmarshalJSON(bytes.NewReader(text))
}
