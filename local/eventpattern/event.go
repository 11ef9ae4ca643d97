package eventpattern

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"sort"
	"strconv"
)

// ErrNotObject is returned for an event that is not a JSON object.
var ErrNotObject = errors.New("event is not a JSON object")

// Event is an event made ready to be matched: its leaves, ordered by path. It does not change, and
// it does not refer to the bytes it was parsed from.
type Event struct {
	fields []field
}

// kind is the JSON type of a leaf.
type kind uint8

const (
	literalKind kind = iota // true, false and null
	numberKind
	stringKind
)

// field is one leaf of an event. A leaf in an array has the path of the array.
type field struct {
	path    string
	kind    kind
	text    string // the string itself; otherwise as written in the event
	number  float64
	element *element
}

// element says in which element of which arrays a leaf is; only objects and arrays within an array count. The arrays of
// an event are numbered.
type element struct {
	array, index int
	outer        *element
}

// sharedBy reports whether el is compatible with all of the others: none of them is in another element of an array that
// both are in.
func (el *element) sharedBy(others []*element) bool {
	for a := el; a != nil; a = a.outer {
		for _, other := range others {
			for b := other; b != nil; b = b.outer {
				if a.array == b.array && a.index != b.index {
					return false
				}
			}
		}
	}
	return true
}

// Parse makes a JSON object ready to be matched.
func Parse(event []byte) (*Event, error) {
	if !json.Valid(event) {
		var v any
		return nil, json.Unmarshal(event, &v)
	}
	s := scanner{data: string(event), fields: make([]field, 0, 32)}
	if s.peek() != '{' {
		return nil, ErrNotObject
	}
	s.object(nil, nil)
	slices.SortStableFunc(s.fields, func(a, b field) int { return cmp.Compare(a.path, b.path) })
	return &Event{s.fields}, nil
}

// lookup returns the occurrences of the field at path.
func (e *Event) lookup(path string) []field {
	from := sort.Search(len(e.fields), func(i int) bool { return e.fields[i].path >= path })
	to := from
	for to < len(e.fields) && e.fields[to].path == path {
		to++
	}
	return e.fields[from:to]
}

// scanner flattens JSON that is known to be valid, which is what lets it be this short.
type scanner struct {
	data   string
	at     int
	arrays int
	fields []field
}

// peek skips white space and returns the next byte.
func (s *scanner) peek() byte {
	for {
		switch c := s.data[s.at]; c {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return c
		}
	}
}

// accept skips the next byte when it is c.
func (s *scanner) accept(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.at++
	return true
}

func (s *scanner) value(path []byte, in *element) {
	switch c := s.peek(); c {
	case '{':
		s.object(path, in)
	case '[':
		s.array(path, in)
	case '"':
		s.add(field{path: string(path), kind: stringKind, text: s.string(), element: in})
	default:
		from := s.at
		for !ends(s.data[s.at]) {
			s.at++
		}
		f := field{path: string(path), text: s.data[from:s.at], element: in}
		if c == '-' || '0' <= c && c <= '9' {
			f.kind = numberKind
			f.number, _ = strconv.ParseFloat(f.text, 64) // beyond float64 it is an infinity, as fits
		}
		s.add(f)
	}
}

// ends reports whether c ends a number or a literal.
func ends(c byte) bool {
	switch c {
	case ' ', '\t', '\r', '\n', ',', ']', '}':
		return true
	}
	return false
}

func (s *scanner) add(f field) { s.fields = append(s.fields, f) }

func (s *scanner) object(path []byte, in *element) {
	s.at++
	for !s.accept('}') {
		s.accept(',')
		s.peek()
		name := s.string()
		s.accept(':')
		inner := path
		if len(path) > 0 {
			inner = append(inner, '.')
		}
		s.value(append(inner, name...), in)
	}
}

func (s *scanner) array(path []byte, in *element) {
	s.at++
	id := s.arrays
	s.arrays++
	for i := 0; !s.accept(']'); i++ {
		s.accept(',')
		if c := s.peek(); c == '{' || c == '[' {
			s.value(path, &element{array: id, index: i, outer: in})
		} else {
			s.value(path, in)
		}
	}
}

func (s *scanner) string() string {
	from, escaped := s.at, false
	for s.at++; s.data[s.at] != '"'; s.at++ {
		if s.data[s.at] == '\\' {
			escaped = true
			s.at++
		}
	}
	s.at++
	if escaped {
		var text string
		if json.Unmarshal([]byte(s.data[from:s.at]), &text) == nil {
			return text
		}
	}
	return s.data[from+1 : s.at-1]
}
