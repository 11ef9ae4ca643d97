package dynamodb

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// kind is the type of an attribute value.
type kind byte

const (
	kindS kind = iota + 1
	kindN
	kindB
	kindBool
	kindNull
	kindL
	kindM
	kindSS
	kindNS
	kindBS
)

var kindNames = [...]string{"", "S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS"}

func (k kind) String() string { return kindNames[k] }

// kindNamed returns the kind that AWS calls name, and 0 for no such kind.
func kindNamed(name string) kind {
	return kind(max(0, slices.Index(kindNames[:], name)))
}

// isSet reports whether the kind is a set; element is then the kind of the set's members.
func (k kind) isSet() bool { return k >= kindSS }

func (k kind) element() kind { return k - kindSS + kindS }

// ordered reports whether < and BETWEEN accept the kind.
func (k kind) ordered() bool { return k == kindS || k == kindN || k == kindB }

// value is one attribute value. Values are never changed once they are made, so items share them.
type value struct {
	kind   kind
	flag   bool       // of BOOL
	text   string     // of S; of B, the bytes themselves; of N, in canonical form
	list   []value    // of L; of a set its members, sorted
	fields attributes // of M
}

// attribute is a value with its name, and attributes are an item or a map, sorted by name.
type (
	attribute struct {
		name  string
		value value
	}
	attributes []attribute
)

func (a attributes) find(name string) (int, bool) {
	// Items are small: a linear search is faster than halving until some dozens of attributes.
	if len(a) <= 16 {
		for i := range a {
			if a[i].name >= name {
				return i, a[i].name == name
			}
		}
		return len(a), false
	}
	return slices.BinarySearchFunc(a, name, func(at attribute, name string) int { return strings.Compare(at.name, name) })
}

func (a attributes) get(name string) (value, bool) {
	if i, ok := a.find(name); ok {
		return a[i].value, true
	}
	return value{}, false
}

// with returns a copy of a in which name has the value v.
func (a attributes) with(name string, v value) attributes {
	i, ok := a.find(name)
	if ok {
		a = slices.Clone(a)
		a[i].value = v
		return a
	}
	grown := make(attributes, 0, len(a)+1)
	grown = append(grown, a[:i]...)
	grown = append(grown, attribute{name, v})
	return append(grown, a[i:]...)
}

// without returns a copy of a that lacks name.
func (a attributes) without(name string) attributes {
	i, ok := a.find(name)
	if !ok {
		return a
	}
	return slices.Delete(slices.Clone(a), i, i+1)
}

func (a attributes) equal(b attributes) bool {
	return slices.EqualFunc(a, b, func(x, y attribute) bool { return x.name == y.name && x.value.equal(y.value) })
}

func (v value) equal(w value) bool {
	return v.kind == w.kind && v.flag == w.flag && v.text == w.text &&
		slices.EqualFunc(v.list, w.list, value.equal) && v.fields.equal(w.fields)
}

// compare orders two values of the same ordered kind.
func (v value) compare(w value) int {
	if v.kind == kindN {
		return compareNumbers(v.text, w.text)
	}
	return strings.Compare(v.text, w.text)
}

// size is what v counts for against the item size limit, in bytes. AWS publishes the rules only
// roughly; the size of a number is an approximation there, too.
func (v value) size() int {
	switch v.kind {
	case kindS, kindB:
		return len(v.text)
	case kindN:
		return numberSize(v.text)
	case kindBool, kindNull:
		return 1
	case kindL:
		n := 3
		for _, e := range v.list {
			n += 1 + e.size()
		}
		return n
	case kindM:
		return 3 + len(v.fields) + v.fields.size()
	default:
		n := 0
		for _, e := range v.list {
			n += e.size()
		}
		return n
	}
}

func (a attributes) size() int {
	n := 0
	for _, at := range a {
		n += len(at.name) + at.value.size()
	}
	return n
}

// depth is how many levels of lists and maps v has.
func (v value) depth() int {
	n := 0
	switch v.kind {
	case kindL:
		for _, e := range v.list {
			n = max(n, e.depth())
		}
	case kindM:
		for _, f := range v.fields {
			n = max(n, f.value.depth())
		}
	default:
		return 0
	}
	return n + 1
}

// newSet makes a set of members, which it sorts. It reports whether they all differ.
func newSet(k kind, members []value) (value, bool) {
	slices.SortFunc(members, value.compare)
	distinct := len(slices.CompactFunc(slices.Clone(members), value.equal)) == len(members)
	return value{kind: k, list: members}, distinct
}

// union and minus combine two sets of one kind.
func (v value) union(w value) value {
	all := slices.Concat(v.list, w.list)
	slices.SortFunc(all, value.compare)
	return value{kind: v.kind, list: slices.CompactFunc(all, value.equal)}
}

func (v value) minus(w value) value {
	var rest []value
	for _, e := range v.list {
		if !w.hasMember(e) {
			rest = append(rest, e)
		}
	}
	return value{kind: v.kind, list: rest}
}

// hasMember reports whether a list or a set has e among its members.
func (v value) hasMember(e value) bool {
	return slices.ContainsFunc(v.list, e.equal)
}

func newNumber(n int) value { return value{kind: kindN, text: strconv.Itoa(n)} }

func sortAttributes(a attributes) {
	byName := func(x, y attribute) int { return cmp.Compare(x.name, y.name) }
	if !slices.IsSortedFunc(a, byName) {
		slices.SortFunc(a, byName)
	}
}
