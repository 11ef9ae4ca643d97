package dynamodb

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"
	"sync"
	"unicode/utf8"

	"milepost/local/awsapi"
)

// maxDepth is how many levels of lists and maps an attribute may have.
const maxDepth = 32

// decoder reads one JSON text. It stops at the first error, which it keeps in err: after that all
// its methods return zero values at once, so that callers look at err only when they are done.
//
// The strings that it gives are parts of the text where possible. Reading an item this way takes a
// fraction of what encoding/json needs.
type decoder struct {
	text  string
	pos   int
	depth int
	stack attributes // of the objects that are being read
	err   error
}

// decoders keeps the stacks of decoders that are done.
var decoders = sync.Pool{New: func() any { return new(decoder) }}

// decode reads a request body with read.
func decode(body []byte, read func(d *decoder)) error {
	d := decoders.Get().(*decoder)
	*d = decoder{text: string(body), stack: d.stack[:0]}
	read(d)
	if d.err == nil && d.peek() != 0 {
		d.malformed("the end of the text")
	}
	err := d.err
	clear(d.stack[:cap(d.stack)]) // what it held belongs to items now
	decoders.Put(d)
	return err
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

func (d *decoder) malformed(want string) {
	d.fail(awsapi.Errorf("SerializationException", "malformed JSON at byte %d: want %s", d.pos, want))
}

// peek skips white space and gives the byte that follows it; 0 at the end of the text.
func (d *decoder) peek() byte {
	for ; d.pos < len(d.text); d.pos++ {
		switch c := d.text[d.pos]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// take consumes c if it comes next.
func (d *decoder) take(c byte) bool {
	if d.err != nil || d.peek() != c {
		return false
	}
	d.pos++
	return true
}

func (d *decoder) expect(c byte) {
	if !d.take(c) && d.err == nil {
		d.malformed(strconv.QuoteRune(rune(c)))
	}
}

func (d *decoder) word(w string) bool {
	d.peek()
	if d.err != nil || len(d.text)-d.pos < len(w) || d.text[d.pos:d.pos+len(w)] != w {
		return false
	}
	d.pos += len(w)
	return true
}

// object reads an object and calls member at the value of each member that is not null.
func (d *decoder) object(member func(name string)) {
	d.expect('{')
	if d.take('}') {
		return
	}
	for d.err == nil {
		name := d.string()
		d.expect(':')
		if !d.word("null") {
			member(name)
		}
		if !d.take(',') {
			d.expect('}')
			return
		}
	}
}

// array reads an array and calls element at each of its elements.
func (d *decoder) array(element func()) {
	d.expect('[')
	if d.take(']') {
		return
	}
	for d.err == nil {
		element()
		if !d.take(',') {
			d.expect(']')
			return
		}
	}
}

func (d *decoder) string() string {
	if d.expect('"'); d.err != nil {
		return ""
	}
	start, plain := d.pos, true
	for ; d.pos < len(d.text); d.pos++ {
		switch c := d.text[d.pos]; {
		case c == '"':
			s := d.text[start:d.pos]
			d.pos++
			if plain || utf8.ValidString(s) && !hasEscape(s) {
				return s
			}
			return d.unescape(d.text[start-1 : d.pos])
		case c == '\\':
			plain = false
			d.pos++
		case c < ' ':
			d.malformed("no control character in a string")
			return ""
		case c >= utf8.RuneSelf:
			plain = false
		}
	}
	d.malformed("the end of a string")
	return ""
}

func hasEscape(s string) bool {
	for i := range len(s) {
		if s[i] == '\\' {
			return true
		}
	}
	return false
}

func (d *decoder) unescape(quoted string) string {
	var s string
	if err := json.Unmarshal([]byte(quoted), &s); err != nil {
		d.fail(awsapi.Errorf("SerializationException", "malformed JSON at byte %d: %v", d.pos, err))
	}
	return s
}

func (d *decoder) bool() bool {
	switch {
	case d.word("true"):
		return true
	case d.word("false"):
	default:
		d.malformed("true or false")
	}
	return false
}

func (d *decoder) integer() int {
	d.peek()
	start := d.pos
	for d.pos < len(d.text) && (d.text[d.pos] == '-' || d.text[d.pos]-'0' <= 9) {
		d.pos++
	}
	n, err := strconv.Atoi(d.text[start:d.pos])
	if err != nil {
		d.malformed("an integer")
	}
	return n
}

// attributes reads an item, a key, a map or the values of an expression.
func (d *decoder) attributes() attributes {
	base := len(d.stack)
	d.object(func(name string) {
		v := d.value()
		d.stack = append(d.stack, attribute{name, v})
	})
	a := append(make(attributes, 0, len(d.stack)-base), d.stack[base:]...)
	d.stack = d.stack[:base]
	sortAttributes(a)
	for i := 1; i < len(a); i++ {
		if a[i].name == a[i-1].name {
			d.fail(awsapi.Errorf("SerializationException", "the member %q stands twice in an object", a[i].name))
		}
	}
	return a
}

// value reads an attribute value such as {"S":"text"}.
func (d *decoder) value() value {
	var v value
	d.object(func(name string) {
		if v.kind != 0 {
			d.fail(validationf("Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"))
			return
		}
		d.content(name, &v)
	})
	if v.kind == 0 {
		d.fail(validationf("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"))
	}
	return v
}

func (d *decoder) content(typeName string, v *value) {
	v.kind = kindNamed(typeName)
	switch v.kind {
	case kindS, kindN, kindB:
		v.text = d.scalar(v.kind)
	case kindBool:
		v.flag = d.bool()
	case kindNull:
		if !d.bool() {
			d.fail(validationf("One or more parameter values were invalid: Null attribute value types must have the value of true"))
		}
	case kindL:
		d.nested(func() { d.array(func() { v.list = append(v.list, d.value()) }) })
	case kindM:
		d.nested(func() { v.fields = d.attributes() })
	case kindSS, kindNS, kindBS:
		*v = d.set(v.kind)
	default:
		d.fail(awsapi.Unsupported("the attribute type " + strconv.Quote(typeName)))
	}
}

func (d *decoder) nested(read func()) {
	if d.depth++; d.depth > maxDepth {
		d.fail(errNesting())
	}
	read()
	d.depth--
}

// scalar reads the text of an S, N or B.
func (d *decoder) scalar(k kind) string {
	s := d.string()
	switch {
	case d.err != nil:
	case k == kindN:
		n, err := canonicalNumber(s)
		if err != nil {
			d.fail(err)
		}
		return n
	case k == kindB:
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			d.fail(awsapi.Errorf("SerializationException", "Base64 encoded binary: %v", err))
		}
		return string(b)
	}
	return s
}

var emptySet = map[kind]string{
	kindSS: "One or more parameter values were invalid: An string set  may not be empty",
	kindNS: "One or more parameter values were invalid: An number set  may not be empty",
	kindBS: "One or more parameter values were invalid: Binary sets should not be empty",
}

func (d *decoder) set(k kind) value {
	var members []value
	d.array(func() { members = append(members, value{kind: k.element(), text: d.scalar(k.element())}) })
	if d.err != nil {
		return value{}
	}
	if len(members) == 0 {
		d.fail(validationf("%s", emptySet[k]))
	}
	given := slices.Clone(members)
	v, distinct := newSet(k, members)
	switch {
	case distinct:
	case k == kindNS:
		d.fail(validationf("Input collection contains duplicates"))
	default:
		d.fail(validationf("One or more parameter values were invalid: Input collection %s contains duplicates.", listed(given)))
	}
	return v
}
