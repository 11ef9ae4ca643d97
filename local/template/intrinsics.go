package template

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"milepost/local/awsapi"
)

const urlSuffix = "amazonaws.com"

// functions are the intrinsic functions that return a value. Each gets the node of the call and its argument, and
// returns nil for "no value". While SAM resources are expanded, a call that depends on a resource is returned
// unchanged: resources have no names yet.
var functions map[string]func(l *loader, call, arg *node) *node

func init() {
	functions = map[string]func(l *loader, call, arg *node) *node{
		"Ref":           (*loader).ref,
		"Fn::GetAtt":    (*loader).getAtt,
		"Fn::Sub":       (*loader).sub,
		"Fn::Join":      (*loader).join,
		"Fn::If":        (*loader).choose,
		"Fn::Select":    (*loader).selectItem,
		"Fn::Split":     (*loader).split,
		"Fn::FindInMap": (*loader).findInMap,
	}
}

// intrinsic returns the name and the argument of the call that n is, or "".
func intrinsic(n *node) (string, *node) {
	if n == nil || n.kind != objectNode || len(n.fields) != 1 {
		return "", nil
	}
	f := n.fields[0]
	if f.name == "Ref" || strings.HasPrefix(f.name, "Fn::") {
		return f.name, f.value
	}
	return "", nil
}

func isIntrinsic(n *node) bool {
	name, _ := intrinsic(n)
	return name != ""
}

// eval returns n with the calls in it replaced by their values; nil means AWS::NoValue.
func (l *loader) eval(n *node) *node {
	if n == nil {
		return nil
	}
	if name, arg := intrinsic(n); name != "" {
		f := functions[name]
		if f == nil {
			l.problem(n, "the intrinsic function %s is not supported", name)
			return n.value(nil)
		}
		return f(l, n, arg)
	}
	c := *n
	switch n.kind {
	case listNode:
		c.items = nil
		for _, item := range n.items {
			if v := l.eval(item); v != nil {
				c.items = append(c.items, v)
			}
		}
	case objectNode:
		c.fields = nil
		for _, f := range n.fields {
			if strings.HasPrefix(f.name, "Fn::") {
				l.problem(n, "the intrinsic function %s has other keys beside it", f.name)
				continue
			}
			if v := l.eval(f.value); v != nil {
				c.fields = append(c.fields, field{f.name, f.line, v})
			}
		}
	}
	return &c
}

// args returns the evaluated arguments of a call. It fails, with a problem, when there are not count of them (-1 for
// any number).
func (l *loader) args(call, arg *node, count int) ([]*node, bool) {
	name, _ := intrinsic(call)
	if arg.kind != listNode || count >= 0 && len(arg.items) != count {
		l.problem(call, "%s takes a list of %d values", name, count)
		return nil, false
	}
	values := make([]*node, len(arg.items))
	for i, item := range arg.items {
		if values[i] = l.eval(item); values[i] == nil {
			l.problem(call, "%s has AWS::NoValue among its arguments", name)
			return nil, false
		}
	}
	return values, true
}

// strings returns the text of every item of list. pending reports whether one of them still depends on a resource; any
// other value that is not text is a problem.
func (l *loader) strings(call, list *node) (texts []string, pending, ok bool) {
	if isIntrinsic(list) {
		return nil, true, true
	}
	name, _ := intrinsic(call)
	if list.kind != listNode {
		l.problem(call, "%s takes a list here", name)
		return nil, false, false
	}
	for _, item := range list.items {
		if isIntrinsic(item) {
			return nil, true, true
		}
		s, isText := item.text()
		if !isText {
			l.problem(call, "%s takes a list of strings here", name)
			return nil, false, false
		}
		texts = append(texts, s)
	}
	return texts, false, true
}

