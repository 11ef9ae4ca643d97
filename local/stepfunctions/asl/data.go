package asl

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// MaxData is how many bytes the input or output of a state may have.
const MaxData = 262_144

// Data is a JSON value that is decoded and encoded at most once, and only when needed. Most values pass from state to
// state untouched.
//
// A Data belongs to one goroutine, unless both Value and Text have been called.
type Data struct {
	value   any
	text    string
	decoded bool
	encoded bool
}

// FromText makes the Data of a valid JSON text.
func FromText(text string) *Data { return &Data{text: text, encoded: true} }

// FromValue makes the Data of a decoded value, which must not be changed afterwards.
func FromValue(v any) *Data { return &Data{value: v, decoded: true} }

// Value is the value: nil, bool, json.Number, string, []any or map[string]any. It must not be changed.
func (d *Data) Value() any {
	if !d.decoded {
		d.value, _ = Decode(d.text) // the text is valid
		d.decoded = true
	}
	return d.value
}

// Text is the value as JSON.
func (d *Data) Text() string {
	if !d.encoded {
		d.text = Encode(d.value)
		d.encoded = true
	}
	return d.text
}

// EmptyObject is {}, shared.
var EmptyObject = shared(map[string]any{})

func shared(v any) *Data {
	d := FromValue(v)
	d.Text()
	return d
}

// Decode reads one JSON value. Numbers keep their spelling.
func Decode(text string) (any, error) {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, io.ErrUnexpectedEOF
	}
	return v, nil
}

// Encode writes a decoded value as JSON without spaces. The members of objects are sorted.
func Encode(v any) string {
	return string(appendJSON(nil, v))
}

func appendJSON(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case bool:
		if v {
			return append(b, "true"...)
		}
		return append(b, "false"...)
	case json.Number:
		return append(b, v...)
	case string:
		return appendString(b, v)
	case []any:
		b = append(b, '[')
		for i, item := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSON(b, item)
		}
		return append(b, ']')
	case map[string]any:
		b = append(b, '{')
		for i, key := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendString(b, key), ':')
			b = appendJSON(b, v[key])
		}
		return append(b, '}')
	}
	panic("asl: not a decoded JSON value")
}

func appendString(b []byte, s string) []byte {
	plain := true
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			plain = false
			break
		}
	}
	if plain {
		b = append(b, '"')
		b = append(b, s...)
		return append(b, '"')
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always encodes
	return append(b, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))...)
}

// equal compares two decoded values; numbers compare by value.
func equal(a, b any) bool {
	switch a := a.(type) {
	case json.Number:
		b, ok := b.(json.Number)
		return ok && compareNumbers(a, b) == 0
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, equal)
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && maps.EqualFunc(a, b, equal)
	}
	switch b.(type) {
	case []any, map[string]any:
		return false
	}
	return a == b
}

// compareNumbers returns -1, 0 or 1. Whole numbers compare exactly, others as floats.
func compareNumbers(a, b json.Number) int {
	if x, err := a.Int64(); err == nil {
		if y, err := b.Int64(); err == nil {
			return order(x, y)
		}
	}
	x, _ := a.Float64()
	y, _ := b.Float64()
	return order(x, y)
}

func order[T int64 | float64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
