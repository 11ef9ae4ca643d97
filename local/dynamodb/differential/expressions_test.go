package differential

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
)

func sorted[V any](m map[string]V) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if !yield(k, m[k]) {
				return
			}
		}
	}
}

// expressions makes the expressions of one request, with the names and values that they use.
type expressions struct {
	*generator
	table  *tableShape
	names  object
	values object
}

func (g *generator) expressions(t *tableShape) *expressions {
	return &expressions{generator: g, table: t, names: object{}, values: object{}}
}

// addTo adds the names and values to a request, and addNamesTo the names to one that takes no values.
func (x *expressions) addTo(body object) {
	x.addNamesTo(body)
	x.spoilMap(x.values, x.value(1), ":unused", "bad", ":", ":a-b")
	if len(x.values) > 0 || x.wrong(0.05) {
		body["ExpressionAttributeValues"] = x.values
	}
}

func (x *expressions) addNamesTo(body object) {
	x.spoilMap(x.names, pick(x.generator, "a", ""), "#unused", "bad", "#", "#a-b", "#ü")
	if len(x.names) > 0 || x.wrong(0.05) {
		body["ExpressionAttributeNames"] = x.names
	}
}

// spoilMap sometimes adds what no expression uses, or takes away what one does.
func (x *expressions) spoilMap(m object, value any, unused ...string) {
	if x.wrong(0.15) {
		m[pick(x.generator, unused...)] = value
	}
	if x.wrong(0.1) {
		for name := range sorted(m) {
			delete(m, name)
			break
		}
	}
}

// text returns an expression, sometimes with an extra, missing or misplaced token.
func (x *expressions) text(expression string) string {
	if !x.wrong(0.3) {
		return expression
	}
	tokens := strings.Fields(expression)
	i := x.IntN(len(tokens))
	switch x.IntN(5) {
	case 0:
		tokens = slices.Delete(tokens, i, i+1)
	case 1:
		tokens = slices.Insert(tokens, i, tokens[i])
	case 2:
		j := x.IntN(len(tokens))
		tokens[i], tokens[j] = tokens[j], tokens[i]
	default:
		junk := pick(x.generator, "AND", "(", ")", "=", ",", "f(a)", "name", ":undefined", "#undefined", "1", "<>", "!", "size(a)",
			"[0]", ".", "a[1", "SET", "NOT", "size", "attribute_exists(a)", "if_not_exists(a, :v0)", "((", "a.b.c", "begins_with")
		tokens[i] = junk
	}
	return strings.Join(tokens, " ")
}

// v defines a value and returns its name.
func (x *expressions) v(value object) string {
	name := fmt.Sprintf(":v%d", len(x.values))
	x.values[name] = value
	return name
}

// name returns a name as an expression can write it.
func (x *expressions) name(name string) string {
	plain := !strings.ContainsAny(name, "-.ü") && name != "status" && name != "list" && name != "l" || x.wrong(0.2)
	if plain && x.chance(0.7) {
		return name
	}
	for placeholder, n := range sorted(x.names) {
		if n == name {
			return placeholder
		}
	}
	placeholder := fmt.Sprintf("#n%d", len(x.names))
	x.names[placeholder] = name
	return placeholder
}

// path makes a document path.
func (x *expressions) path() string {
	first := pick(x.generator, attributeNames...)
	if x.chance(0.1) {
		first = pick(x.generator, "g", "h", "l")
	}
	if x.wrong(0.3) {
		first = pick(x.generator, "pk", "sk")
	}
	path := x.name(first)
	for x.chance(0.25) {
		if x.chance(0.6) {
			path += "." + x.name(pick(x.generator, "a", "b", "x", "status"))
		} else {
			path += fmt.Sprintf("[%d]", x.IntN(3))
		}
	}
	if x.wrong(0.02) {
		path += strings.Repeat(".a", pick(x.generator, 30, 31, 32, 33))
	}
	return path
}

func (x *expressions) projection() string {
	paths := []string{x.path()}
	for x.chance(0.5) {
		paths = append(paths, x.path())
	}
	return strings.Join(paths, " , ")
}

func (x *expressions) operand() string {
	switch x.IntN(5) {
	case 0, 1:
		return x.path()
	case 2, 3:
		return x.v(x.value(1))
	default:
		return "size( " + x.path() + " )"
	}
}

// like makes a value of the types that a comparison mostly needs.
func (x *expressions) like() string {
	if x.chance(0.2) {
		return x.operand()
	}
	return x.v(pick(x.generator, object{"S": "x"}, object{"N": "1"}, object{"N": "1.5"}, object{"S": "xy"}))
}

