package archive

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// members takes the members of a JSON object out of its text, in the order in which they were written and without
// blanks, and remembers the first missing one. It takes a tenth of the time of encoding/json and half of that of
// jsontext, and no line of an archive is written otherwise.
type members struct {
	rest string
	next string // what precedes the next member: "{" or ","
	err  error
}

// value moves to the value of a member, and returns false if another one follows.
func (m *members) value(name string) bool {
	rest, ok := strings.CutPrefix(m.rest, m.next)
	if ok {
		rest, ok = strings.CutPrefix(rest, `"`)
	}
	if ok {
		rest, ok = strings.CutPrefix(rest, name)
	}
	if ok {
		rest, ok = strings.CutPrefix(rest, `":`)
	}
	if ok {
		m.rest, m.next = rest, ","
	}
	return ok
}

// text is a member that is a string.
func (m *members) text(name string) string {
	if !m.value(name) {
		m.fail(name)
	}
	return m.string(name)
}

// optional is a text that may be missing.
func (m *members) optional(name string) string {
	if !m.value(name) {
		return ""
	}
	return m.string(name)
}

// bytes is a member in base64 that may be missing.
func (m *members) bytes(name string) []byte {
	text := m.optional(name)
	if text == "" {
		return nil
	}
	decoded, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		m.fail(name)
	}
	return decoded
}

func (m *members) string(name string) string {
	if m.err != nil {
		return ""
	}
	if m.rest == "" || m.rest[0] != '"' {
		m.fail(name)
		return ""
	}
	if plain, rest, ok := strings.Cut(m.rest[1:], `"`); ok && strings.IndexByte(plain, '\\') < 0 {
		m.rest = rest
		return plain
	}
	end := 1
	for end < len(m.rest) && m.rest[end] != '"' {
		if m.rest[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(m.rest) {
		m.fail(name)
		return ""
	}
	quoted := m.rest[:end+1]
	m.rest = m.rest[end+1:]
	var text string
	if err := json.Unmarshal([]byte(quoted), &text); err != nil {
		m.fail(name)
	}
	return text
}

// number is a member that is a whole number.
func (m *members) number(name string) int {
	if !m.value(name) {
		m.fail(name)
		return 0
	}
	end := strings.IndexAny(m.rest, ",}")
	if end < 0 {
		end = len(m.rest)
	}
	n, err := strconv.Atoi(m.rest[:end])
	if err != nil {
		m.fail(name)
	}
	m.rest = m.rest[end:]
	return n
}

// time is a member that is a time.
func (m *members) time(name string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, m.text(name))
	if err != nil {
		m.fail(name)
	}
	return t
}

// open goes into a member that is an object, and close out of it.
func (m *members) open(name string) {
	if !m.value(name) {
		m.fail(name)
	}
	m.next = "{"
}

func (m *members) close() {
	var ok bool
	if m.rest, ok = strings.CutPrefix(m.rest, "}"); !ok {
		m.fail("the end of an object")
	}
}

func (m *members) fail(name string) {
	if m.err == nil {
		m.err = fmt.Errorf("it is not an event: %s is not where it should be, or not what it should be", name)
	}
}
