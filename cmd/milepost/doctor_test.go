package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestTheDoctorFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	s := mustServe(t, append(freePorts, "--memory")...)
	well := []string{"doctor", "--data", t.TempDir(), "--api", s.api, "--bureau", s.bureau, "--console", s.api, "--endpoint", "http://" + s.aws}
	out, errs, status := runMilepost(t, "", well...)
	if status != 0 || strings.Contains(out, "WRONG") || !strings.Contains(out, "milepost, CREATE_COMPLETE, account 000000000000") {
		t.Errorf("status %d, %s%s", status, out, errs)
	}
	empty := t.TempDir()
	if err := os.WriteFile(filepath.Join(empty, "state.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	out, _, status = runMilepost(t, "", "doctor", "--json", "--data", empty, "--api", "127.0.0.1:1", "--bureau", s.bureau, "--console", s.api, "--endpoint", "http://"+s.aws, "--stack", "other")
	var found []finding
	if err := json.Unmarshal([]byte(out), &found); err != nil || status != 1 {
		t.Fatalf("status %d, %v: %s", status, err, out)
	}
	var wrong []string
	for _, f := range found {
		if f.Wrong != "" {
			wrong = append(wrong, f.What)
		}
	}
	slices.Sort(wrong)
	if !slices.Equal(wrong, []string{"API", "data", "stack"}) {
		t.Errorf("wrong are %v: %s", wrong, out)
	}
}

func TestShellsCompleteCommandLines(t *testing.T) {
	t.Parallel()
	for line, want := range map[string][]string{
		"re":                        {"rebuild", "replay"},
		"dlq ":                      {"list", "redrive", "show"},
		"dlq redrive --dry":         {"--dry-run"},
		"completion ":               {"bash", "fish", "zsh"},
		"log export --f":            nil,
		"mail list --status OBS":    nil, // a list of values, which is not completed
		"nothing here --nonsense a": nil,
	} {
		out, errs, status := runMilepost(t, "", append([]string{"completion", "words", "--"}, strings.Split(line, " ")...)...)
		got := strings.Fields(out)
		if line == "completion " || line == "dlq " {
			got = slices.DeleteFunc(got, func(w string) bool { return strings.HasPrefix(w, "--") || w == "words" })
		}
		if status != 0 || want != nil && !slices.Equal(got, want) {
			t.Errorf("%q: status %d, %v, want %v%s", line, status, got, want, errs)
		}
	}
	for shell := range scripts {
		if out, _, status := runMilepost(t, "", "completion", shell); status != 0 || !strings.Contains(out, "milepost completion words") {
			t.Errorf("%s: status %d, %s", shell, status, out)
		}
	}
}
