package main

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
)

// atLeast passes on lines, but those that a logger of JSON wrote below a level. A write has whole lines.
type atLeast struct {
	to    io.Writer
	level slog.Level
}

func (a *atLeast) Write(text []byte) (int, error) {
	var passed []byte
	for part := range bytes.Lines(text) {
		var line struct{ Level *slog.Level }
		if err := json.Unmarshal(part, &line); err == nil && line.Level != nil && *line.Level < a.level {
			continue
		}
		passed = append(passed, part...)
	}
	if _, err := a.to.Write(passed); err != nil {
		return 0, err
	}
	return len(text), nil
}
