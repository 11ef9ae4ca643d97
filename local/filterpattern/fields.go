package filterpattern

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// compileFields reads [a, b = 5*, ..., c]: a condition for each field of a line, "..." for any number of fields.
func compileFields(text string) (func(string) bool, error) {
	s := &scanner{rest: text}
	s.take("[")
	var before, after []func(string) bool
	open, list := false, &before // open once there was "..."
	for {
		if s.next("...") {
			if open {
				return nil, errors.New("a pattern may have one ... only")
			}
			open, list = true, &after
		} else {
			condition, err := combine(s, func() (func(string) bool, error) { return fieldCondition(s) })
			if err != nil {
				return nil, err
			}
			*list = append(*list, condition)
		}
		if s.next(",") {
			continue
		}
		if !s.next("]") || strings.TrimSpace(s.rest) != "" {
			return nil, fmt.Errorf("the pattern should end with one ], before %q", s.rest)
		}
		break
	}
	return func(line string) bool {
		fields := split(line)
		free := len(fields) - len(before) - len(after)
		if free < 0 || free > 0 && !open {
			return false
		}
		for i, condition := range before {
			if !condition(fields[i]) {
				return false
			}
		}
		for i, condition := range after {
			if !condition(fields[len(before)+free+i]) {
				return false
			}
		}
		return true
	}, nil
}

// fieldCondition reads the name of a field, and what is asked of it. The name itself means nothing.
func fieldCondition(s *scanner) (func(string) bool, error) {
	s.space()
	name := s.until(" \t\r\n,]=!<>&|")
	if name == "" || strings.Trim(name, wordCharacters+"-") != "" {
		return nil, fmt.Errorf("%q is not the name of a field", name)
	}
	s.space()
	if s.rest == "" || strings.ContainsRune(",]&|", rune(s.rest[0])) {
		return func(string) bool { return true }, nil
	}
	ofText, ofNumber, err := s.comparison(" \t\r\n,]&|")
	if err != nil {
		return nil, err
	}
	return func(field string) bool {
		if n, err := strconv.ParseFloat(field, 64); err == nil && ofNumber(n) {
			return true
		}
		return ofText(field)
	}, nil
}

// split returns the fields of a line. What is in brackets or quotation marks is one field.
func split(line string) []string {
	var fields []string
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimLeft(line, " \t\r\n") {
		if closing, found := map[byte]string{'[': "]", '"': `"`}[line[0]]; found {
			if inside, rest, closed := strings.Cut(line[1:], closing); closed {
				fields, line = append(fields, inside), rest
				continue
			}
		}
		end := strings.IndexAny(line, " \t\r\n")
		if end < 0 {
			end = len(line)
		}
		fields, line = append(fields, line[:end]), line[end:]
	}
	return fields
}
