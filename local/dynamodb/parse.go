package dynamodb

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"milepost/local/awsapi"
)

// The limits of an expression: its length in bytes, its operators and functions, the operands of
// IN, and the depth of a path.
const (
	maxExpression = 4096
	maxOperators  = 300
	maxInOperands = 100
)

// parsed is an expression in the form that runs, with the names (#n), the values (:v) and the
// first steps of all paths that it uses. It holds nothing of a request, so that one serves every
// request with the same text.
type parsed[T any] struct {
	node   T
	names  []string
	values []string
	roots  []string
}

// parser reads one expression by recursive descent.
type parser struct {
	text      string
	tokens    []token
	pos       int
	operators int
	names     []string
	values    []string
	roots     []string
	err       error
}

// expressionError makes the second half of an error text; inExpression puts the first before it.
func expressionError(format string, args ...any) *awsapi.Error { return validationf(format, args...) }

// inExpression names the request member that an expression's error is about.
func inExpression(member string, err error) error {
	if err == nil {
		return nil
	}
	e := awsapi.AsError(err)
	return &awsapi.Error{Code: e.Code, Status: e.Status, Message: "Invalid " + member + ": " + e.Message}
}

// parse reads a whole expression with read.
func parse[T any](text string, read func(p *parser) T) (*parsed[T], error) {
	switch {
	case strings.TrimSpace(text) == "":
		return nil, expressionError("The expression can not be empty;")
	case len(text) > maxExpression:
		return nil, expressionError("Expression size has exceeded the maximum allowed size; expression size: %d", len(text))
	}
	tokens, err := lex(text)
	if err != nil {
		return nil, err
	}
	p := &parser{text: text, tokens: tokens}
	node := read(p)
	if p.next().text != "" {
		p.unexpected()
	}
	if p.err != nil {
		return nil, p.err
	}
	return &parsed[T]{node, p.names, p.values, p.roots}, nil
}

func parseCondition(text string) (*parsed[condition], error) {
	return parse(text, (*parser).condition)
}

func parseProjection(text string) (*parsed[[]path], error) {
	return parse(text, func(p *parser) []path { return list(p, (*parser).path) })
}

// next is the token to be read; after an error it is always the last one.
func (p *parser) next() token {
	if p.err != nil {
		return p.tokens[len(p.tokens)-1]
	}
	return p.tokens[p.pos]
}

func (p *parser) following() token { return p.tokens[min(p.pos+1, len(p.tokens)-1)] }

func (p *parser) fail(err error) {
	if p.err == nil {
		p.err = err
	}
}

// unexpected says that the next token cannot stand where it does.
func (p *parser) unexpected() {
	if p.err == nil {
		p.err = syntaxError(p.text, p.next(), p.tokens[max(p.pos-1, 0)], p.following())
	}
}

// take consumes the next token if it is text, which may be a keyword.
func (p *parser) take(text string) bool {
	if p.err != nil || !p.next().is(text) {
		return false
	}
	p.pos++
	return true
}

func (p *parser) expect(text string) {
	if !p.take(text) {
		p.unexpected()
	}
}

func (p *parser) operator() {
	if p.operators++; p.operators > maxOperators {
		p.fail(expressionError("The expression contains too many operators; operator count: %d", p.operators))
	}
}

// list reads one or more of what read reads, with commas between.
func list[T any](p *parser, read func(*parser) T) []T {
	all := []T{read(p)}
	for p.take(",") {
		all = append(all, read(p))
	}
	return all
}

// step is one part of a document path: a name, as written, or an index of a list.
type step struct {
	name    string
	index   int
	isIndex bool
}

// path leads from an item to an attribute or an element within one.
type path []step

func (p *parser) path() path {
	steps := path{p.name()}
	p.roots = append(p.roots, steps[0].name)
	for p.err == nil {
		switch {
		case p.take("."):
			steps = append(steps, p.name())
		case p.take("["):
			n, err := strconv.Atoi(p.next().text)
			if err != nil || !p.next().isNumber() {
				p.unexpected()
				return steps
			}
			p.pos++
			p.expect("]")
			steps = append(steps, step{index: n, isIndex: true})
		default:
			if len(steps) > maxDepth {
				p.fail(expressionError("The document path has too many nesting elements; nesting levels: %d", len(steps)))
			}
			return steps
		}
	}
	return steps
}

