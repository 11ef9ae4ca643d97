package filterpattern_test

import (
	"strings"
	"testing"

	"milepost/local/filterpattern"
)

var matches = []struct {
	pattern, line string
	want          bool
}{
	{"", "anything", true},
	{"ERROR", "an ERROR here", true},
	{"ERROR", "an error here", false},
	{"ERROR disk", "ERROR: the disk", true},
	{"ERROR disk", "ERROR: the net", false},
	{"?ERROR ?WARN", "WARN", true},
	{"?ERROR ?WARN", "INFO", false},
	{"?ERROR REQUEST", "REQUEST", true},
	{"ERROR -disk", "ERROR net", true},
	{"ERROR -disk", "ERROR disk", false},
	{`"not \"found\""`, `it is not "found"`, true},
	{`-"a b"`, "a b", false},

	{`{ $.a = "x" }`, `{"a":"x"}`, true},
	{`{ $.a = "x" }`, `{"a":"X"}`, false},
	{`{ $.a = x* }`, `{"a":"xyz"}`, true},
	{`{ $.a = "*y*" }`, `{"a":"xyz"}`, true},
	{`{ $.a = "x" && ($.b > 3 || $.c IS NULL) }`, `{"a":"x","b":4}`, true},
	{`{ $.a = "x" && ($.b > 3 || $.c IS NULL) }`, `{"a":"x","b":3,"c":null}`, true},
	{`{ $.a = "x" && ($.b > 3 || $.c IS NULL) }`, `{"a":"x","b":3}`, false},
	{`{ $.a = 1 || $.a = 2 && $.b = 3 }`, `{"a":1}`, true},
	{`{ $.a >= 1e2 }`, `{"a":100}`, true},
	{`{ $.a <= 1.5 }`, `{"a":1.6}`, false},
	{`{ $.a = 1 }`, `{"a":"1"}`, false},
	{`{ $.a != 1 }`, `{"a":2}`, true},
	{`{ $.a != 1 }`, `{}`, false},
	{`{ $.a[1].b = "x" }`, `{"a":[0,{"b":"x"}]}`, true},
	{`{ $['a b'] = "x" }`, `{"a b":"x"}`, true},
	{`{ $.a = "*" }`, `{"a":{}}`, false},
	{`{ $.a IS TRUE }`, `{"a":true}`, true},
	{`{ $.a IS FALSE }`, `{"a":null}`, false},
	{`{ $.a NOT EXISTS }`, `{"b":1}`, true},
	{`{ $.a NOT EXISTS }`, `{"a":null}`, false},
	{`{ $.a NOT EXISTS }`, `not JSON`, false},

	{"[ip, user]", "::1 me", true},
	{"[ip, user]", "::1 me too", false},
	{"[ip, ..., status = 5*]", `::1 - [a day] "GET /" 503`, true},
	{"[ip, ..., status = 5*]", `::1 - [a day] "GET /" 404`, false},
	{"[..., status >= 500 && status < 502, size]", "x 501 7", true},
	{"[a, b = 404 || b = 500]", "x 500", true},
	{`[a, request = "GET /*"]`, `x "GET /y"`, true},
	{"[a != x]", "y", true},
}

func TestMatch(t *testing.T) {
	for _, tt := range matches {
		p, err := filterpattern.Compile(tt.pattern)
		if err != nil {
			t.Errorf("Compile(%q): %v", tt.pattern, err)
			continue
		}
		if got := p.Match(tt.line); got != tt.want {
			t.Errorf("%q matches %q: %v, want %v", tt.pattern, tt.line, got, tt.want)
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	for pattern, want := range map[string]string{
		"a:b":                       "Invalid character(s) in term 'a:b'",
		`"open`:                     "not closed",
		"%x%":                       "regular expressions",
		"?":                         "a value is missing",
		"{ $.a = %x% }":             "regular expressions",
		"{ $.a[*] = 1 }":            "[*]",
		"{ $.a > x }":               "compares numbers",
		"{ $.a }":                   "an operator is missing",
		"{ ($.a = 1 }":              "a parenthesis is not closed",
		"{ $.a = 1 } x":             "end with one }",
		"{ a = 1 }":                 "begin with $",
		"{ $.a IS NOT NULL }":       "an operator is missing",
		"[a, ..., b, ...]":          "one ... only",
		"[a":                        "end with one ]",
		strings.Repeat("a", 1024+1): "longer than 1024",
	} {
		if _, err := filterpattern.Compile(pattern); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Compile(%q): %v, want an error with %q", pattern, err, want)
		}
	}
}

func FuzzCompile(f *testing.F) {
	for _, tt := range matches {
		f.Add(tt.pattern, tt.line)
	}
	f.Fuzz(func(t *testing.T, pattern, line string) {
		p, err := filterpattern.Compile(pattern)
		if err != nil {
			return
		}
		if first := p.Match(line); p.Match(line) != first {
			t.Error("a line matches once and not again")
		}
		if strings.TrimSpace(pattern) == "" && !p.Match(line) {
			t.Error("an empty pattern should match every line")
		}
	})
}