func (l *loader) ref(call, arg *node) *node {
	name, ok := arg.text()
	if !ok {
		l.problem(call, "Ref takes a name")
		return call.value(nil)
	}
	switch name {
	case "AWS::NoValue":
		return nil
	case "AWS::Region":
		return call.value(awsapi.Region)
	case "AWS::AccountId":
		return call.value(awsapi.Account)
	case "AWS::Partition":
		return call.value(awsapi.Partition)
	case "AWS::URLSuffix":
		return call.value(urlSuffix)
	case "AWS::StackName":
		return call.value(l.opts.StackName)
	case "AWS::StackId":
		return call.value(l.stackID())
	case "AWS::NotificationARNs":
		return call.value([]string(nil))
	}
	if strings.HasPrefix(name, "AWS::") {
		l.problem(call, "the pseudo parameter %s is not supported", name)
		return call.value(nil)
	}
	if p, ok := l.parameters[name]; ok {
		return l.relocate(p, call)
	}
	return l.refer(call, name, "")
}

// relocate moves a value that was written elsewhere (a parameter, a mapping) to the place of its use.
func (l *loader) relocate(v, at *node) *node {
	c := *v
	c.line, c.path = at.line, at.path
	return &c
}

func (l *loader) getAtt(call, arg *node) *node {
	var id, attribute string
	switch {
	case arg.kind == listNode && len(arg.items) == 2:
		name := l.eval(arg.items[1])
		id, attribute = arg.items[0].str(), name.str()
	case arg.kind == scalarNode:
		id, attribute, _ = strings.Cut(arg.str(), ".")
	}
	if id == "" || attribute == "" {
		l.problem(call, "Fn::GetAtt takes a resource and the name of an attribute")
		return call.value(nil)
	}
	return l.refer(call, id, attribute)
}

// refer returns the result of Ref (attribute "") or Fn::GetAtt for a resource.
func (l *loader) refer(call *node, id, attribute string) *node {
	if !l.named {
		return call
	}
	r := l.resources[id]
	if r == nil {
		if condition := l.dropped[id]; condition != "" {
			l.problem(call, "%s does not exist, since the condition %s is false", id, condition)
		} else {
			l.problem(call, "%s is neither a parameter nor a resource", id)
		}
		return call.value("")
	}
	if l.current != nil && l.current != r {
		l.current.needs(r.LogicalID, call.line)
	}
	if !l.identify(r, call) {
		return call.value("")
	}
	if attribute == "" {
		return call.value(r.PhysicalID)
	}
	v, ok := r.Attributes[attribute]
	if !ok {
		l.problem(call, "the attribute %s of %s is not supported", attribute, r.Type)
	}
	return call.value(v)
}

func (l *loader) sub(call, arg *node) *node {
	text, ok := arg.text()
	variables := map[string]*node{}
	if arg.kind == listNode && len(arg.items) == 2 && arg.items[1].kind == objectNode {
		text, ok = arg.items[0].text()
		for _, f := range arg.items[1].fields {
			variables[f.name] = l.eval(f.value)
		}
	}
	if !ok {
		l.problem(call, "Fn::Sub takes a string, or a list of a string and an object of variables")
		return call.value(nil)
	}
	var out strings.Builder
	pending := false
	for {
		before, rest, found := strings.Cut(text, "${")
		out.WriteString(before)
		if !found {
			break
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			out.WriteString("${" + rest)
			break
		}
		text = after
		if literal, ok := strings.CutPrefix(name, "!"); ok {
			out.WriteString("${" + literal + "}")
			continue
		}
		value, isVariable := variables[name]
		if !isVariable {
			id, attribute, isAttribute := strings.Cut(name, ".")
			if isAttribute {
				value = l.refer(call, id, attribute)
			} else {
				value = l.ref(call, call.value(name))
			}
		}
		if value == call || isIntrinsic(value) {
			pending = true
			continue
		}
		s, ok := value.text()
		if !ok && !value.silent() {
			l.problem(call, "${%s} is not a string", name)
		}
		out.WriteString(s)
	}
	if pending {
		return call
	}
	return call.value(out.String())
}

// silent reports whether n is the empty value that replaces one whose problem was reported already.
func (n *node) silent() bool { return n != nil && n.isNull() }

func (l *loader) join(call, arg *node) *node {
	values, ok := l.args(call, arg, 2)
	if !ok {
		return call.value(nil)
	}
	texts, pending, ok := l.strings(call, values[1])
	switch {
	case !ok:
		return call.value(nil)
	case pending:
		return call
	}
	return call.value(strings.Join(texts, values[0].str()))
}

