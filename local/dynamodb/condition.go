package dynamodb

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// operand returns a value for one item, or none, and condition is true or false for it. check finds faults in the types
// of the request's values before any item is read.
type (
	operand interface {
		of(e *environment, item attributes) (value, bool)
	}
	condition interface {
		holds(e *environment, item attributes) bool
		check(e *environment) error
	}
)

// The operands.
type (
	valueRef string
	sizeOf   struct{ operand operand }
)

// The conditions.
type (
	or         struct{ left, right condition }
	and        struct{ left, right condition }
	not        struct{ inner condition }
	exists     struct{ path path }
	comparison struct {
		op          string
		left, right operand
	}
	between struct{ operand, low, high operand }
	in      struct {
		operand operand
		among   []operand
	}
	hasType    struct{ operand, name operand }
	beginsWith struct{ operand, prefix operand }
	contains   struct{ operand, part operand }
)

func (r valueRef) of(e *environment, _ attributes) (value, bool) { return e.values.get(string(r)) }

func (p path) of(e *environment, item attributes) (value, bool) {
	v, ok := item.get(e.name(p[0].name))
	for _, s := range p[1:] {
		switch {
		case !ok:
			return value{}, false
		case s.isIndex:
			if v.kind != kindL || s.index >= len(v.list) {
				return value{}, false
			}
			v = v.list[s.index]
		default:
			v, ok = v.fields.get(e.name(s.name)) // only an M has fields
		}
	}
	return v, ok
}

func (s sizeOf) of(e *environment, item attributes) (value, bool) {
	v, ok := s.operand.of(e, item)
	if !ok {
		return value{}, false
	}
	switch v.kind {
	case kindS:
		return newNumber(utf8.RuneCountInString(v.text)), true
	case kindB:
		return newNumber(len(v.text)), true
	case kindM:
		return newNumber(len(v.fields)), true
	case kindL, kindSS, kindNS, kindBS:
		return newNumber(len(v.list)), true
	default:
		return value{}, false
	}
}

func (c or) holds(e *environment, item attributes) bool {
	return c.left.holds(e, item) || c.right.holds(e, item)
}

func (c and) holds(e *environment, item attributes) bool {
	return c.left.holds(e, item) && c.right.holds(e, item)
}

func (c not) holds(e *environment, item attributes) bool { return !c.inner.holds(e, item) }

func (c exists) holds(e *environment, item attributes) bool {
	_, ok := c.path.of(e, item)
	return ok
}

func (c comparison) holds(e *environment, item attributes) bool {
	a, okA := c.left.of(e, item)
	b, okB := c.right.of(e, item)
	switch c.op {
	case "=":
		return okA && okB && a.equal(b)
	case "<>": // also of a value that is not there
		return !(okA && okB && a.equal(b))
	}
	if !okA || !okB || a.kind != b.kind || !a.kind.ordered() {
		return false
	}
	order := a.compare(b)
	switch c.op {
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	default:
		return order >= 0
	}
}

func (c between) holds(e *environment, item attributes) bool {
	return comparison{">=", c.operand, c.low}.holds(e, item) && comparison{"<=", c.operand, c.high}.holds(e, item)
}

func (c in) holds(e *environment, item attributes) bool {
	for _, o := range c.among {
		if (comparison{"=", c.operand, o}).holds(e, item) {
			return true
		}
	}
	return false
}

func (c hasType) holds(e *environment, item attributes) bool {
	v, ok := c.operand.of(e, item)
	name, _ := c.name.of(e, item)
	return ok && v.kind.String() == name.text
}

func (c beginsWith) holds(e *environment, item attributes) bool {
	v, okV := c.operand.of(e, item)
	prefix, okP := c.prefix.of(e, item)
	return okV && okP && v.kind == prefix.kind && (v.kind == kindS || v.kind == kindB) && strings.HasPrefix(v.text, prefix.text)
}

func (c contains) holds(e *environment, item attributes) bool {
	v, okV := c.operand.of(e, item)
	part, okP := c.part.of(e, item)
	switch {
	case !okV || !okP:
		return false
	case v.kind == kindS || v.kind == kindB:
		return part.kind == v.kind && strings.Contains(v.text, part.text)
	default:
		return v.hasMember(part)
	}
}

// literal returns the value of an operand that does not depend on the item.
func literal(e *environment, o operand) (value, bool) {
	if r, ok := o.(valueRef); ok {
		return r.of(e, nil)
	}
	return value{}, false
}