func (x *expressions) condition(depth int) string {
	if depth > 0 && x.chance(0.4) {
		switch x.IntN(4) {
		case 0:
			return "NOT " + x.condition(depth-1)
		case 1:
			return "( " + x.condition(depth-1) + " )"
		default:
			return x.condition(depth-1) + " " + pick(x.generator, "AND", "OR", "and") + " " + x.condition(depth-1)
		}
	}
	switch x.IntN(9) {
	case 0:
		return "attribute_exists( " + x.path() + " )"
	case 1:
		return "attribute_not_exists( " + x.path() + " )"
	case 2:
		kind := object{"S": pick(x.generator, "S", "N", "M", "L", "SS", "BOOL", "NULL")}
		if x.wrong(0.5) {
			kind = pick(x.generator, object{"S": "X"}, object{"N": "1"}, object{"S": "s"})
		}
		return "attribute_type( " + x.path() + " , " + x.v(kind) + " )"
	case 3:
		return "begins_with( " + x.path() + " , " + x.like() + " )"
	case 4:
		return "contains( " + x.path() + " , " + x.like() + " )"
	case 5:
		return x.path() + " BETWEEN " + x.like() + " AND " + x.like()
	case 6:
		return x.operand() + " IN ( " + x.like() + " , " + x.operand() + " )"
	default:
		right := x.like()
		if x.chance(0.3) {
			right = x.operand()
		}
		return x.operand() + " " + pick(x.generator, "=", "<>", "<", "<=", ">", ">=") + " " + right
	}
}

// filter makes a condition for a query: key attributes only by mistake, and mostly such attributes as the index has.
func (x *expressions) filter(index *indexShape) string {
	if index != nil && index.projection != "ALL" && x.chance(0.5) {
		return "attribute_exists( " + pick(x.generator, append([]string{"pk", "a"}, index.include...)...) + " )"
	}
	return x.condition(1)
}

func (x *expressions) keyCondition(index *indexShape) string {
	partition, sort := x.table.partition[0], x.table.sort[0]
	if index != nil {
		partition, sort = index.partition, index.sort
	}
	kind := func(name string) string { return x.table.attributeTypes[name] }
	conditions := []string{x.name(partition) + " = " + x.v(x.keyValue(kind(partition)))}
	if x.wrong(0.15) {
		conditions[0] = x.name(partition) + pick(x.generator, " < ", " <> ") + x.v(x.keyValue(kind(partition)))
	}
	if sort != "" && x.chance(0.5) {
		at, v := x.name(sort), func() string { return x.v(x.keyValue(kind(sort))) }
		switch {
		case x.chance(0.2):
			conditions = append(conditions, at+" BETWEEN "+v()+" AND "+v())
		case x.chance(0.2):
			conditions = append(conditions, "begins_with( "+at+" , "+v()+" )")
		case x.chance(0.2):
			conditions = append(conditions, v()+" "+pick(x.generator, "<", ">=")+" "+at)
		default:
			conditions = append(conditions, at+" "+pick(x.generator, "=", "<", "<=", ">", ">=")+" "+v())
		}
	}
	if x.wrong(0.2) {
		conditions = append(conditions, x.condition(1))
	}
	if x.wrong(0.1) {
		conditions = conditions[1:]
		if len(conditions) == 0 {
			conditions = []string{x.condition(1)}
		}
	}
	if x.chance(0.2) {
		slices.Reverse(conditions)
	}
	if x.chance(0.1) {
		conditions[0] = "( " + conditions[0] + " )"
	}
	return strings.Join(conditions, " AND ")
}

func (x *expressions) update() string {
	var sections []string
	several := func(one func() string) string {
		all := []string{one()}
		for x.chance(0.3) {
			all = append(all, one())
		}
		return strings.Join(all, " , ")
	}
	kinds := []int{0, 1, 2, 3}
	x.Shuffle(len(kinds), func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
	for _, kind := range kinds[:1+x.IntN(2)] {
		switch kind {
		case 0:
			sections = append(sections, "SET "+several(x.assignment))
		case 1:
			sections = append(sections, "REMOVE "+several(x.path))
		case 2:
			sections = append(sections, "ADD "+several(func() string {
				return x.path() + " " + x.v(pick(x.generator, object{"N": "1"}, x.set(), object{"N": "1"}, x.value(0)))
			}))
		default:
			sections = append(sections, "DELETE "+several(func() string {
				return x.path() + " " + x.v(pick(x.generator, x.set(), x.set(), x.value(0)))
			}))
		}
	}
	return strings.Join(sections, " ")
}

func (x *expressions) assignment() string {
	return x.path() + " = " + x.assigned(1)
}

func (x *expressions) assigned(depth int) string {
	switch {
	case depth > 0 && x.chance(0.2):
		return x.assigned(0) + " " + pick(x.generator, "+", "-") + " " + pick(x.generator, x.v(object{"N": "1"}), x.path())
	case depth > 0 && x.chance(0.2):
		return "if_not_exists( " + x.path() + " , " + x.assigned(0) + " )"
	case depth > 0 && x.chance(0.2):
		return "list_append( " + x.assigned(0) + " , " + x.v(object{"L": []any{object{"S": "x"}}}) + " )"
	case x.chance(0.2):
		return x.path()
	default:
		return x.v(x.value(2))
	}
}
