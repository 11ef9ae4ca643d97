package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"milepost/internal/platform/stored"
)

// printJSON writes what a program is to read.
func printJSON(out io.Writer, v any) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

// clock formats a time for a reader; the zero time is "-".
func clock(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

// printFaults names what could not be read, one a line.
func printFaults(out io.Writer, f stored.Faults) {
	for _, fault := range f.Named {
		fmt.Fprintln(out, fault)
	}
	if f.Unnamed > 0 {
		fmt.Fprintf(out, "and %d more\n", f.Unnamed)
	}
}

// failedFor ends a command whose last step returned err: it fails if there are faults.
func failedFor(f stored.Faults, err error) error {
	if err == nil && f.Count() > 0 {
		return exitStatus(1)
	}
	return err
}
