package xray

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"milepost/local/awsapi"
)

// A filter is a compiled filter expression. It looks at a whole trace (v.segments are all of it,
// v.roots where it began) or, inside service(…) { … }, at the segments of one service.
type filter func(v *view) bool

// view is what a filter looks at.
type view struct {
	trace    *trace
	segments []*Segment
	roots    []*Segment
}

func (t *trace) view() *view { return &view{t, t.segments, t.roots()} }

// parseFilter compiles a filter expression: service(…), edge(…), id(…), group, annotation, http, user, name,
// responsetime, duration and the words ok, error, fault, throttle and partial, joined by AND, OR and NOT. What else
// X-Ray knows is refused by name, and so is group if groups is nil.
func parseFilter(text string, groups groupFinder) (filter, error) {
	if strings.TrimSpace(text) == "" {
		return func(*view) bool { return true }, nil
	}
	tokens, err := scanFilter(text)
	if err != nil {
		return nil, err
	}
	p := &filterParser{tokens: tokens, groups: groups}
	f, err := p.or()
	if err != nil {
		return nil, err
	}
	return f, p.end()
}

func invalidFilter(format string, args ...any) error {
	return awsapi.Errorf("InvalidRequestException", "Invalid filter expression: "+format, args...)
}

type tokenKind int

const (
	endToken tokenKind = iota
	wordToken
	stringToken
	numberToken
	signToken
)

type token struct {
	kind tokenKind
	text string // of a string, without the quotes
}

func scanFilter(text string) ([]token, error) {
	const signs = "(){}[],:!"
	isWord := func(c byte) bool {
		return c == '_' || c == '.' || c == '-' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
	}
	var tokens []token
	for i := 0; i < len(text); {
		c := text[i]
		start := i
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
		case c == '"' || c == '\'':
			var s strings.Builder
			for i++; i < len(text) && text[i] != c; i++ {
				if text[i] == '\\' && i+1 < len(text) {
					i++
				}
				s.WriteByte(text[i])
			}
			if i == len(text) {
				return nil, invalidFilter("a quote is not closed")
			}
			i++
			tokens = append(tokens, token{stringToken, s.String()})
		case strings.IndexByte("=<>!", c) >= 0 && i+1 < len(text) && text[i+1] == '=':
			i += 2
			tokens = append(tokens, token{signToken, text[start:i]})
		case strings.HasPrefix(text[i:], "&&"), strings.HasPrefix(text[i:], "||"):
			i += 2
			tokens = append(tokens, token{signToken, text[start:i]})
		case strings.IndexByte(signs+"=<>", c) >= 0:
			i++
			tokens = append(tokens, token{signToken, text[start:i]})
		case isWord(c):
			for i < len(text) && isWord(text[i]) {
				i++
			}
			t := token{wordToken, text[start:i]}
			if _, err := strconv.ParseFloat(t.text, 64); err == nil && c != 'i' && c != 'I' && c != 'n' && c != 'N' {
				t.kind = numberToken
			}
			tokens = append(tokens, t)
		default:
			return nil, invalidFilter("%q is not expected", string(c))
		}
	}
	return tokens, nil
}

type filterParser struct {
	tokens []token
	depth  int
	groups groupFinder
}

// end refuses what is left.
func (p *filterParser) end() error {
	if t := p.peek(); t.kind != endToken {
		return invalidFilter("%q is not expected", t.text)
	}
	return nil
}

func (p *filterParser) peek() token {
	if len(p.tokens) == 0 {
		return token{kind: endToken, text: "the end"}
	}
	return p.tokens[0]
}

func (p *filterParser) next() token {
	t := p.peek()
	if len(p.tokens) > 0 {
		p.tokens = p.tokens[1:]
	}
	return t
}

// accept takes the next token when it is one of the given signs or, in any case, words.
func (p *filterParser) accept(texts ...string) bool {
	t := p.peek()
	if t.kind != signToken && t.kind != wordToken {
		return false
	}
	for _, text := range texts {
		if strings.EqualFold(t.text, text) {
			p.next()
			return true
		}
	}
	return false
}

func (p *filterParser) expect(text string) error {
	if !p.accept(text) {
		return invalidFilter("%q is expected before %q", text, p.peek().text)
	}
	return nil
}

func (p *filterParser) or() (filter, error) {
	left, err := p.and()
	for err == nil && p.accept("OR", "||") {
		l := left
		var r filter
		r, err = p.and()
		left = func(v *view) bool { return l(v) || r(v) }
	}
	return left, err
}

func (p *filterParser) and() (filter, error) {
	left, err := p.not()
	for err == nil && p.accept("AND", "&&") {
		l := left
		var r filter
		r, err = p.not()
		left = func(v *view) bool { return l(v) && r(v) }
	}
	return left, err
}

