package main

import (
	"log/slog"
	"strings"
	"testing"
)

func TestLinesBelowTheLevelAreLeftOut(t *testing.T) {
	t.Parallel()
	const lines = `{"level":"INFO","msg":"a"}
{"level":"ERROR","msg":"b"}
panic: c
{"level":"WARN","msg":"d"}
{"level":"strange"}
{"msg":"f"}
`
	for level, want := range map[slog.Level]string{
		slog.LevelInfo:  lines,
		slog.LevelWarn:  strings.Join(strings.SplitAfter(lines, "\n")[1:], ""),
		slog.LevelError: `{"level":"ERROR","msg":"b"}` + "\npanic: c\n" + `{"level":"strange"}` + "\n" + `{"msg":"f"}` + "\n",
	} {
		var got strings.Builder
		if n, err := (&atLeast{&got, level}).Write([]byte(lines)); n != len(lines) || err != nil || got.String() != want {
			t.Errorf("%v: %d, %v\n%s\nwant\n%s", level, n, err, got.String(), want)
		}
	}
}
