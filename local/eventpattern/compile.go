package eventpattern

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
)

// SyntaxError says why a text is not an event pattern.
type SyntaxError struct {
	// Reason is in AWS's words, without the position that AWS adds on a second line.
	Reason string
}

func (e *SyntaxError) Error() string { return "Event pattern is not valid. Reason: " + e.Reason }

// maxAlternatives bounds what the "$or"s of one pattern may multiply out to.
const maxAlternatives = 1000

// Compile reads an event pattern. The error for a text that is not one is a *SyntaxError.
func Compile(text []byte) (p *Pattern, err error) {
	c := compiler{dec: json.NewDecoder(bytes.NewReader(text))}
	c.dec.UseNumber()
	defer func() {
		if r := recover(); r != nil {
			syntax, ok := r.(*SyntaxError)
			if !ok {
				panic(r)
			}
			err = syntax
		}
	}()
	if c.next() != json.Delim('{') {
		fail("Filter is not an object")
	}
	alternatives := c.object([]fields{{}}, "", false)
	if _, err := c.dec.Token(); !errors.Is(err, io.EOF) {
		fail("Unexpected text after the pattern")
	}
	p = &Pattern{}
	for _, a := range alternatives {
		p.alternatives = append(p.alternatives, a.conjunction())
	}
	return p, nil
}

// compiler reads a pattern token by token, since the first fault in the text is the one to report.
// A fault is a panic with a *SyntaxError.
type compiler struct {
	dec *json.Decoder
}

// fields are the conditions of one alternative by path.
type fields map[string]condition

func (f fields) conjunction() conjunction {
	c := make(conjunction, 0, len(f))
	for _, path := range slices.Sorted(maps.Keys(f)) {
		c = append(c, f[path])
	}
	return c
}

func fail(format string, args ...any) {
	panic(&SyntaxError{fmt.Sprintf(format, args...)})
}

func (c *compiler) next() json.Token {
	t, err := c.dec.Token()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		fail("%v", err)
	}
	return t
}

// object adds everything up to the closing brace to each of the alternatives. Of two conditions on one path the later
// counts.
func (c *compiler) object(alternatives []fields, path string, inOr bool) []fields {
	empty := true
	for {
		name, more := c.next().(string)
		if !more {
			break
		}
		empty = false
		if name == "$or" {
			alternatives = c.or(alternatives, path)
			continue
		}
		if inOr && reservedInOr[name] {
			fail("%s is Ruler reserved fieldName which cannot be used inside $or.", name)
		}
		inner := name
		if path != "" {
			inner = path + "." + name
		}
		switch c.next() {
		case json.Delim('{'):
			alternatives = c.object(alternatives, inner, inOr)
		case json.Delim('['):
			cond := c.condition(inner)
			for _, a := range alternatives {
				a[inner] = cond
			}
		default:
			fail("%q must be an object or an array", name)
		}
	}
	if empty {
		fail("Empty objects are not allowed")
	}
	return alternatives
}

// or multiplies the alternatives by the objects of a "$or".
func (c *compiler) or(alternatives []fields, path string) []fields {
	if c.next() != json.Delim('[') {
		fail("It must be an Array followed with $or.")
	}
	var all []fields
	count := 0
	for {
		t := c.next()
		if t == json.Delim(']') {
			break
		}
		if t != json.Delim('{') {
			fail("Only JSON object is allowed in array of $or relationship.")
		}
		count++
		forked := make([]fields, len(alternatives))
		for i, a := range alternatives {
			forked[i] = maps.Clone(a)
		}
		all = append(all, c.object(forked, path, true)...)
		if len(all) > maxAlternatives {
			fail("Rule is too complex - $or makes more than %d combinations", maxAlternatives)
		}
	}
	if count < 2 {
		fail("There must have at least 2 Objects in $or relationship.")
	}
	return all
}

// condition reads the tests of a field up to the closing bracket.
func (c *compiler) condition(path string) condition {
	cond := condition{path: path}
	for {
		switch t := c.next().(type) {
		case json.Delim:
			switch t {
			case ']':
				if len(cond.tests) == 0 && !cond.absent {
					fail("Empty arrays are not allowed")
				}
				return cond
			case '{':
				if t := c.operator(); t != nil {
					cond.tests = append(cond.tests, t)
				} else {
					cond.absent = true
				}
			default:
				fail("Match value must be String, number, true, false, or null")
			}
		case string:
			cond.tests = append(cond.tests, equals(t))
		case json.Number:
			n, _ := t.Float64() // a number beyond float64 is compared by its spelling
			cond.tests = append(cond.tests, equalsNumber{t.String(), n})
		default:
			cond.tests = append(cond.tests, literal(t))
		}
	}
}

// equals makes the test for a string. An IP address matches however the event spells it.
func equals(text string) test {
	if a, ok := parseAddress(text); ok {
		return addressRange{a, a}
	}
	return equalsString(text)
}

func literal(t json.Token) test {
	if t == nil {
		return equalsLiteral("null")
	}
	return equalsLiteral(fmt.Sprint(t))
}

// reservedInOr are names that an object within "$or" may not have as fields: the operators of
// today and those kept for later.
var reservedInOr = map[string]bool{
	"exactly": true, "equals-ignore-case": true, "prefix": true, "suffix": true, "anything-but": true,
	"exists": true, "wildcard": true, "numeric": true, "cidr": true,
	"=": true, "<": true, "<=": true, ">": true, ">=": true,
	"regex": true, "not-wildcard": true, "not-equals-ignore-case": true,
	"date-after": true, "date-on-or-after": true, "date-before": true, "date-on-or-before": true, "in-date-range": true,
	"ip-address-in-range": true, "ip-address-not-in-range": true,
}
