package main

import (
	"fmt"
	"strings"
	"time"
)

// moment is a point in time as the command line takes it: in RFC 3339, or as how long ago it was.
type moment struct{ time.Time }

// UnmarshalText reads "2026-05-01T09:30:00Z", "36h" or "36h ago".
func (m *moment) UnmarshalText(text []byte) (err error) {
	if m.Time, err = time.Parse(time.RFC3339, string(text)); err == nil {
		return nil
	}
	ago, err := time.ParseDuration(strings.TrimSuffix(string(text), " ago"))
	if err != nil || ago < 0 {
		return fmt.Errorf("%q is neither a time like 2026-05-01T09:30:00Z nor one that is so long ago, like 36h", text)
	}
	m.Time = time.Now().Add(-ago)
	return nil
}