// maxNesting keeps an expression of nothing but parentheses from exhausting the stack.
const maxNesting = 100

func (p *filterParser) not() (filter, error) {
	if p.depth++; p.depth > maxNesting {
		return nil, invalidFilter("it is nested too deeply")
	}
	defer func() { p.depth-- }()
	switch {
	case p.accept("NOT", "!"):
		f, err := p.not()
		return func(v *view) bool { return !f(v) }, err
	case p.accept("("):
		f, err := p.or()
		if err != nil {
			return nil, err
		}
		return f, p.expect(")")
	default:
		return p.term()
	}
}

func (p *filterParser) term() (filter, error) {
	t := p.next()
	if t.kind != wordToken {
		return nil, invalidFilter("%q is not a keyword", t.text)
	}
	word := strings.ToLower(t.text)
	if key, ok := strings.CutPrefix(t.text, "annotation."); ok {
		return p.annotation(key)
	}
	switch word {
	case "annotation":
		if err := p.expect("["); err != nil {
			return nil, err
		}
		key := p.next()
		if key.kind != wordToken && key.kind != stringToken && key.kind != numberToken {
			return nil, invalidFilter("annotation needs a key")
		}
		if err := p.expect("]"); err != nil {
			return nil, err
		}
		return p.annotation(key.text)
	case "ok", "error", "fault", "throttle", "partial":
		return p.flag(word)
	case "responsetime":
		return p.number(word, func(v *view) []float64 { return durations(v.roots) })
	case "duration":
		return p.number(word, func(v *view) []float64 {
			start, end := (&trace{segments: v.segments}).bounds()
			return []float64{end - start}
		})
	case "http.status":
		return p.number(word, func(v *view) []float64 {
			return collect(v.segments, func(s *Segment) (float64, bool) {
				if s.HTTP == nil || s.HTTP.Response == nil {
					return 0, false
				}
				return float64(s.HTTP.Response.Status), true
			})
		})
	case "http.url":
		return p.request(word, func(r *HTTPRequest) string { return r.URL })
	case "http.method":
		return p.request(word, func(r *HTTPRequest) string { return r.Method })
	case "http.useragent":
		return p.request(word, func(r *HTTPRequest) string { return r.UserAgent })
	case "http.clientip":
		return p.request(word, func(r *HTTPRequest) string { return r.ClientIP })
	case "user":
		return p.text(word, func(v *view) []string { return texts(v.segments, func(s *Segment) string { return s.User }) })
	case "name":
		return p.text(word, func(v *view) []string { return texts(v.segments, func(s *Segment) string { return s.Name }) })
	case "service":
		return p.service()
	case "edge":
		return p.edge()
	case "group.name", "group.arn":
		return p.group(word)
	case "id":
		is, err := p.idArguments()
		return func(v *view) bool {
			return slices.ContainsFunc(v.segments, func(s *Segment) bool { return is(nodeOf(s)) })
		}, err
	default:
		return nil, awsapi.Unsupported(fmt.Sprintf("the filter keyword %q", t.text))
	}
}

// flag is a word that is used alone or is compared with true or false.
func (p *filterParser) flag(word string) (filter, error) {
	of := func(v *view) bool {
		switch word {
		case "error":
			return slices.ContainsFunc(v.roots, func(s *Segment) bool { return s.Error })
		case "fault":
			return slices.ContainsFunc(v.roots, func(s *Segment) bool { return s.Fault })
		case "throttle":
			return slices.ContainsFunc(v.roots, func(s *Segment) bool { return s.Throttle })
		case "partial":
			return slices.ContainsFunc(v.segments, func(s *Segment) bool { return s.InProgress })
		default:
			return !slices.ContainsFunc(v.roots, (*Segment).failed)
		}
	}
	want := true
	if op := p.operator(); op != "" {
		if op != "=" && op != "!=" {
			return nil, invalidFilter("%s cannot be compared by %s", word, op)
		}
		switch {
		case p.accept("true"):
		case p.accept("false"):
			want = false
		default:
			return nil, invalidFilter("%s is true or false, not %q", word, p.peek().text)
		}
		want = want == (op == "=")
	}
	return func(v *view) bool { return of(v) == want }, nil
}

// operator takes a comparison operator; "" when there is none.
func (p *filterParser) operator() string {
	for _, op := range []string{"=", "!=", "<", "<=", ">", ">=", "CONTAINS", "BEGINSWITH", "ENDSWITH"} {
		if p.accept(op) {
			return op
		}
	}
	return ""
}

