package dynamodb

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"
	"sync"
	"unicode/utf8"

	"milepost/local/awsapi"
)

// maxDepth is how many levels of lists and maps an attribute may have; the item itself is one more.
// readDepth is how many are read.
const (
	maxDepth  = 31
	readDepth = 500
)

// maxName is the size of the longest name of an attribute, in bytes.
const maxName = 65535

// decoder reads one JSON text. It stops at the first error, which it keeps in err: after that all its methods return
// zero values at once, so that callers look at err only when they are done. What is well-formed but wrong is kept
// separately, the first of each sort, because AWS reports it in another order than that of the text: violation is of a
// constraint in the API's model, and fault is in an attribute value.
//
// The strings that it returns are parts of the text where possible. Reading an item this way takes a fraction of what
// encoding/json needs.
type decoder struct {
	text  string
	pos   int
	depth int
	stack attributes // of the objects that are being read
	err   error

	violation error
	fault     error
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
	err := cmp.Or(d.err, d.violation, d.fault)
	clear(d.stack[:cap(d.stack)]) // what it held belongs to items now
	decoders.Put(d)
	return err
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

// violates keeps that a constraint of the API's model does not hold.
func (d *decoder) violates(err error) { d.violation = cmp.Or(d.violation, err) }

// invalid records a fault in an attribute value, and takeFault returns it to be reported.
func (d *decoder) invalid(err error) { d.fault = cmp.Or(d.fault, err) }

func (d *decoder) takeFault() error {
	err := d.fault
	d.fault = nil
	return err
}

func (d *decoder) malformed(want string) {
	d.fail(awsapi.Errorf("SerializationException", "malformed JSON at byte %d: want %s", d.pos, want))
}

// peek skips white space and returns the byte that follows it; 0 at the end of the text.
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

// attributes reads an item, a key or a map.
func (d *decoder) attributes() attributes {
	return d.named(func(name string) {
		switch {
		case name == "":
			d.invalid(validationf("Empty attribute name"))
		case len(name) > maxName:
			d.invalid(validationf("Attribute name is too large, must be less than %d bytes", maxName+1))
		}
	})
}

// named reads an object of attribute values and calls each after every one.
func (d *decoder) named(each func(name string)) attributes {
	base := len(d.stack)
	d.object(func(name string) {
		v := d.value()
		d.stack = append(d.stack, attribute{name, v})
		each(name)
	})
	a := append(make(attributes, 0, len(d.stack)-base), d.stack[base:]...)
	d.stack = d.stack[:base]
	sortAttributes(a)
	for i := 1; i < len(a); i++ {
		if a[i].name == a[i-1].name {
			d.fail(awsapi.Errorf("SerializationException", "an object has the member %q twice", a[i].name))
		}
	}
	return a
}

// value reads an attribute value such as {"S":"text"}.
func (d *decoder) value() value {
	var v value
	types := 0
	d.object(func(name string) {
		types++
		d.content(name, &v)
	})
	switch types {
	case 0:
		d.invalid(validationf("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"))
	case 1:
	default:
		d.invalid(validationf("Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"))
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
			d.invalid(validationf("One or more parameter values were invalid: Null attribute value types must have the value of true"))
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
	switch d.depth++; {
	case d.depth > readDepth:
		d.fail(errNesting())
	case d.depth > maxDepth:
		d.invalid(errNesting())
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
			d.invalid(err)
			return "0" // never seen: the fault is reported before
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
		d.invalid(validationf("%s", emptySet[k]))
	}
	given := slices.Clone(members)
	v, distinct := newSet(k, members)
	switch {
	case distinct:
	case k == kindNS:
		d.invalid(validationf("Input collection contains duplicates"))
	default:
		d.invalid(validationf("One or more parameter values were invalid: Input collection %s contains duplicates.", listed(given)))
	}
	return v
}
