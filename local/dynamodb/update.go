package dynamodb

import "slices"

// update is an update expression. Its operands all see the item as it was before.
type update struct {
	set    []assignment
	remove []path
	add    []setChange
	delete []setChange
}

type (
	assignment struct {
		at      path
		operand operand
	}
	setChange struct {
		at    path
		value valueRef
	}
)

// The operands that only SET has.
type (
	arithmetic struct {
		op          string
		left, right operand
	}
	ifNotExists struct {
		path      path
		otherwise operand
	}
	listAppend struct{ left, right operand }
)

func errOperandType() error {
	return validationf("An operand in the update expression has an incorrect data type")
}

func errInvalidPath() error {
	return validationf("The document path provided in the update expression is invalid for update")
}

// of returns nothing where an operand is missing or of the wrong type; whyNot finds out which.
func (o arithmetic) of(e *environment, item attributes) (value, bool) {
	a, okA := o.left.of(e, item)
	b, okB := o.right.of(e, item)
	if !okA || !okB || a.kind != kindN || b.kind != kindN {
		return value{}, false
	}
	sum, err := addNumbers(a.text, b.text, o.op == "-")
	return value{kind: kindN, text: sum}, err == nil
}

// of needs a value of otherwise even if it is not used.
func (o ifNotExists) of(e *environment, item attributes) (value, bool) {
	otherwise, okO := o.otherwise.of(e, item)
	if v, ok := o.path.of(e, item); ok {
		return v, okO
	}
	return otherwise, okO
}

func (o listAppend) of(e *environment, item attributes) (value, bool) {
	a, okA := o.left.of(e, item)
	b, okB := o.right.of(e, item)
	if !okA || !okB || a.kind != kindL || b.kind != kindL {
		return value{}, false
	}
	return value{kind: kindL, list: slices.Concat(a.list, b.list)}, true
}

// whyNot explains why an operand has no value for an item.
func whyNot(e *environment, item attributes, o operand) error {
	var parts []operand
	switch o := o.(type) {
	case arithmetic:
		parts = []operand{o.left, o.right}
	case listAppend:
		parts = []operand{o.left, o.right}
	case ifNotExists:
		return whyNot(e, item, o.otherwise)
	default:
		return validationf("The provided expression refers to an attribute that does not exist in the item")
	}
	for _, p := range parts {
		if _, ok := p.of(e, item); !ok {
			return whyNot(e, item, p)
		}
	}
	if a, ok := o.(arithmetic); ok {
		x, _ := a.left.of(e, item)
		y, _ := a.right.of(e, item)
		if x.kind == kindN && y.kind == kindN {
			_, err := addNumbers(x.text, y.text, a.op == "-")
			return err
		}
	}
	return errOperandType()
}

// check finds operands of wrong types whatever the item.
func (u *update) check(e *environment) error {
	for _, a := range u.set {
		if err := checkAssigned(e, a.operand); err != nil {
			return err
		}
	}
	for _, c := range u.add {
		v, _ := c.value.of(e, nil)
		if v.kind != kindN && !v.kind.isSet() {
			return expressionError("Incorrect operand type for operator or function; operator: ADD, operand type: %s, typeSet: ALLOWED_FOR_ADD_OPERAND", longName(v.kind))
		}
	}
	for _, c := range u.delete {
		v, _ := c.value.of(e, nil)
		if !v.kind.isSet() {
			return expressionError("Incorrect operand type for operator or function; operator: DELETE, operand type: %s, typeSet: ALLOWED_FOR_DELETE_OPERAND", longName(v.kind))
		}
	}
	return nil
}

func (u *update) checkPaths(e *environment) error { return checkOverlap(u.written(), e) }

func longName(k kind) string {
	return map[kind]string{kindS: "STRING", kindN: "NUMBER", kindB: "BINARY", kindBool: "BOOLEAN", kindNull: "NULL", kindL: "LIST", kindM: "MAP"}[k]
}

func checkAssigned(e *environment, o operand) error {
	switch o := o.(type) {
	case arithmetic:
		for _, side := range []operand{o.left, o.right} {
			if err := checkKind(e, o.op, side, func(k kind) bool { return k == kindN }); err != nil {
				return err
			}
			if err := checkAssigned(e, side); err != nil {
				return err
			}
		}
	case listAppend:
		for _, side := range []operand{o.left, o.right} {
			if err := checkKind(e, "list_append", side, func(k kind) bool { return k == kindL }); err != nil {
				return err
			}
			if err := checkAssigned(e, side); err != nil {
				return err
			}
		}
	case ifNotExists:
		if err := checkDistinct(e, "if_not_exists", o.path, o.otherwise); err != nil {
			return err
		}
		return checkAssigned(e, o.otherwise)
	}
	return nil
}

// written are the paths that the update changes, as the expression has them, and paths are those resolved.
func (u *update) written() []path {
	all := make([]path, 0, len(u.set)+len(u.remove)+len(u.add)+len(u.delete))
	for _, a := range u.set {
		all = append(all, a.at)
	}
	all = append(all, u.remove...)
	for _, c := range u.add {
		all = append(all, c.at)
	}
	for _, c := range u.delete {
		all = append(all, c.at)
	}
	return all
}

func (u *update) paths(e *environment) []path {
	all := u.written()
	for i, p := range all {
		all[i] = e.path(p)
	}
	return all
}

