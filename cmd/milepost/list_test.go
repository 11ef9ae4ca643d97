package main

import (
	"strings"
	"testing"
)

func TestAListIsPrintedInEitherFormat(t *testing.T) {
	t.Parallel()
	for want, f := range map[string]format{
		"NAME  REASON\na     b, \"c\"\nd     -\n": {},
		"name,reason\na,\"b, \"\"c\"\"\"\nd,\n":   {CSV: true},
	} {
		l := newList("name", "reason")
		l.add("a", `b, "c"`)
		l.add("d", "-")
		var out strings.Builder
		if err := l.print(&out, f); err != nil || out.String() != want {
			t.Errorf("%+v: %v\n%swant\n%s", f, err, out.String(), want)
		}
	}
}

func TestATerminalShowsWhatFits(t *testing.T) {
	t.Parallel()
	l := newList("name")
	l.add("a")
	l.add("b")
	l.mark()
	for want, got := range map[string]string{
		"\x1b[1mNAME\x1b[0m": l.drawn("NAME", -1, 10, true), "a": l.drawn("a", 0, 10, true), "\x1b[31mb\x1b[0m": l.drawn("b", 1, 10, true),
		"üb": l.drawn("üb", 0, 2, false), "ü…": l.drawn("übe", 0, 2, false), "whole": l.drawn("whole", 1, 2, false), "very long": l.drawn("very long", 0, 0, false),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
