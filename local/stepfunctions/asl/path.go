package asl

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/ohler55/ojg/jp"
)

// Path is a compiled JSONPath. It begins at the data ($), at the context object ($$) or at a
// variable ($name).
//
// A definite path selects one value and fails if there is none. An indefinite one, with a wildcard, a slice, a list, a
// filter or a descent, selects a list, which may be empty.
type Path struct {
	text       string
	root       byte // 'd'ata, 'c'ontext or 'v'ariable
	variable   string
	steps      []step
	indefinite bool
}

type step struct {
	kind    stepKind
	key     string
	indices []int
	from    *int
	to      *int
	filter  *jp.Script
}

type stepKind uint8

const (
	stepKey stepKind = iota
	stepIndex
	stepIndices
	stepSlice
	stepWildcard
	stepFilter
	stepDescent
)

// identity is the path "$".
var identity = &Path{text: "$", root: 'd'}

func (p *Path) String() string { return p.text }

// Eval returns what the path selects. Field names the place of the path in the definition, for the error when it
// selects nothing.
func (p *Path) Eval(env *Env, field string) (any, error) {
	v, err := p.begin(env)
	if err != nil {
		return nil, err
	}
	found, ok := p.walk(v)
	if !ok {
		return nil, failure(ErrRuntime, "The JSONPath '%s' specified for the field '%s' could not be found in the input '%s'",
			p.text, field, Encode(v))
	}
	return found, nil
}

// Lookup returns what the path selects, and whether there is such a value.
func (p *Path) Lookup(env *Env) (any, bool) {
	v, err := p.begin(env)
	if err != nil {
		return nil, false
	}
	return p.walk(v)
}

func (p *Path) begin(env *Env) (any, error) {
	switch p.root {
	case 'c':
		return env.Context(), nil
	case 'v':
		v, ok := env.Vars.Lookup(p.variable)
		if !ok {
			return nil, failure(ErrRuntime, "The variable '%s' in '%s' has not been assigned a value", p.variable, p.text)
		}
		return v, nil
	}
	return env.Input.Value(), nil
}

func (p *Path) walk(v any) (any, bool) {
	if !p.indefinite {
		for i := range p.steps {
			var ok bool
			if v, ok = p.steps[i].one(v); !ok {
				return nil, false
			}
		}
		return v, true
	}
	found := []any{v}
	for i := range p.steps {
		next := []any{}
		for _, v := range found {
			next = p.steps[i].all(next, v)
		}
		found = next
	}
	return found, true
}

// one follows a definite step.
func (s *step) one(v any) (any, bool) {
	if s.kind == stepKey {
		object, _ := v.(map[string]any)
		v, ok := object[s.key]
		return v, ok
	}
	list, _ := v.([]any)
	return at(list, s.indices[0])
}

func at(list []any, i int) (any, bool) {
	if i < 0 {
		i += len(list)
	}
	if i < 0 || i >= len(list) {
		return nil, false
	}
	return list[i], true
}

// all appends everything that the step leads to from v.
func (s *step) all(found []any, v any) []any {
	switch s.kind {
	case stepKey, stepIndex:
		if v, ok := s.one(v); ok {
			found = append(found, v)
		}
	case stepIndices:
		list, _ := v.([]any)
		for _, i := range s.indices {
			if v, ok := at(list, i); ok {
				found = append(found, v)
			}
		}
	case stepSlice:
		list, _ := v.([]any)
		from, to := bound(s.from, 0, len(list)), bound(s.to, len(list), len(list))
		if from < to {
			found = append(found, list[from:to]...)
		}
	case stepWildcard:
		found = append(found, children(v)...)
	case stepFilter:
		for _, child := range children(v) {
			if s.filter.Match(plainNumbers(child)) {
				found = append(found, child)
			}
		}
	case stepDescent:
		found = append(found, v)
		for _, child := range children(v) {
			found = s.all(found, child)
		}
	}
	return found
}

