package dynamodb

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"milepost/local/awsapi"
)

// The limits of an expression: its length in bytes, its operators and functions, the operands of
// IN, and the steps of a path.
const (
	maxExpression = 4096
	maxOperators  = 300
	maxInOperands = 100
	maxPathDepth  = 32
)

// parsed is an expression in the form that runs, with the names (#n), the values (:v) and the
// paths that it uses: the first steps of all, and of those that have more. It holds nothing of a
// request, so that one serves every request with the same text.
type parsed[T any] struct {
	node   T
	names  []string
	values []string
	roots  []string
	nested []string
	deep   error // of a path with too many steps; AWS reports undefined names and values first
}

// parser reads one expression by recursive descent. A syntax error ends it. The first other fault is kept in fault,
// because AWS reports a syntax error first, wherever it is.
type parser struct {
	text      string
	tokens    []token
	pos       int
	inUpdate  bool
	operators int
	names     []string
	values    []string
	roots     []string
	nested    []string
	deep      error
	err       error
	fault     error
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
	case text == "":
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
	if err := cmp.Or(p.err, p.fault); err != nil {
		return nil, err
	}
	return &parsed[T]{node, p.names, p.values, p.roots, p.nested, p.deep}, nil
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

// wrong keeps what is wrong other than the syntax.
func (p *parser) wrong(format string, args ...any) {
	if p.err == nil && p.fault == nil {
		p.fault = expressionError(format, args...)
	}
}

// unexpected says that the next token is not allowed in its place.
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
		p.wrong("The expression contains too many operators; operator count: %d", p.operators)
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
	for p.err == nil {
		switch {
		case p.take("."):
			steps = append(steps, p.name())
			continue
		case p.take("["):
			steps = append(steps, p.index())
			p.expect("]")
			continue
		}
		break
	}
	if len(steps) > maxPathDepth {
		p.deep = expressionError("The document path has too many nesting levels; nesting levels: %d", len(steps))
	}
	p.roots = append(p.roots, steps[0].name)
	if len(steps) > 1 {
		p.nested = append(p.nested, steps[0].name)
	}
	return steps
}

func (p *parser) index() step {
	t := p.next()
	if !t.isNumber() {
		p.unexpected()
		return step{isIndex: true}
	}
	p.pos++
	n, err := strconv.ParseInt(t.text, 10, 32)
	if err != nil {
		p.wrong("List index is not within the allowable range; index: [%s]", t.text)
	}
	return step{index: int(n), isIndex: true}
}

