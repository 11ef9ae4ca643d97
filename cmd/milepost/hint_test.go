package main

import (
	"log/slog"
	"strings"
	"testing"
)

func TestAFailureSaysWhichCommandShowsMore(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	log := slog.New(hinting{slog.NewTextHandler(&out, nil)}).With("function", "rate")
	log.Error("failed", "quote_id", "01Q", "error", "gone")
	log.Error("failed", "error", "gone")
	log.Warn("slow", "quote_id", "01Q")
	lines := strings.Split(out.String(), "\n")
	if !strings.Contains(lines[0], `see="milepost log show 01Q"`) || strings.Contains(strings.Join(lines[1:], ""), "see=") {
		t.Errorf("printed\n%s", out.String())
	}
}
