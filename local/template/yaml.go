package template

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"

	"go.yaml.in/yaml/v3"
)

// mostNodes bounds what aliases of aliases can make of a small text.
const mostNodes = 1 << 18

var yamlLine = regexp.MustCompile(`^yaml: line (\d+): `)

// read parses YAML, of which JSON is a part. Short forms of intrinsic functions (!Ref) become their long forms ({Ref:
// …}), so that nothing later knows about tags. It returns nil after a problem that leaves nothing to continue with.
// Anchors, aliases and merge keys are resolved, as the SAM command line does before it hands a template to
// CloudFormation.
func (l *loader) read(text []byte) *node {
	if last := lastRead.Load(); last != nil && bytes.Equal(last.text, text) {
		return last.root
	}
	root := l.parse(text)
	if len(l.problems) == 0 {
		lastRead.Store(&readTemplate{bytes.Clone(text), root})
	}
	return root
}

// lastRead keeps the template that was read last without a problem: a process mostly opens the same one, and to parse
// it takes longer than all that follows.
var lastRead atomic.Pointer[readTemplate]

type readTemplate struct {
	text []byte
	root *node
}

func (l *loader) parse(text []byte) *node {
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
	l.within = map[*yaml.Node]bool{}
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
	if l.nodes++; l.nodes == mostNodes {
		l.problem(n, "the template has more than %d values, with its aliases written out", mostNodes)
	}
	if l.nodes >= mostNodes {
		return n
	}
	if y.Kind == yaml.AliasNode {
		if l.within[y.Alias] {
			l.problem(n, "*%s is within &%s itself", y.Value, y.Value)
			return n
		}
		return l.convert(y.Alias, path)
	}
	if y.Anchor != "" {
		l.within[y] = true
		defer delete(l.within, y)
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
		var merged []field
		seen := make(map[string]bool, len(y.Content)/2)
		for i := 0; i < len(y.Content); i += 2 {
			key, value := y.Content[i], y.Content[i+1]
			at := &node{line: key.Line, path: path}
			switch {
			case key.ShortTag() == "!!merge":
				merged = append(merged, l.merged(at, value, path)...)
				continue
			case key.Kind != yaml.ScalarNode:
				l.problem(at, "the key of an object is a plain name, and %q is not supported", key.Value)
				continue
			case seen[key.Value]:
				l.problem(at, "%s is written twice", key.Value)
				continue
			}
			seen[key.Value] = true
			n.fields = append(n.fields, field{key.Value, key.Line, l.convert(value, join(path, key.Value))})
		}
		for _, f := range merged {
			if !seen[f.name] {
				seen[f.name] = true
				n.fields = append(n.fields, f)
			}
		}
	default:
		n.scalar = l.scalar(n, y)
	}
	return n
}

// merged returns the fields that a merge key adds: those of one object, or of a list of them in which the first wins.
func (l *loader) merged(at *node, y *yaml.Node, path string) []field {
	n := l.convert(y, path)
	objects := []*node{n}
	if n.kind == listNode {
		objects = n.items
	}
	var fields []field
	for _, object := range objects {
		if object.kind != objectNode || isIntrinsic(object) {
			l.problem(at, "<< takes an object or a list of objects")
			return nil
		}
		fields = append(fields, object.fields...)
	}
	return fields
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
