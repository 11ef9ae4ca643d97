package schemas

import (
	"bytes"
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// Document returns the OpenAPI document as it is served. It is openapi.yaml, completed with what other files know: the
// schemas of the events' data, the examples that the tests check, and the gateway's answers on every route. It is
// self-contained, without aliases, and uses only what generators of clients understand.
func Document() ([]byte, error) { return document() }

var document = sync.OnceValues(func() ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(OpenAPI(), &doc); err != nil {
		return nil, err
	}
	root := withoutAliases(doc.Content[0])
	components := member(root, "components")
	if err := addEventData(member(components, "schemas")); err != nil {
		return nil, err
	}
	set(components, "examples", &yaml.Node{Kind: yaml.MappingNode})
	paths := member(root, "paths")
	for i := 1; i < len(paths.Content); i += 2 {
		operations := paths.Content[i]
		for j := 1; j < len(operations.Content); j += 2 {
			if err := showExamples(operations.Content[j], components); err != nil {
				return nil, err
			}
			addRefusals(paths.Content[i-1].Value, operations.Content[j])
		}
	}
	var text bytes.Buffer
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	err := encoder.Encode(root)
	return text.Bytes(), err
})

// addEventData adds a component for each event version and each type that events share, and makes EventData any
// of the events.
func addEventData(components *yaml.Node) error {
	versions, err := EventVersions()
	if err != nil {
		return err
	}
	all := &yaml.Node{Kind: yaml.SequenceNode}
	for _, v := range versions {
		file := fmt.Sprintf("events/%s.v%d.json", v.Type, v.Version)
		if err := addFile(components, file); err != nil {
			return err
		}
		all.Content = append(all.Content, reference("schemas/"+componentName(file)))
	}
	data := member(components, "EventData")
	remove(data, "type")
	set(data, "anyOf", all)
	return nil
}

// addFile adds the schema in a file, and those that it refers to, to the components.
func addFile(components *yaml.Node, file string) error {
	name := componentName(file)
	if member(components, name) != nil {
		return nil
	}
	text, err := files.ReadFile(file)
	if err != nil {
		return err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil { // JSON is YAML
		return fmt.Errorf("%s: %w", file, err)
	}
	schema := doc.Content[0]
	plain(schema)
	remove(schema, "$schema")
	remove(schema, "$id")
	set(components, name, schema)
	return forAPI(schema, func(ref string) (string, error) {
		target := path.Join(path.Dir(file), ref)
		return componentName(target), addFile(components, target)
	})
}

// componentName is the name of a file's schema among the components: RatingV1 for types/rating.v1.json.
func componentName(file string) string {
	name, version, _ := strings.Cut(strings.TrimSuffix(path.Base(file), ".json"), ".v")
	return string(unicode.ToUpper(rune(name[0]))) + name[1:] + "V" + version
}

// forAPI changes the schema of a file into one of the document. References lead to components; an enumeration says its
// type, and a tuple its length, which generators need; what is text or a number is one of the two; a personal member
// may be null, because that is what remains of it after an erasure.
func forAPI(schema *yaml.Node, component func(ref string) (string, error)) error {
	switch schema.Kind {
	case yaml.SequenceNode:
		for _, item := range schema.Content {
			if err := forAPI(item, component); err != nil {
				return err
			}
		}
		return nil
	case yaml.MappingNode:
	default:
		return nil
	}
	if ref := member(schema, "$ref"); ref != nil {
		name, err := component(ref.Value)
		if err != nil {
			return err
		}
		*schema = *reference("schemas/" + name)
		return nil
	}
	if kinds := member(schema, "type"); kinds != nil && kinds.Kind == yaml.SequenceNode && !hasNull(kinds) {
		either := &yaml.Node{Kind: yaml.SequenceNode}
		for _, kind := range kinds.Content {
			one := &yaml.Node{Kind: yaml.MappingNode}
			set(one, "type", kind)
			either.Content = append(either.Content, one)
		}
		remove(schema, "type")
		set(schema, "oneOf", either)
	}
	if value := member(schema, "const"); value != nil {
		remove(schema, "const")
		set(schema, "enum", &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{value}})
	}
	if member(schema, "enum") != nil && member(schema, "type") == nil {
		set(schema, "type", text("string"))
	}
	if tuple := member(schema, "prefixItems"); tuple != nil {
		remove(schema, "items")
		set(schema, "maxItems", &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: fmt.Sprint(len(tuple.Content))})
	}
	if personal := member(schema, "x-personal"); personal != nil && personal.Value == "true" {
		if kind := member(schema, "type"); kind != nil && kind.Kind == yaml.ScalarNode {
			set(schema, "type", &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{text(kind.Value), text("null")}})
		}
	}
	for i := 1; i < len(schema.Content); i += 2 {
		if err := forAPI(schema.Content[i], component); err != nil {
			return err
		}
	}
	return nil
}

