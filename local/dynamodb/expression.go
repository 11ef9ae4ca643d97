package dynamodb

import (
	"slices"
	"strings"
	"sync"
)

// environment is what the request gives to its expressions: ExpressionAttributeNames and
// ExpressionAttributeValues.
type environment struct {
	names  []substitution
	values attributes
}

type substitution struct{ placeholder, name string }

// name resolves a path's name, which may be a placeholder (#n).
func (e *environment) name(written string) string {
	if written != "" && written[0] == '#' {
		for _, s := range e.names {
			if s.placeholder == written {
				return s.name
			}
		}
	}
	return written
}

// path resolves all names of a path.
func (e *environment) path(p path) path {
	if !slices.ContainsFunc(p, func(s step) bool { return strings.HasPrefix(s.name, "#") }) {
		return p
	}
	p = slices.Clone(p)
	for i := range p {
		p[i].name = e.name(p[i].name)
	}
	return p
}

// checkDefined refuses names and values that an expression uses and the request does not define.
func (e *environment) checkDefined(names, values []string) error {
	for _, n := range names {
		if e.name(n) == n {
			return expressionError("An expression attribute name used in the document path is not defined; attribute name: %s", n)
		}
	}
	for _, v := range values {
		if _, ok := e.values.get(v); !ok {
			return expressionError("An expression attribute value used in expression is not defined; attribute value: %s", v)
		}
	}
	return nil
}

// checkUsed refuses names and values that no expression of the request uses.
func (e *environment) checkUsed(names, values []string) error {
	var unused []string
	for _, s := range e.names {
		if !slices.Contains(names, s.placeholder) {
			unused = append(unused, s.placeholder)
		}
	}
	if unused != nil {
		return validationf("Value provided in ExpressionAttributeNames unused in expressions: keys: {%s}", strings.Join(unused, ", "))
	}
	for _, v := range e.values {
		if !slices.Contains(values, v.name) {
			unused = append(unused, v.name)
		}
	}
	if unused != nil {
		return validationf("Value provided in ExpressionAttributeValues unused in expressions: keys: {%s}", strings.Join(unused, ", "))
	}
	return nil
}

// environment members of a request.
func (d *decoder) names() []substitution {
	var all []substitution
	d.object(func(placeholder string) {
		if !isPlaceholder(placeholder, '#') {
			d.fail(validationf("ExpressionAttributeNames contains invalid key: Syntax error; key: \"%s\"", placeholder))
		}
		name := d.string()
		if name == "" && d.err == nil {
			d.fail(validationf("ExpressionAttributeNames contains invalid value: The value is empty for key %s", placeholder))
		}
		all = append(all, substitution{placeholder, name})
	})
	if d.err == nil && len(all) == 0 {
		d.fail(validationf("ExpressionAttributeNames must not be empty"))
	}
	return all
}

func (d *decoder) values() attributes {
	all := d.attributes()
	if d.err == nil && len(all) == 0 {
		d.fail(validationf("ExpressionAttributeValues must not be empty"))
	}
	for _, v := range all {
		if !isPlaceholder(v.name, ':') {
			d.fail(validationf("ExpressionAttributeValues contains invalid key: Syntax error; key: \"%s\"", v.name))
		}
	}
	return all
}

func isPlaceholder(s string, sigil byte) bool {
	if len(s) < 2 || s[0] != sigil {
		return false
	}
	for i := 1; i < len(s); i++ {
		if !isLetter(s[i]) && !isDigit(s[i]) {
			return false
		}
	}
	return true
}

// maxCached bounds how many expressions of one kind are kept compiled.
const maxCached = 1024

// cache keeps compiled expressions by their text. A program has few of them; one that generates
// texts without end makes the cache start again.
type cache[T any] struct {
	compile func(text string) (*parsed[T], error)
	mu      sync.RWMutex
	byText  map[string]*parsed[T]
}

func (c *cache[T]) get(text string) (*parsed[T], error) {
	c.mu.RLock()
	p, ok := c.byText[text]
	c.mu.RUnlock()
	if ok {
		return p, nil
	}
	text = strings.Clone(text) // it is a part of a request body
	p, err := c.compile(text)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byText == nil || len(c.byText) >= maxCached {
		c.byText = map[string]*parsed[T]{}
	}
	c.byText[text] = p
	return p, nil
}

// expressions compiles the expressions of requests.
type expressions struct {
	conditions  cache[condition]
	updates     cache[*update]
	projections cache[[]path]
}

func (x *expressions) init() {
	x.conditions.compile = parseCondition
	x.updates.compile = parseUpdate
	x.projections.compile = parseProjection
}

// expressionSet binds the expressions of one request to its environment.
type expressionSet struct {
	env    environment
	names  []string
	values []string
}

// bind compiles the expression of a request member and checks it. Without a text there is none,
// and bind gives a parsed with the zero node.
func bind[T any](set *expressionSet, c *cache[T], member string, text *string, check func(T, *environment) error) (*parsed[T], error) {
	if text == nil {
		return new(parsed[T]), nil
	}
	p, err := c.get(*text)
	if err != nil {
		return nil, inExpression(member, err)
	}
	if err := set.env.checkDefined(p.names, p.values); err != nil {
		return nil, inExpression(member, err)
	}
	set.names = append(set.names, p.names...)
	set.values = append(set.values, p.values...)
	return p, inExpression(member, check(p.node, &set.env))
}

// done checks that nothing was defined in vain.
func (set *expressionSet) done() error { return set.env.checkUsed(set.names, set.values) }
