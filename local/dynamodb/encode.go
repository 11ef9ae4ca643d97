package dynamodb

import (
	"encoding/base64"
	"strings"
)

// appendAttributes appends a as JSON: an object of attribute values.
func appendAttributes(b []byte, a attributes) []byte {
	b = append(b, '{')
	for i, at := range a {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, at.name)
		b = append(b, ':')
		b = appendValue(b, at.value)
	}
	return append(b, '}')
}

// appendValue appends v as JSON, for instance {"S":"text"}.
func appendValue(b []byte, v value) []byte {
	b = append(b, '{', '"')
	b = append(b, v.kind.String()...)
	b = append(b, '"', ':')
	switch v.kind {
	case kindBool:
		if v.flag {
			b = append(b, "true"...)
		} else {
			b = append(b, "false"...)
		}
	case kindNull:
		b = append(b, "true"...)
	case kindL:
		b = append(b, '[')
		for i, e := range v.list {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendValue(b, e)
		}
		b = append(b, ']')
	case kindM:
		b = appendAttributes(b, v.fields)
	case kindSS, kindNS, kindBS:
		b = append(b, '[')
		for i, e := range v.list {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendScalar(b, e)
		}
		b = append(b, ']')
	default:
		b = appendScalar(b, v)
	}
	return append(b, '}')
}

func appendScalar(b []byte, v value) []byte {
	if v.kind == kindB {
		b = append(b, '"')
		b = base64.StdEncoding.AppendEncode(b, []byte(v.text))
		return append(b, '"')
	}
	return appendString(b, v.text)
}

const hexDigits = "0123456789abcdef"

// appendString appends s, which is valid UTF-8, as a JSON string.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

// answer builds a response body member by member, from parts that are already encoded.
type answer []byte

func (a *answer) member(name string) {
	if len(*a) == 0 {
		*a = append(*a, '{')
	} else {
		*a = append(*a, ',')
	}
	*a = appendString(*a, name)
	*a = append(*a, ':')
}

func (a *answer) json(name string, encoded []byte) {
	a.member(name)
	*a = append(*a, encoded...)
}

func (a *answer) attributes(name string, v attributes) {
	a.member(name)
	*a = appendAttributes(*a, v)
}

func (a *answer) end() []byte {
	if len(*a) == 0 {
		return []byte("{}")
	}
	return append(*a, '}')
}

// listed shows scalars as AWS's error texts do: [a, b].
func listed(values []value) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = v.text
	}
	return "[" + strings.Join(texts, ", ") + "]"
}