// number compares the numbers that of finds; one that fits is enough. Without an operator it checks whether there is
// one at all.
func (p *filterParser) number(word string, of func(*view) []float64) (filter, error) {
	op := p.operator()
	if op == "" {
		return func(v *view) bool { return len(of(v)) > 0 }, nil
	}
	t := p.next()
	want, err := strconv.ParseFloat(t.text, 64)
	if t.kind != numberToken || err != nil {
		return nil, invalidFilter("%s is compared with a number, not %q", word, t.text)
	}
	fits := compareNumbers(op, want)
	if fits == nil {
		return nil, invalidFilter("%s cannot be compared by %s", word, op)
	}
	return func(v *view) bool { return slices.ContainsFunc(of(v), fits) }, nil
}

func compareNumbers(op string, want float64) func(float64) bool {
	switch op {
	case "=":
		return func(n float64) bool { return n == want }
	case "!=":
		return func(n float64) bool { return n != want }
	case "<":
		return func(n float64) bool { return n < want }
	case "<=":
		return func(n float64) bool { return n <= want }
	case ">":
		return func(n float64) bool { return n > want }
	case ">=":
		return func(n float64) bool { return n >= want }
	}
	return nil
}

// text compares the texts that of finds; one that fits is enough, but for != none may be equal.
func (p *filterParser) text(word string, of func(*view) []string) (filter, error) {
	op := p.operator()
	if op == "" {
		return func(v *view) bool { return len(of(v)) > 0 }, nil
	}
	t := p.next()
	if t.kind != stringToken {
		return nil, invalidFilter("%s is compared with a quoted string, not %q", word, t.text)
	}
	fits := compareTexts(op, t.text)
	if fits == nil {
		return nil, invalidFilter("%s cannot be compared by %s", word, op)
	}
	if op == "!=" {
		return func(v *view) bool { return !slices.Contains(of(v), t.text) }, nil
	}
	return func(v *view) bool { return slices.ContainsFunc(of(v), fits) }, nil
}

func compareTexts(op, want string) func(string) bool {
	switch op {
	case "=":
		return func(s string) bool { return s == want }
	case "!=":
		return func(s string) bool { return s != want }
	case "CONTAINS":
		return func(s string) bool { return strings.Contains(s, want) }
	case "BEGINSWITH":
		return func(s string) bool { return strings.HasPrefix(s, want) }
	case "ENDSWITH":
		return func(s string) bool { return strings.HasSuffix(s, want) }
	}
	return nil
}

func (p *filterParser) request(word string, of func(*HTTPRequest) string) (filter, error) {
	return p.text(word, func(v *view) []string {
		return texts(v.segments, func(s *Segment) string {
			if s.HTTP == nil || s.HTTP.Request == nil {
				return ""
			}
			return of(s.HTTP.Request)
		})
	})
}

// annotation compares an annotation of any segment or subsegment with a value of its own type.
func (p *filterParser) annotation(key string) (filter, error) {
	values := func(v *view, visit func(any) bool) (found bool) {
		for _, seg := range v.segments {
			seg.walk(func(part *Segment) {
				if value, ok := part.Annotations[key]; ok && visit(value) {
					found = true
				}
			})
		}
		return found
	}
	op := p.operator()
	if op == "" {
		return func(v *view) bool { return values(v, func(any) bool { return true }) }, nil
	}
	var fits func(any) bool
	switch t := p.next(); {
	case t.kind == numberToken:
		want, _ := strconv.ParseFloat(t.text, 64)
		if compare := compareNumbers(op, want); compare != nil {
			fits = func(value any) bool { n, ok := asNumber(value); return ok && compare(n) }
		}
	case t.kind == stringToken:
		if compare := compareTexts(op, t.text); compare != nil {
			fits = func(value any) bool { s, ok := value.(string); return ok && compare(s) }
		}
	case t.kind == wordToken && (t.text == "true" || t.text == "false"):
		if op == "=" || op == "!=" {
			want := (t.text == "true") == (op == "=")
			fits = func(value any) bool { b, ok := value.(bool); return ok && b == want }
		}
	default:
		return nil, invalidFilter("an annotation is compared with a quoted string, a number, true or false, not %q", t.text)
	}
	if fits == nil {
		return nil, invalidFilter("annotation %s cannot be compared by %s", key, op)
	}
	return func(v *view) bool { return values(v, fits) }, nil
}

func asNumber(value any) (float64, bool) {
	switch n := value.(type) {
	case float64:
		return n, true
	case float32:
		return float64(n), true
	case int:
		return float64(n), true
	case int64:
		return float64(n), true
	case uint:
		return float64(n), true
	}
	return 0, false
}

