package filterpattern

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

func compileJSON(text string) (func(string) bool, error) {
	s := &scanner{rest: text}
	s.take("{")
	condition, err := combine(s, func() (func(any) bool, error) { return jsonCondition(s) })
	if err != nil {
		return nil, err
	}
	if !s.next("}") || strings.TrimSpace(s.rest) != "" {
		return nil, fmt.Errorf("the pattern should end with one }, before %q", s.rest)
	}
	return func(line string) bool {
		if trimmed := strings.TrimLeft(line, " \t\r\n"); trimmed == "" || trimmed[0] != '{' && trimmed[0] != '[' {
			return false // most lines that are not JSON are told by their first character
		}
		var document any
		return json.Unmarshal([]byte(line), &document) == nil && condition(document)
	}, nil
}

// jsonCondition reads one condition, or several in parentheses.
func jsonCondition(s *scanner) (func(any) bool, error) {
	if s.next("(") {
		condition, err := combine(s, func() (func(any) bool, error) { return jsonCondition(s) })
		if err == nil && !s.next(")") {
			err = fmt.Errorf("a parenthesis is not closed before %q", s.rest)
		}
		return condition, err
	}
	path, err := selector(s)
	if err != nil {
		return nil, err
	}
	s.space()
	for words, holds := range map[string]func(value any, exists bool) bool{
		"IS NULL":    func(value any, exists bool) bool { return exists && value == nil },
		"IS TRUE":    func(value any, _ bool) bool { return value == true },
		"IS FALSE":   func(value any, _ bool) bool { return value == false },
		"NOT EXISTS": func(_ any, exists bool) bool { return !exists },
	} {
		if s.take(words) {
			return func(document any) bool { return holds(follow(document, path)) }, nil
		}
	}
	ofText, ofNumber, err := s.comparison(" \t\r\n&|(){}")
	if err != nil {
		return nil, err
	}
	return func(document any) bool {
		switch value, _ := follow(document, path); value := value.(type) {
		case string:
			return ofText(value)
		case float64:
			return ofNumber(value)
		case bool:
			return ofText(strconv.FormatBool(value))
		}
		return false
	}, nil
}

// selector reads $.a[0]['b']: the names of members, and positions as ints.
func selector(s *scanner) (path []any, err error) {
	if !s.next("$") {
		return nil, fmt.Errorf("a selector should begin with $, before %q", s.rest)
	}
	for {
		switch {
		case s.take("."):
			name := s.until(" \t\r\n.[]=!<>&|(){}")
			if name == "" {
				return nil, errors.New("a selector has a member without a name")
			}
			path = append(path, name)
		case s.take("["):
			inside := s.until("]")
			if !s.take("]") {
				return nil, errors.New("a bracket of a selector is not closed")
			}
			position, notNumber := strconv.Atoi(inside)
			quoted := len(inside) > 2 && inside[0] == inside[len(inside)-1] && strings.ContainsRune(`"'`, rune(inside[0]))
			switch {
			case inside == "*":
				return nil, errors.New("the local runtime does not support [*] in filter patterns")
			case notNumber == nil && position >= 0:
				path = append(path, position)
			case quoted:
				path = append(path, inside[1:len(inside)-1])
			default:
				return nil, fmt.Errorf("[%s] is neither a position nor a name", inside)
			}
		default:
			return path, nil
		}
	}
}

func follow(value any, path []any) (any, bool) {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			object, _ := value.(map[string]any)
			member, exists := object[step]
			if !exists {
				return nil, false
			}
			value = member
		case int:
			list, _ := value.([]any)
			if step >= len(list) {
				return nil, false
			}
			value = list[step]
		}
	}
	return value, true
}
