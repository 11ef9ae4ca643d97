package eventpattern

import (
	"net/netip"
	"slices"
	"strings"
)

// test decides on one occurrence of a field.
type test interface {
	pass(f *field) bool
}

type (
	// exists passes whatever there is.
	exists struct{}

	equalsString  string
	equalsLiteral string // true, false or null

	// equalsNumber compares by value; a number beyond the numeric range only by its spelling.
	equalsNumber struct {
		text  string
		value float64
	}

	// prefix and suffix are lowered when they ignore case.
	prefix struct {
		text       string
		ignoreCase bool
	}
	suffix struct {
		text       string
		ignoreCase bool
	}

	equalsIgnoreCase string

	// wildcard holds the pieces between the wildcard characters; it has two at least.
	wildcard []string

	// numericRange is open at an end that the pattern excludes.
	numericRange struct {
		bottom, top         float64
		openBottom, openTop bool
	}

	// addressRange passes a string that is an IP address from first to last.
	addressRange struct{ first, last netip.Addr }

	// anythingBut passes a field that none of the tests passes.
	anythingBut []test
)

// maxNumber bounds the numbers that numeric matching is made for.
const maxNumber = 5e9

func (exists) pass(*field) bool { return true }

func (t equalsString) pass(f *field) bool { return f.kind == stringKind && f.text == string(t) }

func (t equalsLiteral) pass(f *field) bool { return f.kind == literalKind && f.text == string(t) }

func (t equalsNumber) pass(f *field) bool {
	return f.kind == numberKind && (f.text == t.text || f.number == t.value && inNumericRange(t.value))
}

func inNumericRange(n float64) bool { return -maxNumber <= n && n <= maxNumber }

func (t prefix) pass(f *field) bool {
	return f.kind == stringKind && strings.HasPrefix(fold(f.text, t.ignoreCase), t.text)
}

func (t suffix) pass(f *field) bool {
	return f.kind == stringKind && strings.HasSuffix(fold(f.text, t.ignoreCase), t.text)
}

func fold(s string, ignoreCase bool) string {
	if ignoreCase {
		return strings.ToLower(s)
	}
	return s
}

func (t equalsIgnoreCase) pass(f *field) bool {
	return f.kind == stringKind && strings.EqualFold(f.text, string(t))
}

func (t wildcard) pass(f *field) bool {
	if f.kind != stringKind {
		return false
	}
	text, ok := strings.CutPrefix(f.text, t[0])
	if !ok {
		return false
	}
	last := len(t) - 1
	for _, piece := range t[1:last] {
		if _, text, ok = strings.Cut(text, piece); !ok {
			return false
		}
	}
	return strings.HasSuffix(text, t[last])
}

func (t numericRange) pass(f *field) bool {
	return f.kind == numberKind && inNumericRange(f.number) &&
		(f.number > t.bottom || f.number == t.bottom && !t.openBottom) &&
		(f.number < t.top || f.number == t.top && !t.openTop)
}

func (t addressRange) pass(f *field) bool {
	if f.kind != stringKind {
		return false
	}
	a, ok := parseAddress(f.text)
	return ok && a.BitLen() == t.first.BitLen() && t.first.Compare(a) <= 0 && a.Compare(t.last) <= 0
}

func (t anythingBut) pass(f *field) bool {
	return !slices.ContainsFunc(t, func(t test) bool { return t.pass(f) })
}