func (p *parser) name() step {
	t := p.next()
	switch {
	case t.isName():
		if !slices.Contains(p.names, t.text) {
			p.names = append(p.names, t.text)
		}
	case !t.isWord():
		p.unexpected()
		return step{}
	case isReserved(t.text):
		p.fail(expressionError("Attribute name is a reserved keyword; reserved keyword: %s", t.text))
		return step{}
	}
	p.pos++
	return step{name: t.text}
}

func (p *parser) valueName() valueRef {
	t := p.next()
	if !t.isValue() {
		p.unexpected()
		return ""
	}
	p.pos++
	if !slices.Contains(p.values, t.text) {
		p.values = append(p.values, t.text)
	}
	return valueRef(t.text)
}

// isCall tells whether a function call comes next.
func (p *parser) isCall() bool { return p.next().isWord() && p.following().text == "(" }

// arguments reads the parenthesised operands of a function and checks their number.
func (p *parser) arguments(function string, count int) []operand {
	p.operator()
	p.expect("(")
	args := list(p, (*parser).operand)
	p.expect(")")
	if p.err == nil && len(args) != count {
		p.fail(expressionError("Incorrect number of operands for operator or function; operator or function: %s, number of operands: %d", function, len(args)))
	}
	for len(args) < count {
		args = append(args, valueRef(""))
	}
	return args
}

// asPath is an argument that has to be a document path.
func (p *parser) asPath(function string, o operand) path {
	at, ok := o.(path)
	if !ok {
		p.fail(expressionError("Operator or function requires a document path; operator or function: %s", function))
	}
	return at
}

// operand reads a path, a value, or a function that gives a value.
func (p *parser) operand() operand {
	switch {
	case p.next().isValue():
		return p.valueName()
	case !p.isCall():
		return p.path()
	}
	function := p.next().text
	p.pos++
	switch function {
	case "size":
		return sizeOf{p.asPath(function, p.arguments(function, 1)[0])}
	case "if_not_exists":
		args := p.arguments(function, 2)
		return ifNotExists{p.asPath(function, args[0]), args[1]}
	case "list_append":
		args := p.arguments(function, 2)
		return listAppend{args[0], args[1]}
	case "attribute_exists", "attribute_not_exists", "attribute_type", "begins_with", "contains":
		p.fail(expressionError("The function is not allowed to be used this way in an expression; function: %s", function))
	default:
		p.fail(expressionError("Invalid function name; function: %s", function))
	}
	return valueRef("")
}

// condition reads alternatives: OR binds less than AND, AND less than NOT.
func (p *parser) condition() condition {
	c := p.conjunction()
	for p.take("OR") {
		p.operator()
		c = or{c, p.conjunction()}
	}
	return c
}

func (p *parser) conjunction() condition {
	c := p.negation()
	for p.take("AND") {
		p.operator()
		c = and{c, p.negation()}
	}
	return c
}

func (p *parser) negation() condition {
	nots := 0
	for p.take("NOT") {
		p.operator()
		nots++
	}
	c := p.primary()
	if nots%2 == 1 {
		return not{c}
	}
	return c
}

func (p *parser) primary() condition {
	if p.operators++; p.operators > maxOperators {
		p.fail(expressionError("The expression contains too many operators; operator count: %d", p.operators))
		return nil
	}
	if p.take("(") {
		redundant := p.next().text == "("
		start := p.pos
		c := p.condition()
		if redundant && p.err == nil && p.closes(start) == p.pos-1 {
			p.fail(expressionError("The expression has redundant parentheses;"))
		}
		p.expect(")")
		return c
	}
	if p.isCall() && p.next().text != "size" {
		return p.predicate()
	}
	return p.comparison()
}