// showExamples shows beside each body of an operation the example of its component, which the tests check.
func showExamples(operation, components *yaml.Node) error {
	bodies := []*yaml.Node{member(operation, "requestBody")}
	responses := member(operation, "responses")
	for i := 1; i < len(responses.Content); i += 2 {
		bodies = append(bodies, responses.Content[i])
	}
	for _, body := range bodies {
		content := member(member(body, "content"), "application/json")
		ref := member(member(content, "schema"), "$ref")
		if ref == nil {
			continue
		}
		name := path.Base(ref.Value)
		if err := addExample(member(components, "examples"), name); err != nil {
			return err
		}
		examples := &yaml.Node{Kind: yaml.MappingNode}
		set(examples, name, reference("examples/"+name))
		set(content, "examples", examples)
	}
	return nil
}

// addExample adds the example of a component to the examples.
func addExample(examples *yaml.Node, name string) error {
	text, err := files.ReadFile("testdata/api/" + name + ".valid.json")
	if err != nil {
		return err
	}
	var value yaml.Node
	if err := yaml.Unmarshal(text, &value); err != nil {
		return fmt.Errorf("example of %s: %w", name, err)
	}
	plain(value.Content[0])
	example := &yaml.Node{Kind: yaml.MappingNode}
	set(example, "value", value.Content[0])
	set(examples, name, example)
	return nil
}

// refusals are the answers that an operation has besides its own: from the gateway, which answers a message, or
// from the function, which answers a problem.
var refusals = []struct {
	status, response string
	when             func(path string, operation *yaml.Node) bool
}{
	{"401", "NoToken", wantsToken},
	{"403", "Forbidden", wantsToken},
	{"404", "NotFound", func(path string, _ *yaml.Node) bool { return strings.Contains(path, "{") }},
	{"413", "TooLarge", func(_ string, operation *yaml.Node) bool { return member(operation, "requestBody") != nil }},
	{"429", "TooMany", always},
	{"431", "HeadersTooLarge", always},
	{"500", "Failed", always},
	{"503", "Unavailable", always},
}

func always(string, *yaml.Node) bool { return true }

// wantsToken reports whether an operation wants a token. Only one that says otherwise does not.
func wantsToken(_ string, operation *yaml.Node) bool {
	security := member(operation, "security")
	return security == nil || len(security.Content) > 0
}

func addRefusals(path string, operation *yaml.Node) {
	responses := member(operation, "responses")
	for _, r := range refusals {
		if r.when(path, operation) {
			set(responses, r.status, reference("responses/"+r.response))
		}
	}
	sortMembers(responses)
}

// withoutAliases is a copy of a node in which each alias is replaced by its target.
func withoutAliases(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return withoutAliases(n.Alias)
	}
	same := *n
	same.Anchor, same.Content = "", nil
	for _, child := range n.Content {
		same.Content = append(same.Content, withoutAliases(child))
	}
	return &same
}

// plain takes the style of JSON from a node.
func plain(n *yaml.Node) {
	n.Style = 0
	for _, child := range n.Content {
		plain(child)
	}
}

// member is the value of a member of a mapping, nil if there is none.
func member(mapping *yaml.Node, name string) *yaml.Node {
	if mapping == nil || mapping.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == name {
			return mapping.Content[i+1]
		}
	}
	return nil
}

// set sets a member of a mapping, replacing one that it may have.
func set(mapping *yaml.Node, name string, value *yaml.Node) {
	remove(mapping, name)
	mapping.Content = append(mapping.Content, text(name), value)
}

func remove(mapping *yaml.Node, name string) {
	for i := 0; i < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == name {
			mapping.Content = slices.Delete(mapping.Content, i, i+2)
			return
		}
	}
}

func hasNull(kinds *yaml.Node) bool {
	return slices.ContainsFunc(kinds.Content, func(kind *yaml.Node) bool { return kind.Value == "null" })
}

func sortMembers(mapping *yaml.Node) {
	type pair [2]*yaml.Node
	var pairs []pair
	for i := 0; i < len(mapping.Content); i += 2 {
		pairs = append(pairs, pair{mapping.Content[i], mapping.Content[i+1]})
	}
	slices.SortFunc(pairs, func(a, b pair) int { return cmp.Compare(a[0].Value, b[0].Value) })
	mapping.Content = nil
	for _, p := range pairs {
		mapping.Content = append(mapping.Content, p[0], p[1])
	}
}

// text is a string. It is quoted where it would be read as something else.
func text(value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}
}

// reference refers to a component, such as "schemas/Quote".
func reference(component string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	set(n, "$ref", text("#/components/"+component))
	return n
}
