package asl

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Env is what an expression may look at.
type Env struct {
	Input *Data
	// Context returns the context object. Only expressions that begin with $$ call it.
	Context func() map[string]any
	Vars    *Scope
}

// Scope holds the variables of one machine, branch or item. Outer variables can be read but not set.
type Scope struct {
	Outer *Scope
	Own   map[string]any
}

// Lookup returns the value of a variable.
func (s *Scope) Lookup(name string) (any, bool) {
	for ; s != nil; s = s.Outer {
		if v, ok := s.Own[name]; ok {
			return v, true
		}
	}
	return nil, false
}

// Set assigns values to variables.
func (s *Scope) Set(values map[string]any) {
	if s.Own == nil {
		s.Own = map[string]any{}
	}
	maps.Copy(s.Own, values)
}

// Expression is a Path or the call of an intrinsic function.
type Expression interface {
	Eval(env *Env, field string) (any, error)
	fmt.Stringer
}

// ParseExpression compiles the value of a name that ends in ".$".
func ParseExpression(text string) (Expression, error) {
	if strings.HasPrefix(text, "$") {
		return ParsePath(text)
	}
	return parseCall(text)
}

// Template is a compiled payload template. Its parts that never change are shared by all results.
type Template struct {
	constant any // the whole value where nothing in it is computed
	fields   []templateField
	items    []*Template
}

type templateField struct {
	name     string
	source   string     // the name as written, with its ".$"
	computed Expression // nil where the member is a template
	template *Template
}

// Eval fills in the template.
func (t *Template) Eval(env *Env) (any, error) {
	switch {
	case t.fields != nil:
		object := make(map[string]any, len(t.fields))
		for i := range t.fields {
			v, err := t.fields[i].eval(env)
			if err != nil {
				return nil, err
			}
			object[t.fields[i].name] = v
		}
		return object, nil
	case t.items != nil:
		list := make([]any, len(t.items))
		for i, item := range t.items {
			v, err := item.Eval(env)
			if err != nil {
				return nil, err
			}
			list[i] = v
		}
		return list, nil
	}
	return t.constant, nil
}

func (f *templateField) eval(env *Env) (any, error) {
	if f.computed != nil {
		return f.computed.Eval(env, f.source)
	}
	return f.template.Eval(env)
}

func (t *Template) isConstant() bool { return t.fields == nil && t.items == nil }

// compileTemplate reports what is wrong through fail.
func compileTemplate(v any, fail func(message string)) *Template {
	switch v := v.(type) {
	case map[string]any:
		fields := make([]templateField, 0, len(v))
		constant := true
		for _, name := range slices.Sorted(maps.Keys(v)) {
			f := templateField{name: name, source: name}
			if bare, ok := strings.CutSuffix(name, ".$"); ok {
				f.name, constant = bare, false
				text, _ := v[name].(string)
				var err error
				if f.computed, err = ParseExpression(text); err != nil {
					fail(fmt.Sprintf("The value for the field '%s' must be a valid JSONPath or a valid intrinsic function call", name))
				}
			} else {
				f.template = compileTemplate(v[name], fail)
				constant = constant && f.template.isConstant()
			}
			fields = append(fields, f)
		}
		if !constant {
			return &Template{fields: fields}
		}
	case []any:
		items := make([]*Template, len(v))
		constant := true
		for i := range v {
			items[i] = compileTemplate(v[i], fail)
			constant = constant && items[i].isConstant()
		}
		if !constant {
			return &Template{items: items}
		}
	}
	return &Template{constant: v}
}
