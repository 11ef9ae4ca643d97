package dynamodb

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"milepost/local/awsapi"
)

// environment is what the request passes to its expressions: ExpressionAttributeNames and ExpressionAttributeValues.
type environment struct {
	names  []substitution
	values attributes
	fault  error // what is wrong with them by themselves
}

type substitution struct{ placeholder, name string }

// lookup returns the name behind a placeholder (#n), and false if it is not defined.
func (e *environment) lookup(placeholder string) (string, bool) {
	for _, s := range e.names {
		if s.placeholder == placeholder {
			return s.name, true
		}
	}
	return "", false
}

// name resolves a path's name, which may be a placeholder.
func (e *environment) name(written string) string {
	if isNamePlaceholder(written) {
		if name, ok := e.lookup(written); ok {
			return name
		}
	}
	return written
}

func isNamePlaceholder(written string) bool { return written != "" && written[0] == '#' }

// path resolves all names of a path.
func (e *environment) path(p path) path {
	if !slices.ContainsFunc(p, func(s step) bool { return isNamePlaceholder(s.name) }) {
		return p
	}
	p = slices.Clone(p)
	for i := range p {
		p[i].name = e.name(p[i].name)
	}
	return p
}

// checkPath refuses a path with a name that the request does not define, or with too many steps.
func (e *environment) checkPath(p path) error {
	for _, s := range p {
		if !isNamePlaceholder(s.name) {
			continue
		}
		if err := e.checkNames([]string{s.name}); err != nil {
			return err
		}
	}
	if len(p) > maxPathDepth {
		return expressionError("The document path has too many nesting levels; nesting levels: %d", len(p))
	}
	return nil
}

// checkNames and checkValues refuse what an expression uses and the request does not define.
func (e *environment) checkNames(names []string) error {
	for _, n := range names {
		if _, ok := e.lookup(n); !ok {
			return expressionError("An expression attribute name used in the document path is not defined; attribute name: %s", n)
		}
	}
	return nil
}

func (e *environment) checkValues(values []string) error {
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

// check refuses names and values in a request without expressions, and such as are wrong by themselves.
func (e *environment) check(hasExpression bool) error {
	switch {
	case hasExpression:
		return e.fault
	case e.names != nil:
		return validationf("ExpressionAttributeNames can only be specified when using expressions")
	case e.values != nil:
		return validationf("ExpressionAttributeValues can only be specified when using expressions")
	}
	return nil
}

func (e *environment) invalid(err error) { e.fault = cmp.Or(e.fault, err) }

// readNames and readValues read the members of a request. What is wrong with them they keep in e.fault.
func (e *environment) readNames(d *decoder) {
	e.names = []substitution{}
	d.object(func(placeholder string) {
		name := d.string()
		e.checkPlaceholder("ExpressionAttributeNames", placeholder, '#')
		switch {
		case name == "":
			e.invalid(validationf("ExpressionAttributeNames contains invalid value: Empty attribute name for key %s", placeholder))
		case len(name) > maxName:
			e.invalid(validationf("ExpressionAttributeNames contains invalid value: Attribute name is too large, must be less than %d bytes for key %s", maxName+1, placeholder))
		}
		e.names = append(e.names, substitution{placeholder, name})
	})
	if len(e.names) == 0 {
		e.invalid(validationf("ExpressionAttributeNames must not be empty"))
	}
}

func (e *environment) readValues(d *decoder) {
	before := d.takeFault()
	e.values = d.named(func(placeholder string) {
		e.checkPlaceholder("ExpressionAttributeValues", placeholder, ':')
		if err := d.takeFault(); err != nil {
			e.invalid(validationf("ExpressionAttributeValues contains invalid value: %s for key %s", awsapi.AsError(err).Message, placeholder))
		}
	})
	d.fault = before
	if len(e.values) == 0 {
		e.invalid(validationf("ExpressionAttributeValues must not be empty"))
	}
}

// maxPlaceholder is the size of the longest placeholder, in bytes.
const maxPlaceholder = 255

func (e *environment) checkPlaceholder(member, placeholder string, sigil byte) {
	switch {
	case !isPlaceholder(placeholder, sigil):
		e.invalid(validationf("%s contains invalid key: Syntax error; key: \"%s\"", member, placeholder))
	case len(placeholder) > maxPlaceholder:
		e.invalid(validationf("%s contains invalid key: The expression attribute map contains a key that is too long; size of key: %d", member, len(placeholder)))
	}
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
	nested []string // the first steps of paths that have more
}

// bind compiles the expression of a request member and checks it: what it leads to with paths, what its values are of
// with types; either may be nil. Without a text there is no expression, and bind returns a parsed with the zero node.
func bind[T any](set *expressionSet, c *cache[T], member string, text *string, paths, types func(T, *environment) error) (*parsed[T], error) {
	if text == nil {
		return new(parsed[T]), nil
	}
	p, err := c.get(*text)
	if err == nil && paths != nil {
		err = paths(p.node, &set.env)
	}
	if err == nil {
		err = cmp.Or(set.env.checkNames(p.names), set.env.checkValues(p.values), p.deep)
	}
	if err == nil && types != nil {
		err = types(p.node, &set.env)
	}
	if err != nil {
		return nil, inExpression(member, err)
	}
	set.names = append(set.names, p.names...)
	set.values = append(set.values, p.values...)
	for _, name := range p.nested {
		set.nested = append(set.nested, set.env.name(name))
	}
	return p, nil
}

// done checks that nothing was defined without being used.
func (set *expressionSet) done() error { return set.env.checkUsed(set.names, set.values) }
