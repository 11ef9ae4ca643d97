package eventpattern

import (
	"encoding/json"
	"math"
	"net/netip"
	"strconv"
	"strings"
)

// operator reads a match expression such as {"prefix": "a"} after its opening brace. It returns nil for {"exists":
// false}, which tests nothing that exists.
func (c *compiler) operator() test {
	name, ok := c.next().(string)
	if !ok {
		fail("Match expression name not found")
	}
	var t test
	switch name {
	case "exactly":
		t = equalsString(c.text("exact match pattern must be a string"))
	case "prefix":
		text, ignoreCase := c.affix("prefix")
		t = prefix{fold(text, ignoreCase), ignoreCase}
	case "suffix":
		text, ignoreCase := c.affix("suffix")
		t = suffix{fold(text, ignoreCase), ignoreCase}
	case "equals-ignore-case":
		t = equalsIgnoreCase(c.text("equals-ignore-case match pattern must be a string"))
	case "wildcard":
		t = parseWildcard(c.text("wildcard match pattern must be a string"))
	case "cidr":
		t = parseCIDR(c.text("prefix match pattern must be a string"))
	case "numeric":
		t = c.numeric()
		c.end("Too many elements in numeric expression")
		return t
	case "anything-but":
		t = c.anythingBut()
		c.end("Too many elements in numeric expression")
		return t
	case "exists":
		switch c.next() {
		case true:
			t = exists{}
		case false:
		default:
			fail("exists match pattern must be either true or false.")
		}
	default:
		fail("Unrecognized match type %s", name)
	}
	c.end("Only one key allowed in match expression")
	return t
}

// text reads a string.
func (c *compiler) text(otherwise string) string {
	s, ok := c.next().(string)
	if !ok {
		fail("%s", otherwise)
	}
	return s
}

// end reads a closing brace.
func (c *compiler) end(otherwise string) {
	if c.next() != json.Delim('}') {
		fail("%s", otherwise)
	}
}

// affix reads the operand of prefix and suffix: a string or {"equals-ignore-case": string}.
func (c *compiler) affix(operator string) (text string, ignoreCase bool) {
	switch t := c.next().(type) {
	case string:
		return t, false
	case json.Delim:
		if t == '{' {
			name, ok := c.next().(string)
			if !ok {
				fail("%s expression name not found", strings.ToUpper(operator[:1])+operator[1:])
			}
			if name != "equals-ignore-case" {
				fail("Unsupported %s pattern: %s", operator, name)
			}
			text = c.text("equals-ignore-case match pattern must be a string")
			c.end("Only one key allowed in match expression")
			return text, true
		}
	}
	fail("%s match pattern must be a string", operator)
	return "", false
}

// numeric reads [operator, number] or [lower operator, number, upper operator, number].
func (c *compiler) numeric() test {
	if c.next() != json.Delim('[') {
		fail("Value of numeric must be an array.")
	}
	first := c.next()
	operator, ok := first.(string)
	if !ok {
		fail("Invalid member in numeric match: %v", first)
	}
	r := numericRange{bottom: math.Inf(-1), top: math.Inf(1)}
	switch operator {
	case "=":
		r.bottom = c.bound("equals")
		r.top = r.bottom
	case "<", "<=":
		r.top, r.openTop = c.bound(operator), operator == "<"
	case ">", ">=":
		r.bottom, r.openBottom = c.bound(operator), operator == ">"
		return c.upperBound(r)
	default:
		fail("Unrecognized numeric range operator: %s", operator)
	}
	if c.next() != json.Delim(']') {
		fail("Too many elements in numeric expression")
	}
	return r
}

func (c *compiler) upperBound(r numericRange) test {
	t := c.next()
	if t == json.Delim(']') {
		return r
	}
	operator, ok := t.(string)
	if !ok {
		fail("Bad value in numeric range: %v", t)
	}
	if operator != "<" && operator != "<=" {
		fail("Bad numeric range operator: %s", operator)
	}
	r.top, r.openTop = c.bound(operator), operator == "<"
	if c.next() != json.Delim(']') {
		fail("Too many terms in numeric range expression")
	}
	if r.bottom > r.top || r.bottom == r.top && (r.openBottom || r.openTop) {
		fail("Bottom must be less than top")
	}
	return r
}

func (c *compiler) bound(operator string) float64 {
	n, ok := c.next().(json.Number)
	if !ok {
		fail("Value of %s must be numeric", operator)
	}
	return comparable64(n)
}