func bound(i *int, otherwise, length int) int {
	if i == nil {
		return otherwise
	}
	if *i < 0 {
		return max(0, *i+length)
	}
	return min(*i, length)
}

// children returns the elements of a list or the members of an object in the order of their names.
func children(v any) []any {
	switch v := v.(type) {
	case []any:
		return v
	case map[string]any:
		values := make([]any, 0, len(v))
		for _, key := range slices.Sorted(maps.Keys(v)) {
			values = append(values, v[key])
		}
		return values
	}
	return nil
}

// plainNumbers copies v with numbers as int64 or float64, which is how the filter library compares.
func plainNumbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return i
		}
		f, _ := v.Float64()
		return f
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = plainNumbers(v[i])
		}
		return list
	case map[string]any:
		object := make(map[string]any, len(v))
		for key := range v {
			object[key] = plainNumbers(v[key])
		}
		return object
	}
	return v
}

// ParsePath compiles a JSONPath.
func ParsePath(text string) (*Path, error) {
	p := &Path{text: text, root: 'd'}
	rest, ok := strings.CutPrefix(text, "$")
	if !ok {
		return nil, fmt.Errorf("a path begins with $")
	}
	if after, ok := strings.CutPrefix(rest, "$"); ok {
		p.root, rest = 'c', after
	} else if n := nameLength(rest); n > 0 {
		p.root, p.variable, rest = 'v', rest[:n], rest[n:]
		if p.variable[0] >= '0' && p.variable[0] <= '9' {
			return nil, fmt.Errorf("%q is not a variable name", p.variable)
		}
	}
	for rest != "" {
		var s step
		var err error
		if after, ok := strings.CutPrefix(rest, ".."); ok {
			p.steps = append(p.steps, step{kind: stepDescent})
			p.indefinite = true
			if strings.HasPrefix(after, "[") {
				rest = after
			} else {
				rest = "." + after
			}
		}
		switch rest[0] {
		case '.':
			s, rest, err = parseMember(rest[1:])
		case '[':
			s, rest, err = parseBracket(rest)
		default:
			err = fmt.Errorf("unexpected %q", rest)
		}
		if err != nil {
			return nil, err
		}
		p.indefinite = p.indefinite || s.kind > stepIndex
		p.steps = append(p.steps, s)
	}
	return p, nil
}

func nameLength(s string) int {
	n := strings.IndexFunc(s, func(r rune) bool {
		return !(r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= 0x80)
	})
	if n < 0 {
		return len(s)
	}
	return n
}

func parseMember(s string) (step, string, error) {
	if rest, ok := strings.CutPrefix(s, "*"); ok {
		return step{kind: stepWildcard}, rest, nil
	}
	n := strings.IndexAny(s, ".[")
	if n < 0 {
		n = len(s)
	}
	if n == 0 || strings.ContainsAny(s[:n], " ()*?@,:'\"\\]{}$") {
		return step{}, "", fmt.Errorf("%q is not a member name", s[:n])
	}
	return step{kind: stepKey, key: s[:n]}, s[n:], nil
}

func parseBracket(s string) (step, string, error) {
	if strings.HasPrefix(s, "[?") {
		return parseFilter(s)
	}
	if len(s) > 1 && (s[1] == '\'' || s[1] == '"') {
		return parseQuoted(s)
	}
	end := strings.IndexByte(s, ']')
	if end < 0 {
		return step{}, "", fmt.Errorf("%q is not closed", s)
	}
	inside, rest := strings.TrimSpace(s[1:end]), s[end+1:]
	if inside == "*" {
		return step{kind: stepWildcard}, rest, nil
	}
	if from, to, ok := strings.Cut(inside, ":"); ok {
		a, errFrom := optionalInt(from)
		b, errTo := optionalInt(to)
		if errFrom != nil || errTo != nil {
			return step{}, "", fmt.Errorf("%q is not a slice", inside)
		}
		return step{kind: stepSlice, from: a, to: b}, rest, nil
	}
	st := step{kind: stepIndex}
	for text := range strings.SplitSeq(inside, ",") {
		i, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil {
			return step{}, "", fmt.Errorf("%q is not an index", text)
		}
		st.indices = append(st.indices, i)
	}
	if len(st.indices) > 1 {
		st.kind = stepIndices
	}
	return st, rest, nil
}