// checkOverlap refuses two paths of which one leads to or through the other, or which take the same value for a list
// and for a map. Like AWS it goes from the last to the first, and reports an undefined name when it reaches it.
func checkOverlap(written []path, e *environment) error {
	paths := make([]path, len(written))
	for i := len(written) - 1; i >= 0; i-- {
		if err := e.checkPath(written[i]); err != nil {
			return err
		}
		p := e.path(written[i])
		paths[i] = p
		for _, q := range paths[i+1:] {
			n := 0
			for n < min(len(p), len(q)) && p[n] == q[n] {
				n++
			}
			switch {
			case n == min(len(p), len(q)):
				return expressionError("Two document paths overlap with each other; must remove or rewrite one of these paths; path one: %s, path two: %s", p, q)
			case p[n].isIndex != q[n].isIndex:
				return expressionError("Two document paths conflict with each other; must remove or rewrite one of these paths; path one: %s, path two: %s", p, q)
			}
		}
	}
	return nil
}

// apply returns the item that the update makes of item.
func (u *update) apply(e *environment, item attributes) (attributes, error) {
	for _, p := range u.paths(e) {
		if !item.leadsTo(p) {
			return nil, errInvalidPath()
		}
	}
	changed := item
	var err error
	put := func(at path, v value) error {
		changed, err = changed.put(at, v)
		return err
	}
	for _, a := range u.set {
		v, ok := a.operand.of(e, item)
		if !ok {
			return nil, whyNot(e, item, a.operand)
		}
		if err := put(e.path(a.at), v); err != nil {
			return nil, err
		}
	}
	for _, c := range u.add {
		v, _ := c.value.of(e, item)
		if old, ok := c.at.of(e, item); ok {
			if v, err = sum(old, v); err != nil {
				return nil, err
			}
		}
		if err := put(e.path(c.at), v); err != nil {
			return nil, err
		}
	}
	for _, c := range u.delete {
		v, _ := c.value.of(e, item)
		old, ok := c.at.of(e, item)
		if !ok {
			continue
		}
		if old.kind != v.kind {
			return nil, errOperandType()
		}
		rest := old.minus(v)
		if len(rest.list) == 0 {
			changed, err = changed.remove(e.path(c.at))
		} else {
			changed, err = changed.put(e.path(c.at), rest)
		}
		if err != nil {
			return nil, err
		}
	}
	for _, p := range u.remove {
		if changed, err = changed.remove(e.path(p)); err != nil {
			return nil, err
		}
	}
	return changed, nil
}

// leadsTo reports whether an item has everything on a resolved path but its last step.
func (a attributes) leadsTo(at path) bool {
	v, ok := a.get(at[0].name)
	for _, s := range at[1:] {
		switch {
		case !ok:
			return false
		case s.isIndex && v.kind == kindL:
			if ok = s.index < len(v.list); ok {
				v = v.list[s.index]
			}
		case !s.isIndex && v.kind == kindM:
			v, ok = v.fields.get(s.name)
		default:
			return false
		}
	}
	return true
}

// sum is what ADD makes of an attribute and its operand.
func sum(old, v value) (value, error) {
	switch {
	case old.kind != v.kind:
		return v, errOperandType()
	case v.kind == kindN:
		text, err := addNumbers(old.text, v.text, false)
		return value{kind: kindN, text: text}, err
	default:
		return old.union(v), nil
	}
}

// put returns a copy of a with v at the path. All but the last step must exist.
func (a attributes) put(at path, v value) (attributes, error) {
	name := at[0].name
	if len(at) == 1 {
		return a.with(name, v), nil
	}
	inner, ok := a.get(name)
	if !ok {
		return nil, errInvalidPath()
	}
	inner, err := inner.put(at[1:], v)
	return a.with(name, inner), err
}

func (v value) put(at path, w value) (value, error) {
	switch {
	case at[0].isIndex && v.kind == kindL:
		list := slices.Clone(v.list)
		i := at[0].index
		switch {
		case len(at) == 1 && i >= len(list):
			return value{kind: kindL, list: append(list, w)}, nil
		case len(at) == 1:
			list[i] = w
			return value{kind: kindL, list: list}, nil
		case i >= len(list):
			return v, errInvalidPath()
		}
		inner, err := list[i].put(at[1:], w)
		list[i] = inner
		return value{kind: kindL, list: list}, err
	case !at[0].isIndex && v.kind == kindM:
		fields, err := v.fields.put(at, w)
		return value{kind: kindM, fields: fields}, err
	}
	return v, errInvalidPath()
}

// remove returns a copy of a without what is at the path, which need not exist.
func (a attributes) remove(at path) (attributes, error) {
	name := at[0].name
	if len(at) == 1 {
		return a.without(name), nil
	}
	inner, ok := a.get(name)
	if !ok {
		return nil, errInvalidPath()
	}
	inner, err := inner.remove(at[1:])
	return a.with(name, inner), err
}

func (v value) remove(at path) (value, error) {
	switch {
	case at[0].isIndex && v.kind == kindL:
		i := at[0].index
		if i >= len(v.list) {
			if len(at) == 1 {
				return v, nil
			}
			return v, errInvalidPath()
		}
		list := slices.Clone(v.list)
		if len(at) == 1 {
			return value{kind: kindL, list: slices.Delete(list, i, i+1)}, nil
		}
		inner, err := list[i].remove(at[1:])
		list[i] = inner
		return value{kind: kindL, list: list}, err
	case !at[0].isIndex && v.kind == kindM:
		fields, err := v.fields.remove(at)
		return value{kind: kindM, fields: fields}, err
	}
	return v, errInvalidPath()
}
