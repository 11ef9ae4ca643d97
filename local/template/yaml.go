package template

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

var yamlLine = regexp.MustCompile(`^yaml: line (\d+): `)

// read parses YAML, of which JSON is a part. Short forms of intrinsic functions (!Ref) become their
// long forms ({Ref: …}), so that nothing later knows of tags. It gives nil after a problem that
// leaves nothing to go on with.
func (l *loader) read(text []byte) *node {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var document, more yaml.Node
	if err := dec.Decode(&document); err != nil {
		l.yamlProblem(err)
		return nil
	}
	switch err := dec.Decode(&more); {
	case err == nil:
		l.problem(&node{line: more.Line}, "a second YAML document is not supported")
		return nil
	case !errors.Is(err, io.EOF):
		l.yamlProblem(err)
		return nil
	}
	return l.convert(document.Content[0], "")
}

func (l *loader) yamlProblem(err error) {
	at, message := &node{line: 1}, strings.TrimPrefix(err.Error(), "yaml: ")
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		at.line, _ = strconv.Atoi(m[1])
		message = strings.TrimPrefix(err.Error(), m[0])
	}
	if errors.Is(err, io.EOF) {
		message = "the template is empty"
	}
	l.problem(at, "%s", message)
}

func (l *loader) convert(y *yaml.Node, path string) *node {
	n := &node{line: y.Line, path: path}
	if y.Kind == yaml.AliasNode {
		l.problem(n, "the YAML alias *%s is not supported by CloudFormation", y.Value)
		return n
	}
	if tag := y.Tag; strings.HasPrefix(tag, "!") && !strings.HasPrefix(tag, "!!") {
		return l.shortForm(y, tag[1:], path)
	}
	switch y.Kind {
	case yaml.SequenceNode:
		n.kind = listNode
		for i, item := range y.Content {
			n.items = append(n.items, l.convert(item, fmt.Sprintf("%s[%d]", path, i)))
		}
	case yaml.MappingNode:
		n.kind = objectNode
		seen := make(map[string]bool, len(y.Content)/2)
		for i := 0; i < len(y.Content); i += 2 {
			key, value := y.Content[i], y.Content[i+1]
			at := &node{line: key.Line, path: path}
			switch {
			case key.Kind != yaml.ScalarNode || key.ShortTag() == "!!merge":
				l.problem(at, "the key of an object is a plain name, and %q is not supported", key.Value)
				continue
			case seen[key.Value]:
				l.problem(at, "%s is written twice", key.Value)
				continue
			}
			seen[key.Value] = true
			n.fields = append(n.fields, field{key.Value, key.Line, l.convert(value, join(path, key.Value))})
		}
	default:
		n.scalar = l.scalar(n, y)
	}
	return n
}

func (l *loader) scalar(at *node, y *yaml.Node) any {
	var err error
	switch y.ShortTag() {
	case "!!str", "!!timestamp":
		return y.Value
	case "!!null":
		return nil
	case "!!bool":
		var v bool
		if err = y.Decode(&v); err == nil {
			return v
		}
	case "!!int":
		var v int64
		if err = y.Decode(&v); err == nil {
			return v
		}
	case "!!float":
		var v float64
		if err = y.Decode(&v); err == nil && finite(v) {
			return v
		}
	}
	l.problem(at, "the value %q of YAML type %s is not supported", y.Value, y.ShortTag())
	return nil
}

// shortForm turns !Name value into {Fn::Name: value}.
func (l *loader) shortForm(y *yaml.Node, name, path string) *node {
	long := "Fn::" + name
	if name == "Ref" || name == "Condition" {
		long = name
	}
	bare := *y
	bare.Tag = ""
	if y.Kind == yaml.ScalarNode {
		bare.Tag = "!!str"
	}
	at := &node{line: y.Line, path: path}
	return at.object(long, l.convert(&bare, path))
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
