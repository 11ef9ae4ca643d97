package filterpattern

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

const wordCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

// scanner reads a pattern from its beginning.
type scanner struct{ rest string }

func (s *scanner) space() { s.rest = strings.TrimLeft(s.rest, " \t\r\n") }

func (s *scanner) take(token string) bool {
	rest, found := strings.CutPrefix(s.rest, token)
	s.rest = rest
	return found
}

// next takes a token that may have space before it.
func (s *scanner) next(token string) bool {
	s.space()
	return s.take(token)
}

// until takes what comes before any of the characters.
func (s *scanner) until(characters string) string {
	end := strings.IndexAny(s.rest, characters)
	if end < 0 {
		end = len(s.rest)
	}
	word := s.rest[:end]
	s.rest = s.rest[end:]
	return word
}

// operand is a value in a pattern.
type operand struct {
	text   string
	quoted bool
}

// value takes a quoted or a bare value, which ends before any of the characters.
func (s *scanner) value(end string) (v operand, err error) {
	if strings.HasPrefix(s.rest, "%") {
		return v, errors.New("the local runtime does not support regular expressions in filter patterns")
	}
	if !s.take(`"`) {
		v.text = s.until(end)
		if v.text == "" {
			return v, fmt.Errorf("a value is missing before %q", s.rest)
		}
		return v, nil
	}
	v.quoted = true
	var text strings.Builder
	for i := 0; i < len(s.rest); i++ {
		switch c := s.rest[i]; {
		case c == '"':
			v.text, s.rest = text.String(), s.rest[i+1:]
			return v, nil
		case c == '\\' && i+1 < len(s.rest):
			i++
			text.WriteByte(s.rest[i])
		default:
			text.WriteByte(c)
		}
	}
	return v, errors.New("a quotation mark is not closed")
}

// comparison takes an operator and its value, and returns what it says about a text, and about a number.
func (s *scanner) comparison(end string) (ofText func(string) bool, ofNumber func(float64) bool, err error) {
	s.space()
	operator := ""
	for _, o := range []string{"!=", ">=", "<=", "=", ">", "<"} {
		if s.take(o) {
			operator = o
			break
		}
	}
	if operator == "" {
		return nil, nil, fmt.Errorf("an operator is missing before %q", s.rest)
	}
	s.space()
	v, err := s.value(end)
	if err != nil {
		return nil, nil, err
	}
	limit, notNumber := strconv.ParseFloat(v.text, 64)
	isNumber := notNumber == nil && !v.quoted
	if !isNumber && operator != "=" && operator != "!=" {
		return nil, nil, fmt.Errorf("%s compares numbers, and %q is not one", operator, v.text)
	}
	ofNumber = func(n float64) bool {
		switch {
		case !isNumber:
			return operator == "!="
		case operator == "=":
			return n == limit
		case operator == "!=":
			return n != limit
		case operator == ">":
			return n > limit
		case operator == ">=":
			return n >= limit
		case operator == "<":
			return n < limit
		}
		return n <= limit
	}
	ofText = func(text string) bool {
		switch operator {
		case "=":
			return !isNumber && wildcard(v.text, text)
		case "!=":
			return isNumber || !wildcard(v.text, text)
		}
		return false
	}
	return ofText, ofNumber, nil
}

// wildcard reports whether text fits a pattern in which * is any text.
func wildcard(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == text
	}
	last := len(parts) - 1
	text, found := strings.CutPrefix(text, parts[0])
	if !found {
		return false
	}
	if text, found = strings.CutSuffix(text, parts[last]); !found {
		return false
	}
	for _, part := range parts[1:last] {
		if _, text, found = strings.Cut(text, part); !found {
			return false
		}
	}
	return true
}

// combine reads conditions that && and || join, with && first. One condition is read by single.
func combine[T any](s *scanner, single func() (func(T) bool, error)) (func(T) bool, error) {
	var either []func(T) bool
	for {
		var all []func(T) bool
		for {
			condition, err := single()
			if err != nil {
				return nil, err
			}
			all = append(all, condition)
			if !s.next("&&") {
				break
			}
		}
		either = append(either, func(v T) bool {
			for _, condition := range all {
				if !condition(v) {
					return false
				}
			}
			return true
		})
		if !s.next("||") {
			break
		}
	}
	return func(v T) bool {
		for _, condition := range either {
			if condition(v) {
				return true
			}
		}
		return false
	}, nil
}