func (p *parser) name() step {
	t := p.next()
	switch {
	case t.isName():
		if !slices.Contains(p.names, t.text) {
			p.names = append(p.names, t.text)
		}
	case !t.isWord() || t.isKeyword():
		p.unexpected()
		return step{}
	case isReserved(t.text):
		p.wrong("Attribute name is a reserved keyword; reserved keyword: %s", t.text)
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

// isCall reports whether a function call comes next.
func (p *parser) isCall() bool { return p.next().isWord() && p.following().text == "(" }

// call is a function with its arguments, as written.
type call struct {
	function string
	args     []operand
}

func (p *parser) call() call {
	p.operator()
	function := p.next().text
	p.pos++
	p.expect("(")
	args := list(p, (*parser).operand)
	p.expect(")")
	return call{function, args}
}

// arguments reads exactly the arguments that the function must have.
func (p *parser) arguments(c call, count int) []operand {
	if len(c.args) != count {
		p.wrong("Incorrect number of operands for operator or function; operator or function: %s, number of operands: %d", c.function, len(c.args))
	}
	for len(c.args) < count {
		c.args = append(c.args, valueRef(""))
	}
	return c.args
}

// asPath is an argument that has to be a document path.
func (p *parser) asPath(function string, o operand) path {
	at, ok := o.(path)
	if !ok {
		p.wrong("Operator or function requires a document path; operator or function: %s", function)
		return path{{}}
	}
	return at
}

// operand reads a path, a value, a function that returns a value, or one of them in parentheses.
func (p *parser) operand() operand {
	switch {
	case p.next().text == "(":
		return parenthesised(p, (*parser).operand)
	case p.next().isValue():
		return p.valueName()
	case p.isCall():
		return p.valueOf(p.call())
	}
	return p.path()
}

// parenthesised reads what is in parentheses.
func parenthesised[T any](p *parser, read func(*parser) T) T {
	p.expect("(")
	if p.next().text == "(" && p.closes(p.pos) == p.closes(p.pos-1)-1 {
		p.wrong("The expression has redundant parentheses;")
	}
	inner := read(p)
	p.expect(")")
	return inner
}

// The functions that are true or false, and those of an update alone.
var (
	predicates      = []string{"attribute_exists", "attribute_not_exists", "attribute_type", "begins_with", "contains"}
	updateFunctions = []string{"if_not_exists", "list_append"}
)

// valueOf is a function call in the place of a value.
func (p *parser) valueOf(c call) operand {
	isPredicate, ofUpdate := slices.Contains(predicates, c.function), slices.Contains(updateFunctions, c.function)
	switch {
	case p.inUpdate && (isPredicate || c.function == "size"):
		p.wrong("The function is not allowed in an update expression; function: %s", c.function)
	case !p.inUpdate && ofUpdate:
		p.wrong("The function is not allowed in a condition expression; function: %s", c.function)
	case isPredicate:
		p.wrong("The function is not allowed to be used this way in an expression; function: %s", c.function)
	case c.function == "size":
		return sizeOf{p.arguments(c, 1)[0]}
	case c.function == "if_not_exists":
		args := p.arguments(c, 2)
		return ifNotExists{p.asPath(c.function, args[0]), args[1]}
	case c.function == "list_append":
		args := p.arguments(c, 2)
		return listAppend{args[0], args[1]}
	default:
		p.wrong("Invalid function name; function: %s", c.function)
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
	p.operator()
	switch {
	case p.next().text == "(" && !p.isOperator(p.closes(p.pos)+1):
		return parenthesised(p, (*parser).condition)
	case p.isCall() && !p.isOperator(p.closes(p.pos+1)+1):
		return p.predicate(p.call())
	}
	return p.comparison()
}

// isOperator reports whether the token at this position compares two operands.
func (p *parser) isOperator(pos int) bool {
	switch t := p.tokens[min(pos, len(p.tokens)-1)]; t.text {
	case "=", "<>", "<", "<=", ">", ">=":
		return true
	default:
		return t.is("BETWEEN") || t.is("IN")
	}
}

// closes is the position of the parenthesis that closes the one at position open, or of the end.
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
	return len(p.tokens) - 1
}

// predicate is a function call in the place of a condition.
func (p *parser) predicate(c call) condition {
	switch {
	case c.function == "attribute_exists":
		return exists{p.asPath(c.function, p.arguments(c, 1)[0])}
	case c.function == "attribute_not_exists":
		return not{exists{p.asPath(c.function, p.arguments(c, 1)[0])}}
	case c.function == "attribute_type":
		args := p.arguments(c, 2)
		return hasType{args[0], args[1]}
	case c.function == "begins_with":
		args := p.arguments(c, 2)
		return beginsWith{args[0], args[1]}
	case c.function == "contains":
		args := p.arguments(c, 2)
		return contains{args[0], args[1]}
	case c.function == "size":
		p.wrong("The function is not allowed to be used this way in an expression; function: %s", c.function)
	case slices.Contains(updateFunctions, c.function):
		p.wrong("The function is not allowed in a condition expression; function: %s", c.function)
	default:
		p.wrong("Invalid function name; function: %s", c.function)
	}
	return nil
}

func (p *parser) comparison() condition {
	left := p.operand()
	switch op := p.next().text; op {
	case "=", "<>", "<", "<=", ">", ">=":
		p.pos++
		return comparison{op, left, p.operand()}
	}
	switch {
	case p.take("BETWEEN"):
		low := p.operand()
		p.expect("AND")
		return between{left, low, p.operand()}
	case p.take("IN"):
		p.expect("(")
		among := list(p, (*parser).operand)
		p.expect(")")
		if len(among) > maxInOperands {
			p.wrong("The IN operator is provided with too many operands; number of operands: %d", len(among))
		}
		return in{left, among}
	}
	p.unexpected()
	return nil
}

func (p path) String() string {
	parts := make([]string, len(p))
	for i, s := range p {
		parts[i] = s.name
		if s.isIndex {
			parts[i] = "[" + strconv.Itoa(s.index) + "]"
		}
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// parseUpdate reads an update expression: each of its four sections at most once, in any order.
func parseUpdate(text string) (*parsed[*update], error) {
	return parse(text, func(p *parser) *update {
		u := &update{}
		p.inUpdate = true
		seen := map[string]bool{}
		for first := true; first || p.next().text != ""; first = false {
			section := strings.ToUpper(p.next().text)
			if seen[section] {
				p.wrong("The \"%s\" section can only be used once in an update expression;", section)
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
	return assignment{at, p.assigned()}
}

// assigned reads an operand, or the sum or difference of two; that may be in parentheses too.
func (p *parser) assigned() operand {
	if p.next().text == "(" {
		if after := p.tokens[min(p.closes(p.pos)+1, len(p.tokens)-1)].text; after != "+" && after != "-" {
			return parenthesised(p, (*parser).assigned)
		}
	}
	o := p.operand()
	if op := p.next().text; op == "+" || op == "-" {
		p.pos++
		p.operator()
		return arithmetic{op, o, p.operand()}
	}
	return o
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