// checkKind refuses a literal operand of a kind that the operator does not take.
func checkKind(e *environment, operator string, o operand, allowed func(kind) bool) error {
	v, ok := literal(e, o)
	if s, isSize := o.(sizeOf); isSize {
		if err := checkKind(e, "size", s.operand, hasSize); err != nil {
			return err
		}
		v.kind, ok = kindN, true
	}
	if !ok || allowed(v.kind) {
		return nil
	}
	return expressionError("Incorrect operand type for operator or function; operator or function: %s, operand type: %s", operator, v.kind)
}

func checkDistinct(e *environment, operator string, first operand, others ...operand) error {
	p, ok := first.(path)
	if !ok {
		return nil
	}
	p = e.path(p)
	for _, o := range others {
		if q, both := o.(path); both && slices.Equal(p, e.path(q)) {
			return expressionError("The first operand must be distinct from the remaining operands for this operator or function; operator: %s, first operand: %s", operator, p)
		}
	}
	return nil
}

func anyKind(kind) bool { return true }

// hasSize reports whether the function size accepts the kind.
func hasSize(k kind) bool { return k != kindN && k != kindBool && k != kindNull }

// checkKinds refuses a comparison of a path with itself, and literal operands of kinds that the operator does not take.
func checkKinds(e *environment, operator string, allowed func(kind) bool, operands ...operand) error {
	if err := checkDistinct(e, operator, operands[0], operands[1:]...); err != nil {
		return err
	}
	for _, o := range operands {
		if err := checkKind(e, operator, o, allowed); err != nil {
			return err
		}
	}
	return nil
}

func (c or) check(e *environment) error {
	if err := c.left.check(e); err != nil {
		return err
	}
	return c.right.check(e)
}

func (c and) check(e *environment) error { return or(c).check(e) }
func (c not) check(e *environment) error { return c.inner.check(e) }
func (exists) check(*environment) error  { return nil }

func (c in) check(e *environment) error {
	return checkKinds(e, "IN", anyKind, append([]operand{c.operand}, c.among...)...)
}

func (c comparison) check(e *environment) error {
	allowed := kind.ordered
	if c.op == "=" || c.op == "<>" {
		allowed = anyKind
	}
	return checkKinds(e, c.op, allowed, c.left, c.right)
}

func (c between) check(e *environment) error {
	if err := checkKinds(e, "BETWEEN", kind.ordered, c.operand, c.low, c.high); err != nil {
		return err
	}
	low, okL := literal(e, c.low)
	high, okH := literal(e, c.high)
	switch {
	case !okL || !okH:
		return nil
	case low.kind != high.kind:
		return expressionError("The BETWEEN operator requires same data type for lower and upper bounds; lower bound operand: AttributeValue: %s, upper bound operand: AttributeValue: %s", shown(low), shown(high))
	case low.compare(high) > 0:
		return expressionError("The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: %s, upper bound operand: AttributeValue: %s", shown(low), shown(high))
	}
	return nil
}

func shown(v value) string { return "{" + v.kind.String() + ":" + v.text + "}" }

func (c hasType) check(e *environment) error {
	if err := checkDistinct(e, "attribute_type", c.operand, c.name); err != nil {
		return err
	}
	if err := checkKind(e, "attribute_type", c.operand, anyKind); err != nil {
		return err
	}
	if err := checkKind(e, "attribute_type", c.name, func(k kind) bool { return k == kindS }); err != nil {
		return err
	}
	v, ok := literal(e, c.name)
	switch {
	case !ok:
		return expressionError("Incorrect operand type for operator or function; operator or function: attribute_type, operand type: a path")
	case kindNamed(v.text) == 0:
		return expressionError("Invalid attribute type name found; type: %s, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}", v.text)
	}
	return nil
}

func (c beginsWith) check(e *environment) error {
	return checkKinds(e, "begins_with", func(k kind) bool { return k == kindS || k == kindB }, c.operand, c.prefix)
}

func (c contains) check(e *environment) error {
	if err := checkDistinct(e, "contains", c.operand, c.part); err != nil {
		return err
	}
	if err := checkKind(e, "contains", c.operand, func(k kind) bool {
		return k == kindS || k == kindB || k == kindL || k.isSet()
	}); err != nil {
		return err
	}
	return checkKind(e, "contains", c.part, anyKind)
}
