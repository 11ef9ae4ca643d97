package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestTheDemonstrationFillsARunningSystem: and a second run says that it changed nothing.
func TestTheDemonstrationFillsARunningSystem(t *testing.T) {
	t.Parallel()
	s := mustServe(t, append(freePorts, "--memory")...)
	var made []struct {
		Status string
		New    bool
	}
	first := mustEnd(t, "demo", "--api", s.api, "--aws", s.aws, "--json")
	if err := json.Unmarshal([]byte(first.out), &made); err != nil || first.status != 0 || len(made) < 40 {
		t.Fatalf("status %d, %d quotes, %v: %s", first.status, len(made), err, first.err)
	}
	for _, q := range made {
		if !q.New || q.Status == "" {
			t.Errorf("%+v, want a new quote with a status", q)
		}
	}
	second := mustEnd(t, "demo", "--api", s.api, "--aws", s.aws)
	if second.status != 0 || !strings.Contains(second.out, "\nNothing was changed: all ") || strings.Contains(second.out, "has changed since") {
		t.Errorf("status %d, %s%s, want that nothing was changed", second.status, second.out, second.err)
	}
}

// TestTheDemonstrationIsForLocalSystems: a system elsewhere is filled only if that is meant, and without one there is
// advice.
func TestTheDemonstrationIsForLocalSystems(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		args []string
		want string
	}{
		"an API elsewhere":         {[]string{"--api=quotes.example.com:443"}, "quotes.example.com:443 is not an address of this machine"},
		"an AWS elsewhere":         {[]string{"--aws=10.1.2.3:4566"}, "10.1.2.3:4566 is not an address of this machine"},
		"no system":                {[]string{"--aws=127.0.0.1:1"}, "start a system with milepost run"},
		"no system, and elsewhere": {[]string{"--aws=127.0.0.1:1", "--api=quotes.example.com:443", "--elsewhere"}, "start a system with milepost run"},
	} {
		out, errs, status := runMilepost(t, "", append([]string{"demo"}, row.args...)...)
		if status != 1 || out != "" || !strings.Contains(errs, row.want) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%s: status %d, %s%s, want 1 and %q", name, status, out, errs, row.want)
		}
	}
}