func (l *loader) choose(call, arg *node) *node {
	if arg.kind != listNode || len(arg.items) != 3 {
		l.problem(call, "Fn::If takes a condition and two values")
		return call.value(nil)
	}
	if l.condition(call, arg.items[0].str()) {
		return l.eval(arg.items[1])
	}
	return l.eval(arg.items[2])
}

func (l *loader) selectItem(call, arg *node) *node {
	values, ok := l.args(call, arg, 2)
	if !ok {
		return call.value(nil)
	}
	if isIntrinsic(values[1]) || isIntrinsic(values[0]) {
		return call
	}
	i, err := strconv.Atoi(values[0].str())
	if err != nil || values[1].kind != listNode || i < 0 || i >= len(values[1].items) {
		l.problem(call, "Fn::Select takes an index and a list that has it")
		return call.value(nil)
	}
	return values[1].items[i]
}

func (l *loader) split(call, arg *node) *node {
	values, ok := l.args(call, arg, 2)
	if !ok {
		return call.value(nil)
	}
	if isIntrinsic(values[1]) {
		return call
	}
	separator, ok1 := values[0].text()
	text, ok2 := values[1].text()
	if !ok1 || !ok2 || separator == "" {
		l.problem(call, "Fn::Split takes a separator and a string")
		return call.value(nil)
	}
	return call.value(strings.Split(text, separator))
}

func (l *loader) findInMap(call, arg *node) *node {
	values, ok := l.args(call, arg, 3)
	if !ok {
		return call.value(nil)
	}
	names := [3]string{values[0].str(), values[1].str(), values[2].str()}
	v := l.mappings.at(names[:]...)
	if v == nil {
		l.problem(call, "the mappings have no %s", strings.Join(names[:], "."))
		return call.value(nil)
	}
	return l.relocate(v, call)
}

// condition returns the value of a condition of the template's Conditions section.
func (l *loader) condition(at *node, name string) bool {
	state, known := l.conditions[name]
	switch {
	case known && state == evaluating:
		l.problem(at, "the condition %s depends on itself", name)
		return false
	case known:
		return state == holds
	}
	n := l.sections["Conditions"].get(name)
	if n == nil {
		l.problem(at, "there is no condition %s", name)
		return false
	}
	l.conditions[name] = evaluating
	v := l.test(n)
	l.conditions[name] = fails
	if v {
		l.conditions[name] = holds
	}
	return v
}

type truth int

const (
	evaluating truth = iota
	holds
	fails
)

// test evaluates a condition function.
func (l *loader) test(n *node) bool {
	if n.kind != objectNode || len(n.fields) != 1 {
		l.problem(n, "a condition is one of Fn::Equals, Fn::And, Fn::Or, Fn::Not and Condition")
		return false
	}
	name, arg := n.fields[0].name, n.fields[0].value
	count := map[string][2]int{"Fn::Equals": {2, 2}, "Fn::Not": {1, 1}, "Fn::And": {2, 10}, "Fn::Or": {2, 10}}
	limits, isFunction := count[name]
	switch {
	case name == "Condition":
		return l.condition(n, arg.str())
	case !isFunction:
		l.problem(n, "the condition function %s is not supported", name)
		return false
	case arg.kind != listNode || len(arg.items) < limits[0] || len(arg.items) > limits[1]:
		l.problem(n, "%s takes a list of %s", name, between(limits))
		return false
	case name == "Fn::Equals":
		return equal(l.eval(arg.items[0]), l.eval(arg.items[1]))
	}
	and, or := true, false
	for _, item := range arg.items {
		v := l.test(item)
		and, or = and && v, or || v
	}
	switch name {
	case "Fn::Not":
		return !and
	case "Fn::And":
		return and
	}
	return or
}

func between(limits [2]int) string {
	if limits[0] == limits[1] {
		return fmt.Sprint(limits[0])
	}
	return fmt.Sprintf("%d to %d", limits[0], limits[1])
}

// equal compares as CloudFormation does: the number 1 and the string "1" are the same.
func equal(a, b *node) bool {
	s, ok1 := a.text()
	t, ok2 := b.text()
	if ok1 && ok2 {
		return s == t
	}
	return reflect.DeepEqual(a.plain(), b.plain())
}
