package seal

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"milepost/schemas"
)

// null replaces a member that was cut from a document.
const null = "null"

// Cut removes the values at paths from a JSON document, and leaves null in their places. They are returned as one JSON
// object, each under its JSON pointer, which is packed if it is long; it is nil if there is none. Nothing else in the
// document changes. If the document is not valid JSON, only the values before the error are removed.
func Cut(data []byte, paths []schemas.Path) (rest, members []byte) {
	wanted := &tree{}
	for _, path := range paths {
		wanted.add(path)
	}
	done := 0 // how much of data is done
	_ = wanted.walk(data, func(pointer jsontext.Pointer, _ *tree, value jsontext.Value, end int) {
		if value.Kind() == jsontext.KindNull {
			return
		}
		if members == nil {
			rest, members = make([]byte, 0, len(data)), append(members, '{')
		} else {
			members = append(members, ',')
		}
		members, _ = jsontext.AppendQuote(members, pointer) // a pointer always can be
		members = append(append(members, ':'), value...)
		rest = append(append(rest, data[done:end-len(value)]...), null...)
		done = end
	})
	if members == nil {
		return data, nil
	}
	return append(rest, data[done:]...), Pack(append(members, '}'))
}

// Join puts members from Cut back into the rest, and so returns the original document.
func Join(rest, members []byte) ([]byte, error) {
	members, err := unpack(members)
	if err != nil {
		return nil, err
	}
	var values map[jsontext.Pointer]jsontext.Value
	if err := json.Unmarshal(members, &values); err != nil {
		return nil, err
	}
	wanted := &tree{}
	for pointer, value := range values {
		wanted.add(slices.Collect(pointer.Tokens())).value = value
	}
	data := make([]byte, 0, len(rest)+len(members))
	done, put := 0, 0
	err = wanted.walk(rest, func(_ jsontext.Pointer, t *tree, value jsontext.Value, end int) {
		data = append(append(data, rest[done:end-len(value)]...), t.value...)
		done = end
		put++
	})
	if err != nil {
		return nil, err
	}
	if left := len(values) - put; left != 0 {
		return nil, fmt.Errorf("%d members have no place in the document", left)
	}
	return append(data, rest[done:]...), nil
}

// tree is a set of paths. One that ends below another is not looked for.
type tree struct {
	below map[string]*tree
	// value is what Join puts in where the path ends.
	value jsontext.Value
}

// add returns the node at the end of a path.
func (t *tree) add(path []string) *tree {
	for _, step := range path {
		next := t.below[step]
		if next == nil {
			next = &tree{}
			if t.below == nil {
				t.below = map[string]*tree{}
			}
			t.below[step] = next
		}
		t = next
	}
	return t
}

// found is called with a value at which a path ends: its place in the document as a JSON pointer, the end of the path,
// and where the value ends. The value is only good during the call.
type found func(pointer jsontext.Pointer, t *tree, value jsontext.Value, end int)

// walk calls found for each value in the document at which a path ends, in their order.
func (t *tree) walk(document []byte, found found) error {
	d := jsontext.NewDecoder(bytes.NewBuffer(document), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if k := d.PeekKind(); k != jsontext.KindBeginObject && k != jsontext.KindBeginArray {
		return d.SkipValue()
	}
	return t.walkBelow(d, "", found)
}

// walkBelow walks through the next object or array.
func (t *tree) walkBelow(d *jsontext.Decoder, pointer jsontext.Pointer, found found) error {
	begin, err := d.ReadToken()
	if err != nil {
		return err
	}
	array := begin.Kind() == jsontext.KindBeginArray
	for i := 0; ; i++ {
		if k := d.PeekKind(); k == jsontext.KindEndObject || k == jsontext.KindEndArray {
			_, err := d.ReadToken()
			return err
		}
		name := strconv.Itoa(i)
		if !array {
			token, err := d.ReadToken()
			if err != nil {
				return err
			}
			name = token.String()
		}
		next := t.below[name]
		if next == nil {
			next = t.below[schemas.Each]
		}
		kind := d.PeekKind()
		switch {
		case next != nil && next.below == nil:
			value, err := d.ReadValue()
			if err != nil {
				return err
			}
			found(pointer.AppendToken(name), next, value, int(d.InputOffset()))
		case next != nil && (kind == jsontext.KindBeginObject || kind == jsontext.KindBeginArray):
			if err := next.walkBelow(d, pointer.AppendToken(name), found); err != nil {
				return err
			}
		default:
			if err := d.SkipValue(); err != nil {
				return err
			}
		}
	}
}
