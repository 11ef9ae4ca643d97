// Package filterpattern is the language in which CloudWatch Logs is asked for log lines. A pattern is terms (ERROR
// -"not this" ?a ?b), a condition on JSON ({ $.level = "ERROR" && $.ms > 250 }), or one on fields between spaces
// ([ip, user, ..., status = 5*]). Everything is case-sensitive.
//
// Where AWS documents nothing, this package does so: a term is found anywhere in a line; != holds only for a member
// that is there and is no object or array; a number is compared with a number only. Regular expressions (%…%) and
// selectors with a wildcard are refused by name.
package filterpattern

import (
	"fmt"
	"strings"
)

// MaxLength is the length of the longest pattern.
const MaxLength = 1024

// Pattern is a compiled pattern. It is safe for concurrent use.
type Pattern struct{ matches func(line string) bool }

// Compile reads a pattern; an empty one matches every line.
func Compile(text string) (*Pattern, error) {
	if len(text) > MaxLength {
		return nil, fmt.Errorf("the pattern is longer than %d characters", MaxLength)
	}
	compile := compileTerms
	switch text = strings.TrimSpace(text); {
	case strings.HasPrefix(text, "{"):
		compile = compileJSON
	case strings.HasPrefix(text, "["):
		compile = compileFields
	}
	matches, err := compile(text)
	if err != nil {
		return nil, err
	}
	return &Pattern{matches}, nil
}

// Match reports whether a line fits the pattern.
func (p *Pattern) Match(line string) bool { return p.matches(line) }

// compileTerms reads terms: all required ones must be in a line, none of the excluded, and one of the optional. As on
// AWS, optional terms beside required ones mean nothing.
func compileTerms(text string) (func(string) bool, error) {
	var required, optional, excluded []string
	for s := (&scanner{rest: text}); ; {
		s.space()
		if s.rest == "" {
			break
		}
		list := &required
		switch {
		case s.take("?"):
			list = &optional
		case s.take("-"):
			list = &excluded
		}
		term, err := s.value(" \t\r\n")
		if err != nil {
			return nil, err
		}
		*list = append(*list, term.text)
		if !term.quoted && strings.Trim(term.text, wordCharacters) != "" {
			return nil, fmt.Errorf("Invalid character(s) in term '%s'", term.text) //nolint:staticcheck // as AWS writes it
		}
	}
	return func(line string) bool {
		for _, term := range excluded {
			if strings.Contains(line, term) {
				return false
			}
		}
		for _, term := range required {
			if !strings.Contains(line, term) {
				return false
			}
		}
		if len(required) > 0 || len(optional) == 0 {
			return true
		}
		for _, term := range optional {
			if strings.Contains(line, term) {
				return true
			}
		}
		return false
	}, nil
}
