package dynamodb

import (
	"slices"
	"strings"
)

// token is a word, a name (#n), a value (:v), a number or a symbol of an expression. The last
// token of every expression is the empty one.
type token struct {
	text     string
	from, to int // its position in the expression
}

func (t token) isWord() bool   { return t.text != "" && isLetter(t.text[0]) }
func (t token) isName() bool   { return t.text != "" && t.text[0] == '#' }
func (t token) isValue() bool  { return t.text != "" && t.text[0] == ':' }
func (t token) isNumber() bool { return t.text != "" && isDigit(t.text[0]) }

// isKeyword reports whether a word belongs to the syntax of expressions and so cannot be a name.
func (t token) isKeyword() bool {
	return slices.ContainsFunc([]string{"AND", "OR", "NOT", "IN", "BETWEEN", "SET", "REMOVE", "ADD", "DELETE"}, t.is)
}

// is compares with a keyword, whose case does not matter.
func (t token) is(keyword string) bool { return strings.EqualFold(t.text, keyword) }

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }

// lex splits an expression into tokens.
func lex(text string) ([]token, error) {
	var tokens []token
	for i := 0; i < len(text); {
		start := i
		switch c := text[i]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
			continue
		case c == '0':
			i++
		case isDigit(c):
			for i < len(text) && isDigit(text[i]) {
				i++
			}
		case isLetter(c) && c != '_' || c == '#' || c == ':':
			i++
			for i < len(text) && (isLetter(text[i]) || isDigit(text[i])) {
				i++
			}
			if i == start+1 && (c == '#' || c == ':') {
				return nil, syntaxError(text, token{text[start:i], start, i}, token{text[start:i], start, i})
			}
		case c == '<' && i+1 < len(text) && (text[i+1] == '=' || text[i+1] == '>'), c == '>' && i+1 < len(text) && text[i+1] == '=':
			i += 2
		case strings.IndexByte("()[],.=<>+-", c) >= 0:
			i++
		default:
			at := token{text[start : start+1], start, start + 1}
			return nil, syntaxError(text, at, at)
		}
		tokens = append(tokens, token{text[start:i], start, i})
	}
	return append(tokens, token{"", len(text), len(text)}), nil
}

// syntaxError quotes the offending token and the text from its neighbor first to its neighbor last.
func syntaxError(text string, at, first token, last ...token) error {
	shown := at.text
	if shown == "" {
		shown = "<EOF>"
	}
	to := at.to
	if len(last) > 0 {
		to = last[0].to
	}
	return expressionError("Syntax error; token: \"%s\", near: \"%s\"", shown, text[first.from:to])
}
