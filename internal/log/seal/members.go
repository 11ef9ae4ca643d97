package seal

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"milepost/schemas"
)

// null stands in a document where a member was taken out.
const null = "null"

// Cut takes the values at paths out of a JSON document, and leaves null in their places. They come as one JSON
// object, each under its JSON pointer, which is packed if it is long; it is nil if there is none. Nothing else in
// the document changes.
func Cut(data []byte, paths []schemas.Path) (rest, members []byte) {
	wanted := &tree{}
	for _, path := range paths {
		wanted.add(path)
	}
	done := 0 // so much of data is dealt with
	wanted.walk(gjson.ParseBytes(data), "", func(pointer string, _ *tree, value gjson.Result) {
		if value.Type == gjson.Null {
			return
		}
		if members == nil {
			rest, members = make([]byte, 0, len(data)), append(members, '{')
		} else {
			members = append(members, ',')
		}
		name, _ := json.Marshal(pointer) // a string always can be
		members = append(append(append(members, name...), ':'), value.Raw...)
		rest = append(append(rest, data[done:value.Index]...), null...)
		done = value.Index + len(value.Raw)
	})
	if members == nil {
		return data, nil
	}
	return append(rest, data[done:]...), Pack(append(members, '}'))
}

// Join puts members that Cut gave back into the rest, and so gives the document as it was.
func Join(rest, members []byte) ([]byte, error) {
	members, err := unpack(members)
	if err != nil {
		return nil, err
	}
	left := 0
	wanted := &tree{}
	gjson.ParseBytes(members).ForEach(func(pointer, value gjson.Result) bool {
		t := wanted.add(parsePointer(pointer.String()))
		t.value = value.Raw
		left++
		return true
	})
	data := make([]byte, 0, len(rest)+len(members))
	done := 0
	wanted.walk(gjson.ParseBytes(rest), "", func(_ string, t *tree, value gjson.Result) {
		data = append(append(data, rest[done:value.Index]...), t.value...)
		done = value.Index + len(value.Raw)
		left--
	})
	if left != 0 {
		return nil, fmt.Errorf("%d members have no place in the document", left)
	}
	return append(data, rest[done:]...), nil
}

// tree is a set of paths. One that ends below another is not looked for.
type tree struct {
	below map[string]*tree
	// value is what Join puts in where the path ends.
	value string
}

// add gives the node at the end of a path.
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

// walk calls found for each value in the document at which a path ends, in their order.
func (t *tree) walk(document gjson.Result, pointer string, found func(pointer string, t *tree, value gjson.Result)) {
	i := 0
	document.ForEach(func(key, value gjson.Result) bool {
		name := key.Str
		if document.IsArray() {
			name = strconv.Itoa(i)
			i++
		}
		next := t.below[name]
		if next == nil {
			next = t.below[schemas.Each]
		}
		switch {
		case next == nil:
		case next.below == nil:
			found(pointer+"/"+escape.Replace(name), next, value)
		case value.IsObject() || value.IsArray():
			next.walk(value, pointer+"/"+escape.Replace(name), found)
		}
		return true
	})
}

// escape and unescape write a name as a JSON pointer has it (RFC 6901), and back.
var (
	escape   = strings.NewReplacer("~", "~0", "/", "~1")
	unescape = strings.NewReplacer("~1", "/", "~0", "~")
)

func parsePointer(pointer string) []string {
	steps := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	for i, step := range steps {
		steps[i] = unescape.Replace(step)
	}
	return steps
}