// service is service("name"), service(id(…)) or service(), perhaps followed by { expression },
// which then looks at that service's segments alone.
func (p *filterParser) service() (filter, error) {
	is, err := p.serviceArguments()
	if err != nil {
		return nil, err
	}
	inner, err := p.braces()
	if err != nil {
		return nil, err
	}
	return func(v *view) bool {
		var own []*Segment
		for _, s := range v.segments {
			s.walk(func(part *Segment) {
				// A subsegment of a call represents the called service.
				if (part == s && s.Type != "subsegment" || part.Namespace != "") && is(nodeOf(part)) {
					own = append(own, part)
				}
			})
		}
		return inner(&view{v.trace, own, own})
	}, nil
}

// edge is edge(caller, callee), of which each is "name" or id(…), perhaps followed by { expression }, which then looks
// at the calls between the two alone. They are named as in the service graph.
func (p *filterParser) edge() (filter, error) {
	is, err := p.edgeArguments()
	if err != nil {
		return nil, err
	}
	inner, err := p.braces()
	if err != nil {
		return nil, err
	}
	return func(v *view) bool {
		var own []*Segment
		v.trace.calls(func(c call) {
			if is(c) {
				own = append(own, c.part)
			}
		})
		return inner(&view{v.trace, own, own})
	}, nil
}

// braces is { expression } or nothing; neither accepts a view without segments.
func (p *filterParser) braces() (filter, error) {
	if !p.accept("{") {
		return func(v *view) bool { return len(v.segments) > 0 }, nil
	}
	f, err := p.or()
	if err != nil {
		return nil, err
	}
	return func(v *view) bool { return len(v.segments) > 0 && f(v) }, p.expect("}")
}

// serviceArguments is ("name"), (id(…)) or (), which is any service.
func (p *filterParser) serviceArguments() (func(node) bool, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	if p.accept(")") {
		return func(node) bool { return true }, nil
	}
	is, err := p.named()
	if err != nil {
		return nil, err
	}
	return is, p.expect(")")
}

// edgeArguments is (caller, callee).
func (p *filterParser) edgeArguments() (func(call) bool, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	from, err := p.named()
	if err != nil {
		return nil, err
	}
	if err := p.expect(","); err != nil {
		return nil, err
	}
	to, err := p.named()
	if err != nil {
		return nil, err
	}
	return func(c call) bool { return from(c.from) && to(c.to) }, p.expect(")")
}

// named is "name" or id(…).
func (p *filterParser) named() (func(node) bool, error) {
	if p.accept("id") {
		return p.idArguments()
	}
	t := p.next()
	if t.kind != stringToken {
		return nil, invalidFilter("a service is a quoted string or id(…), not %q", t.text)
	}
	return func(n node) bool { return n.name == t.text }, nil
}

// group is group.name or group.arn, which a trace has if the group's own expression accepts it.
func (p *filterParser) group(word string) (filter, error) {
	if p.groups == nil {
		return nil, awsapi.Unsupported(fmt.Sprintf("the filter keyword %q in the expression of a group", word))
	}
	if err := p.expect("="); err != nil {
		return nil, err
	}
	t := p.next()
	if t.kind != stringToken {
		return nil, invalidFilter("%s is compared with a quoted string, not %q", word, t.text)
	}
	if word == "group.arn" {
		return p.groups("", t.text)
	}
	return p.groups(t.text, "")
}

// idArguments is what follows id: (name: "…", type: "…", account.id: "…"), each of them optional.
func (p *filterParser) idArguments() (func(node) bool, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	var tests []func(node) bool
	for !p.accept(")") {
		if len(tests) > 0 {
			if err := p.expect(","); err != nil {
				return nil, err
			}
		}
		key := p.next()
		if err := p.expect(":"); err != nil {
			return nil, err
		}
		value := p.next()
		if value.kind != stringToken {
			return nil, invalidFilter("id needs quoted strings, not %q", value.text)
		}
		switch strings.ToLower(key.text) {
		case "name":
			tests = append(tests, func(n node) bool { return n.name == value.text })
		case "type":
			tests = append(tests, func(n node) bool { return n.kind == value.text })
		case "account.id":
			tests = append(tests, func(node) bool { return value.text == awsapi.Account })
		default:
			return nil, invalidFilter("id has no argument %q", key.text)
		}
	}
	return func(n node) bool {
		return !slices.ContainsFunc(tests, func(test func(node) bool) bool { return !test(n) })
	}, nil
}

func durations(segments []*Segment) []float64 {
	return collect(segments, func(s *Segment) (float64, bool) { return s.duration(), true })
}

func texts(segments []*Segment, of func(*Segment) string) []string {
	return collect(segments, func(s *Segment) (string, bool) { text := of(s); return text, text != "" })
}

func collect[T any](segments []*Segment, of func(*Segment) (T, bool)) []T {
	var all []T
	for _, s := range segments {
		if v, ok := of(s); ok {
			all = append(all, v)
		}
	}
	return all
}