func optionalInt(s string) (*int, error) {
	if s = strings.TrimSpace(s); s == "" {
		return nil, nil
	}
	i, err := strconv.Atoi(s)
	return &i, err
}

// parseQuoted reads ['name']. A backslash only escapes the quote; before anything else it is literal, as on AWS.
func parseQuoted(s string) (step, string, error) {
	quote := s[1]
	var key strings.Builder
	for i := 2; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && s[i+1] == quote:
			i++
			key.WriteByte(quote)
		case s[i] == quote:
			rest, ok := strings.CutPrefix(s[i+1:], "]")
			if !ok {
				return step{}, "", fmt.Errorf("%q must name one member", s)
			}
			return step{kind: stepKey, key: key.String()}, rest, nil
		default:
			key.WriteByte(s[i])
		}
	}
	return step{}, "", fmt.Errorf("%q is not closed", s)
}

// parseFilter reads [?(...)]. The library parses and evaluates what is between the brackets.
func parseFilter(s string) (step, string, error) {
	depth, quote := 0, byte(0)
	for i := range len(s) {
		switch c := s[i]; {
		case quote != 0:
			if c == quote && s[i-1] != '\\' {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '[':
			depth++
		case c == ']':
			if depth--; depth > 0 {
				continue
			}
			filter, err := jp.NewScript(s[2:i])
			if err != nil {
				return step{}, "", fmt.Errorf("filter: %w", err)
			}
			return step{kind: stepFilter, filter: filter}, s[i+1:], nil
		}
	}
	return step{}, "", fmt.Errorf("%q is not closed", s)
}

// ResultPath says where a result goes into the input.
type ResultPath struct {
	path    *Path
	discard bool
}

// replaceInput is the ResultPath "$".
var replaceInput = &ResultPath{path: identity}

func parseResultPath(text string) (*ResultPath, error) {
	p, err := ParsePath(text)
	if err != nil {
		return nil, err
	}
	if p.indefinite || p.root != 'd' {
		return nil, fmt.Errorf("not a reference path")
	}
	return &ResultPath{path: p}, nil
}

// Apply returns the input with the result at the path. Neither of the two is changed.
func (r *ResultPath) Apply(input, result *Data) (*Data, error) {
	if r.discard {
		return input, nil
	}
	if len(r.path.steps) == 0 {
		return result, nil
	}
	v, ok := insert(input.Value(), r.path.steps, result.Value())
	if !ok {
		return nil, failure(ErrResultPath, "Unable to apply ReferencePath %s to input %s", r.path.text, input.Text())
	}
	return FromValue(v), nil
}

// insert copies the objects on the path and makes the missing ones.
func insert(v any, steps []step, result any) (any, bool) {
	if len(steps) == 0 {
		return result, true
	}
	if steps[0].kind == stepIndex {
		list, ok := v.([]any)
		i := steps[0].indices[0]
		if !ok || i < 0 || i >= len(list) {
			return nil, false
		}
		item, ok := insert(list[i], steps[1:], result)
		list = slices.Clone(list)
		list[i] = item
		return list, ok
	}
	object, ok := v.(map[string]any)
	if v != nil && !ok {
		return nil, false
	}
	member, ok := insert(object[steps[0].key], steps[1:], result)
	if object = maps.Clone(object); object == nil {
		object = map[string]any{}
	}
	object[steps[0].key] = member
	return object, ok
}