// closes is the position of the parenthesis that closes the one at position open.
func (p *parser) closes(open int) int {
	depth := 0
	for i := open; i < len(p.tokens); i++ {
		switch p.tokens[i].text {
		case "(":
			depth++
		case ")":
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// predicate reads a function that is true or false.
func (p *parser) predicate() condition {
	function := p.next().text
	p.pos++
	switch function {
	case "attribute_exists":
		return exists{p.asPath(function, p.arguments(function, 1)[0])}
	case "attribute_not_exists":
		return not{exists{p.asPath(function, p.arguments(function, 1)[0])}}
	case "attribute_type":
		args := p.arguments(function, 2)
		return hasType{p.asPath(function, args[0]), args[1]}
	case "begins_with":
		args := p.arguments(function, 2)
		return beginsWith{args[0], args[1]}
	case "contains":
		args := p.arguments(function, 2)
		p.distinct(function, args[0], args[1])
		return contains{args[0], args[1]}
	case "if_not_exists", "list_append":
		p.fail(expressionError("The function is not allowed in a condition expression; function: %s", function))
	default:
		p.fail(expressionError("Invalid function name; function: %s", function))
	}
	return nil
}

func (p *parser) comparison() condition {
	left := p.conditionOperand()
	switch op := p.next().text; op {
	case "=", "<>", "<", "<=", ">", ">=":
		p.pos++
		right := p.conditionOperand()
		p.distinct(op, left, right)
		return comparison{op, left, right}
	}
	switch {
	case p.take("BETWEEN"):
		low := p.conditionOperand()
		p.expect("AND")
		return between{left, low, p.conditionOperand()}
	case p.take("IN"):
		p.expect("(")
		among := list(p, (*parser).conditionOperand)
		p.expect(")")
		if len(among) > maxInOperands {
			p.fail(expressionError("The IN operator is provided with too many operands; number of operands: %d", len(among)))
		}
		return in{left, among}
	}
	p.unexpected()
	return nil
}

// conditionOperand reads an operand without the functions that only an update has.
func (p *parser) conditionOperand() operand {
	o := p.operand()
	switch o.(type) {
	case ifNotExists:
		p.fail(expressionError("The function is not allowed in a condition expression; function: if_not_exists"))
	case listAppend:
		p.fail(expressionError("The function is not allowed in a condition expression; function: list_append"))
	}
	return o
}

// distinct refuses a comparison of a path with itself.
func (p *parser) distinct(operator string, a, b operand) {
	x, ok := a.(path)
	y, both := b.(path)
	if ok && both && p.err == nil && slices.Equal(x, y) {
		p.fail(expressionError("The first operand must be distinct from the remaining operands for this operator or function; operator: %s, first operand: %s", operator, x))
	}
}

func (p path) String() string {
	parts := make([]string, len(p))
	for i, s := range p {
		parts[i] = s.name
		if s.isIndex {
			parts[i] = "[" + itoa(s.index) + "]"
		}
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// parseUpdate reads an update expression: each of its four sections at most once, in any order.
func parseUpdate(text string) (*parsed[*update], error) {
	return parse(text, func(p *parser) *update {
		u := &update{}
		seen := map[string]bool{}
		for p.next().text != "" {
			section := strings.ToUpper(p.next().text)
			if seen[section] {
				p.fail(expressionError("The \"%s\" section can only be used once in an update expression;", section))
			}
			seen[section] = true
			switch {
			case p.take("SET"):
				u.set = list(p, (*parser).assignment)
			case p.take("REMOVE"):
				u.remove = list(p, (*parser).path)
			case p.take("ADD"):
				u.add = list(p, (*parser).setChange)
			case p.take("DELETE"):
				u.delete = list(p, (*parser).setChange)
			default:
				p.unexpected()
			}
		}
		u.order()
		return u
	})
}

func (p *parser) assignment() assignment {
	at := p.path()
	p.expect("=")
	o := p.operand()
	if op := p.next().text; op == "+" || op == "-" {
		p.pos++
		p.operator()
		o = arithmetic{op, o, p.operand()}
	}
	return assignment{at, o}
}

func (p *parser) setChange() setChange { return setChange{p.path(), p.valueName()} }

// order sorts what depends on positions in lists: elements appended beyond a list's end come in
// the order of their indexes, and those removed go from the last to the first.
func (u *update) order() {
	slices.SortStableFunc(u.set, func(a, b assignment) int { return a.at.compare(b.at) })
	slices.SortStableFunc(u.remove, func(a, b path) int { return b.compare(a) })
}

func (p path) compare(q path) int {
	return slices.CompareFunc(p, q, func(a, b step) int {
		return cmp.Or(strings.Compare(a.name, b.name), cmp.Compare(a.index, b.index))
	})
}
