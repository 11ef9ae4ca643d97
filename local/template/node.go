package template

import (
	"math"
	"slices"
	"strconv"
)

// A node is one value of a template with the place where it was written. Nodes are never changed
// once made: every step of loading makes new ones.
type node struct {
	kind   kind
	line   int
	path   string
	scalar any // nil, bool, int64, float64 or string
	items  []*node
	fields []field
}

type kind int

const (
	scalarNode kind = iota
	listNode
	objectNode
)

type field struct {
	name  string
	line  int
	value *node
}

// get returns the value of a field, nil when there is none; n may be nil itself.
func (n *node) get(name string) *node {
	if n != nil {
		for _, f := range n.fields {
			if f.name == name {
				return f.value
			}
		}
	}
	return nil
}

// at returns the value at the end of a path through objects, nil if a step is missing.
func (n *node) at(names ...string) *node {
	for _, name := range names {
		n = n.get(name)
	}
	return n
}

// text returns the scalar as CloudFormation writes it into a string; false for any other value.
func (n *node) text() (string, bool) {
	if n == nil || n.kind != scalarNode {
		return "", false
	}
	switch v := n.scalar.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	}
	return "", false
}

// str is text for a value that may be missing.
func (n *node) str() string {
	s, _ := n.text()
	return s
}

// isNull reports whether n is an empty value, as in "Properties:" with nothing after it.
func (n *node) isNull() bool { return n.kind == scalarNode && n.scalar == nil }

// plain returns the value without places.
func (n *node) plain() any {
	if n == nil {
		return nil
	}
	switch n.kind {
	case listNode:
		list := make([]any, len(n.items))
		for i, item := range n.items {
			list[i] = item.plain()
		}
		return list
	case objectNode:
		object := make(map[string]any, len(n.fields))
		for _, f := range n.fields {
			object[f.name] = f.value.plain()
		}
		return object
	}
	return n.scalar
}

// The makers below build values with the place of n, so that an error in something that SAM made points to its origin.

func (n *node) value(v any) *node {
	switch v := v.(type) {
	case *node:
		return v
	case int:
		return n.value(int64(v))
	case []string:
		list := make([]*node, len(v))
		for i, s := range v {
			list[i] = n.value(s)
		}
		return &node{kind: listNode, line: n.line, path: n.path, items: list}
	}
	return &node{line: n.line, path: n.path, scalar: v}
}

// object makes an object from alternating names and values, without those whose value is a nil *node.
func (n *node) object(namesAndValues ...any) *node {
	object := &node{kind: objectNode, line: n.line, path: n.path}
	for i := 0; i < len(namesAndValues); i += 2 {
		if value := n.value(namesAndValues[i+1]); value != nil {
			object.fields = append(object.fields, field{namesAndValues[i].(string), value.line, value})
		}
	}
	return object
}

func (n *node) list(items ...any) *node {
	list := &node{kind: listNode, line: n.line, path: n.path}
	for _, item := range items {
		if item := n.value(item); item != nil {
			list.items = append(list.items, item)
		}
	}
	return list
}

func (n *node) ref(id string) *node { return n.object("Ref", id) }

func (n *node) arnOf(id string) *node { return n.object("Fn::GetAtt", []string{id, "Arn"}) }

// sub makes an Fn::Sub of text with one variable.
func (n *node) sub(text, variable string, value *node) *node {
	return n.object("Fn::Sub", n.list(text, n.object(variable, value)))
}

// with returns the object n with one field set.
func (n *node) with(name string, value any) *node {
	c := *n
	v := n.value(value)
	c.fields = slices.Clone(n.fields)
	for i, f := range c.fields {
		if f.name == name {
			c.fields[i].value = v
			return &c
		}
	}
	c.fields = append(c.fields, field{name, v.line, v})
	return &c
}

// without returns the object n without some of its fields. A nil n returns nil.
func (n *node) without(names ...string) *node {
	if n == nil {
		return nil
	}
	c := *n
	c.fields = slices.DeleteFunc(slices.Clone(n.fields), func(f field) bool { return slices.Contains(names, f.name) })
	return &c
}

// finite reports whether JSON can hold the number.
func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }
