package asl

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// maxNesting is how deep intrinsic functions may be nested.
const maxNesting = 10

// call is a compiled call of an intrinsic function.
type call struct {
	text     string
	function function
	args     []Expression
}

func (c *call) String() string { return c.text }

func (c *call) Eval(env *Env, field string) (any, error) {
	args := make([]any, len(c.args))
	for i, arg := range c.args {
		var err error
		if args[i], err = arg.Eval(env, field); err != nil {
			return nil, err
		}
	}
	v, err := c.function.apply(args)
	if err != nil {
		return nil, failure(ErrIntrinsic, "The function '%s' had the following error: %v", c.text, err)
	}
	return v, nil
}

// literal is an argument that is written in the call itself.
type literal struct {
	value any
	text  string
}

func (l literal) Eval(*Env, string) (any, error) { return l.value, nil }
func (l literal) String() string                 { return l.text }

// template is a literal text with its escapes still in place: Format must distinguish an escaped brace from a
// placeholder.
type template string

func parseCall(text string) (Expression, error) {
	p := &callParser{text: text}
	e, err := p.call(1)
	if err != nil {
		return nil, err
	}
	if p.at != len(text) {
		return nil, fmt.Errorf("unexpected %q", text[p.at:])
	}
	return e, nil
}

type callParser struct {
	text string
	at   int
}

func (p *callParser) spaces() {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
}

// take consumes c if it comes next.
func (p *callParser) take(c byte) bool {
	p.spaces()
	if p.at < len(p.text) && p.text[p.at] == c {
		p.at++
		return true
	}
	return false
}

func (p *callParser) call(depth int) (Expression, error) {
	if depth > maxNesting {
		return nil, fmt.Errorf("functions are nested deeper than %d", maxNesting)
	}
	begin := p.at
	n := strings.IndexByte(p.text[p.at:], '(')
	if n < 0 {
		return nil, errors.New("not a function call")
	}
	name := p.text[p.at : p.at+n]
	f, ok := functions[name]
	if !ok {
		return nil, fmt.Errorf("there is no function %q", name)
	}
	p.at += n + 1
	c := &call{function: f}
	if !p.take(')') {
		for {
			arg, err := p.argument(depth)
			if err != nil {
				return nil, err
			}
			c.args = append(c.args, arg)
			if p.take(')') {
				break
			}
			if !p.take(',') {
				return nil, errors.New("a call is not closed")
			}
		}
	}
	if len(c.args) < f.least || f.most >= 0 && len(c.args) > f.most {
		return nil, fmt.Errorf("%s does not take %d arguments", name, len(c.args))
	}
	c.text = p.text[begin:p.at]
	return c, nil
}

func (p *callParser) argument(depth int) (Expression, error) {
	p.spaces()
	rest := p.text[p.at:]
	switch {
	case strings.HasPrefix(rest, "'"):
		return p.quoted()
	case strings.HasPrefix(rest, "States."):
		return p.call(depth + 1)
	case strings.HasPrefix(rest, "$"):
		n := pathLength(rest)
		p.at += n
		return ParsePath(strings.TrimSpace(rest[:n]))
	}
	n := strings.IndexAny(rest, ",)")
	if n < 0 {
		return nil, errors.New("a call is not closed")
	}
	text := strings.TrimSpace(rest[:n])
	v, err := Decode(text)
	if err != nil {
		return nil, fmt.Errorf("%q is no argument", text)
	}
	switch v.(type) {
	case nil, bool, json.Number:
	default:
		return nil, fmt.Errorf("%q is no argument", text)
	}
	p.at += n
	return literal{v, text}, nil
}

// pathLength is where a path ends that is an argument: before a comma or a closing parenthesis
// that is not inside brackets.
func pathLength(s string) int {
	depth, quote := 0, byte(0)
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quote != 0 && c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case depth > 0 && (c == '\'' || c == '"'):
			quote = c
		case c == '[':
			depth++
		case c == ']':
			depth--
		case depth == 0 && (c == ',' || c == ')'):
			return i
		}
	}
	return len(s)
}

// quoted reads 'text'. Only a quote, a brace and the backslash itself can be escaped.
func (p *callParser) quoted() (Expression, error) {
	begin := p.at
	for i := p.at + 1; i < len(p.text); i++ {
		switch p.text[i] {
		case '\\':
			i++
			if i == len(p.text) || strings.IndexByte(`'{}\`, p.text[i]) < 0 {
				return nil, errors.New("a text has an escape that is not allowed")
			}
		case '\'':
			p.at = i + 1
			return literal{template(p.text[begin+1 : i]), p.text[begin:p.at]}, nil
		}
	}
	return nil, errors.New("a text is not closed")
}

// plain is the text without its escapes.
func (t template) plain() string {
	if strings.IndexByte(string(t), '\\') < 0 {
		return string(t)
	}
	var b strings.Builder
	for i := 0; i < len(t); i++ {
		if t[i] == '\\' {
			i++
		}
		b.WriteByte(t[i])
	}
	return b.String()
}
