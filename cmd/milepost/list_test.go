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