// comparable64 is a number that numeric matching can distinguish from others.
func comparable64(n json.Number) float64 {
	f, err := n.Float64()
	if err != nil || !inNumericRange(f) {
		fail("Value must be between %.1E and %.1E, inclusive", -maxNumber, maxNumber)
	}
	return f
}

// anythingBut reads a value, a list of values of one kind, or an operator over strings.
func (c *compiler) anythingBut() test {
	switch t := c.next().(type) {
	case string:
		return anythingBut{equalsString(t)}
	case json.Number:
		return anythingBut{equalsNumber{t.String(), comparable64(t)}}
	case json.Delim:
		if t == '[' {
			return c.anythingButList()
		}
		name, ok := c.next().(string)
		if !ok {
			fail("Anything-But expression name not found")
		}
		not := c.anythingButOperator(name)
		c.end("Too many elements in numeric expression")
		return not
	}
	fail("Value of anything-but must be an array or single string/number value.")
	return nil
}

func (c *compiler) anythingButList() test {
	var not anythingBut
	numbers := 0
	for {
		t := c.next()
		if t == json.Delim(']') {
			break
		}
		switch t := t.(type) {
		case string:
			not = append(not, equalsString(t))
		case json.Number:
			not = append(not, equalsNumber{t.String(), comparable64(t)})
			numbers++
		default:
			fail("Inside anything but list, start|null|boolean is not supported.")
		}
	}
	if len(not) == 0 || numbers != 0 && numbers != len(not) {
		fail("Inside anything but list, either all values are number or string, mixed type is not supported")
	}
	return not
}

// anythingButOperator reads the operand of an operator, a string or a list of strings.
func (c *compiler) anythingButOperator(name string) test {
	var make func(string) test
	notText := "prefix/suffix match pattern must be a string"
	switch name {
	case "prefix", "suffix":
		make = func(text string) test {
			if text == "" {
				fail("Null prefix/suffix not allowed")
			}
			if name == "prefix" {
				return prefix{text: text}
			}
			return suffix{text: text}
		}
	case "equals-ignore-case":
		make = func(text string) test { return equalsIgnoreCase(text) }
		notText = "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported."
	case "wildcard":
		make = parseWildcard
		notText = "wildcard match pattern must be a string"
	default:
		fail("Unsupported anything-but pattern: %s", name)
	}
	switch t := c.next().(type) {
	case string:
		return anythingBut{make(t)}
	case json.Number:
		fail("%s", notText)
	case json.Delim:
		if t != '[' {
			break
		}
		var not anythingBut
		for {
			switch t := c.next().(type) {
			case string:
				not = append(not, make(t))
				continue
			case json.Delim:
				if t == ']' {
					return not
				}
			}
			fail("%s", notText)
		}
	}
	fail("Value of anything-but must be an array or single string/number value.")
	return nil
}

// parseCIDR makes the range that begins at the address as it is written, whether or not the bits after the mask are
// zero.
func parseCIDR(text string) test {
	parts := strings.Split(text, "/")
	if len(parts) != 2 {
		fail("Malformed CIDR, one '/' required")
	}
	bits, err := strconv.Atoi(parts[1])
	if err != nil {
		fail("Malformed CIDR, mask bits must be an integer")
	}
	if bits < 0 {
		fail("Malformed CIDR, mask bits must not be negative")
	}
	if !looksLikeAddress(parts[0]) {
		fail("Nonstandard IP address: %s", parts[0])
	}
	first, err := netip.ParseAddr(parts[0])
	if err != nil {
		fail("Invalid IP address: %s", parts[0])
	}
	if bits >= first.BitLen() {
		fail("IPv%d mask bits must be < %d", map[int]int{32: 4, 128: 6}[first.BitLen()], first.BitLen())
	}
	last := first.AsSlice()
	for i := bits; i < first.BitLen(); i++ {
		last[i/8] |= 0x80 >> (i % 8)
	}
	top, _ := netip.AddrFromSlice(last)
	return addressRange{first, top}
}

// parseAddress reads an IPv4 or IPv6 address; one with a zone or with an IPv4 tail is not an address here.
func parseAddress(text string) (netip.Addr, bool) {
	if !looksLikeAddress(text) {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(text)
	return a, err == nil
}

// looksLikeAddress reports whether text is made of four numbers and dots, or of hexadecimal digits and colons.
func looksLikeAddress(text string) bool {
	dots, colons, letters := 0, 0, false
	for i := range len(text) {
		switch c := text[i]; {
		case c == '.':
			dots++
		case c == ':':
			colons++
		case 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F':
			letters = true
		case c < '0' || '9' < c:
			return false
		}
	}
	return colons > 0 && dots == 0 || dots == 3 && colons == 0 && !letters
}
