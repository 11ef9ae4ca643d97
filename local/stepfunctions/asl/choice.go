package asl

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Choice is the body of a Choice state.
type Choice struct {
	Rules   []Rule
	Default *State
}

// Rule is one way out of a Choice state.
type Rule struct {
	Next      *State
	Assign    *Template
	condition condition
}

// Select returns the first rule that holds, or nil.
func (c *Choice) Select(env *Env) (*Rule, error) {
	for i := range c.Rules {
		ok, err := c.Rules[i].condition.holds(env)
		if err != nil {
			return nil, err
		}
		if ok {
			return &c.Rules[i], nil
		}
	}
	return nil, nil
}

type condition interface {
	holds(env *Env) (bool, error)
}

type allOf []condition

func (c allOf) holds(env *Env) (bool, error) {
	for _, each := range c {
		if ok, err := each.holds(env); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

type anyOf []condition

func (c anyOf) holds(env *Env) (bool, error) {
	for _, each := range c {
		if ok, err := each.holds(env); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

type not struct{ condition }

func (c not) holds(env *Env) (bool, error) {
	ok, err := c.condition.holds(env)
	return !ok && err == nil, err
}

// comparison looks at one variable.
type comparison struct {
	variable *Path
	operator operator
	value    any
	path     *Path // where to take the value from, if not nil
	field    string
}

// operator compares an existing value with the rule's.
type operator func(v, with any) bool

func (c *comparison) holds(env *Env) (bool, error) {
	v, found := c.variable.Lookup(env)
	if c.field == "IsPresent" {
		return found == c.value, nil
	}
	if !found {
		return false, invalidPath(c.variable)
	}
	with := c.value
	if c.path != nil {
		if with, found = c.path.Lookup(env); !found {
			return false, invalidPath(c.path)
		}
	}
	return c.operator(v, with), nil
}

func invalidPath(p *Path) error {
	return failure(ErrRuntime, "Invalid path '%s': The choice state's condition path references an invalid value.", p)
}

// is tests the type of a value; the rule says whether it should be so.
func is(test func(v any) bool) operator {
	return func(v, with any) bool { return test(v) == with }
}

// compare makes an operator of a comparison that only applies when both sides are of one type.
func compare[T any](as func(v any) (T, bool), cmp func(a, b T) int, accept func(order int) bool) operator {
	return func(v, with any) bool {
		a, ok := as(v)
		if !ok {
			return false
		}
		b, ok := as(with)
		return ok && accept(cmp(a, b))
	}
}

func typed[T any](v any) (T, bool) {
	t, ok := v.(T)
	return t, ok
}

func timestamp(v any) (time.Time, bool) {
	s, _ := v.(string)
	t, err := ParseTimestamp(s)
	return t, err == nil
}

// ParseTimestamp reads a date and time as the language accepts it, which is with an offset.
func ParseTimestamp(s string) (time.Time, error) { return time.Parse(time.RFC3339, s) }

// operators maps the names of operators. Those in literals, which says what values they take, also exist with the
// suffix "Path".
var operators, literals = func() (map[string]operator, map[string]func(v any) bool) {
	isString := func(v any) bool { _, ok := v.(string); return ok }
	isNumber := func(v any) bool { _, ok := v.(json.Number); return ok }
	isBool := func(v any) bool { _, ok := v.(bool); return ok }
	isTime := func(v any) bool { _, ok := timestamp(v); return ok }
	all := map[string]operator{
		"IsPresent":     nil, // holds decides it
		"IsNull":        is(func(v any) bool { return v == nil }),
		"IsString":      is(isString),
		"IsNumeric":     is(isNumber),
		"IsBoolean":     is(isBool),
		"IsTimestamp":   is(isTime),
		"StringMatches": func(v, with any) bool { s, ok := v.(string); p, _ := with.(string); return ok && wildcard(p, s) },
		"BooleanEquals": compare(typed[bool], func(a, b bool) int {
			if a == b {
				return 0
			}
			return 1
		}, func(o int) bool { return o == 0 }),
	}
	accepted := map[string]func(v any) bool{"BooleanEquals": isBool}
	for suffix, accept := range map[string]func(order int) bool{
		"Equals":            func(o int) bool { return o == 0 },
		"LessThan":          func(o int) bool { return o < 0 },
		"LessThanEquals":    func(o int) bool { return o <= 0 },
		"GreaterThan":       func(o int) bool { return o > 0 },
		"GreaterThanEquals": func(o int) bool { return o >= 0 },
	} {
		all["String"+suffix] = compare(typed[string], strings.Compare, accept)
		all["Numeric"+suffix] = compare(typed[json.Number], compareNumbers, accept)
		all["Timestamp"+suffix] = compare(timestamp, time.Time.Compare, accept)
		accepted["String"+suffix], accepted["Numeric"+suffix], accepted["Timestamp"+suffix] = isString, isNumber, isTime
	}
	return all, accepted
}()

// wildcard matches s with a pattern in which * matches any text and a backslash escapes.
func wildcard(pattern, s string) bool {
	for pattern != "" {
		switch pattern[0] {
		case '*':
			for i := 0; i <= len(s); i++ {
				if wildcard(pattern[1:], s[i:]) {
					return true
				}
			}
			return false
		case '\\':
			if len(pattern) > 1 {
				pattern = pattern[1:]
			}
		}
		if s == "" || s[0] != pattern[0] {
			return false
		}
		pattern, s = pattern[1:], s[1:]
	}
	return s == ""
}

// compileCondition compiles a rule or what is inside And, Or and Not.
func (o *object) compileCondition() condition {
	var found []condition
	combine := func(name string) []condition {
		var parts []condition
		for _, part := range o.objects(name) {
			parts = append(parts, part.compileCondition())
			part.done()
		}
		if len(parts) == 0 {
			o.fail(name, "Value cannot be empty")
		}
		return parts
	}
	if o.has("And") {
		found = append(found, allOf(combine("And")))
	}
	if o.has("Or") {
		found = append(found, anyOf(combine("Or")))
	}
	if o.has("Not") {
		if inner := o.object("Not"); inner != nil {
			found = append(found, not{inner.compileCondition()})
			inner.done()
		}
	}
	if o.has("Variable") {
		found = append(found, o.compileComparison())
	}
	if len(found) != 1 || found[0] == nil {
		o.fail("", "A choice rule needs exactly one of And, Or, Not and a Variable with one operator")
		return allOf(nil)
	}
	return found[0]
}

func (o *object) compileComparison() condition {
	c := &comparison{variable: o.path("Variable", nil)}
	for name := range o.fields {
		bare, isPath := strings.CutSuffix(name, "Path")
		op, ok := operators[bare]
		if !ok {
			continue
		}
		if c.field != "" {
			return nil
		}
		c.field, c.operator = bare, op
		literal, hasPath := literals[bare]
		if isPath && !hasPath {
			return nil
		}
		if isPath {
			c.path = o.path(name, nil)
			continue
		}
		c.value, _ = o.take(name)
		switch {
		case strings.HasPrefix(bare, "Is"):
			literal = literals["BooleanEquals"]
		case bare == "StringMatches":
			literal = literals["StringEquals"]
		}
		if !literal(c.value) {
			o.fail(name, fmt.Sprintf("Value has the wrong type: %s", Encode(c.value)))
		}
	}
	if c.field == "" {
		return nil
	}
	return c
}
