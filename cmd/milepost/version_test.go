package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
)

func TestVersionOfAModule(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{
		"v1.2.3":                                   "v1.2.3",
		"v0.0.0-20261201025354-1dadc97aabbc":       "v0.0.0-20261201025354-1dadc97aabbc",
		"v0.0.0-20261201025354-1dadc97aabbc+dirty": "v0.0.0-20261201025354-1dadc97aabbc+dirty",
		"(devel)": "devel",
		"":        "devel",
	} {
		if got := moduleVersion(&debug.BuildInfo{Main: debug.Module{Version: version}}); got != want {
			t.Errorf("moduleVersion of %q = %q, want %q", version, got, want)
		}
	}
}

// A program of go test has no version but that of its file.
func TestVersionIsPrinted(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"--version"}, {"--version", "vin"}, {"vin", "--version"}} {
		out, errs, status := runMilepost(t, "", args...)
		want := fmt.Sprintf("milepost devel sha256:%x\n", sha256.Sum256(text))
		if status != 0 || out != want || errs != "" {
			t.Errorf("%q: status %d, %q, %q; want %q", args, status, out, errs, want)
		}
	}
}

// TestVersionNamesTheCommit builds programs as a release is: from a commit, and with a file that was changed since.
func TestVersionNamesTheCommit(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it builds two programs")
	}
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("there is no git: ", err)
	}
	dir := t.TempDir()
	text, err := os.ReadFile("version.go")
	if err != nil {
		t.Fatal(err)
	}
	// The functions under test, in a program that needs no other module: linking the whole takes ten seconds.
	_, functions, _ := strings.Cut(string(text), "// programVersion returns")
	main := "package main\n\nimport (\n\"cmp\"\n\"crypto/sha256\"\n\"fmt\"\n\"io\"\n\"os\"\n\"runtime/debug\"\n\"strings\"\n)\n\n" +
		"func main() { fmt.Println(programVersion()) }\n\n// programVersion returns" + functions
	for name, content := range map[string]string{"go.mod": "module milepost\n\ngo 1.26\n", "main.go": main} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(name string, args ...string) string {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Dir = dir
		// A hook that runs the tests sets GIT_DIR to the repository that it belongs to.
		cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "GIT_") })
		cmd.Env = append(cmd.Env, "GOFLAGS=-trimpath", "GOWORK=off", "GIT_CONFIG_GLOBAL=/dev/null")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %q: %v\n%s", name, args, err, out)
		}
		return string(out)
	}
	program := filepath.Join(t.TempDir(), "program") // beside the tree, which it would change
	run("git", "init", "-q")
	run("git", "add", ".")
	run("git", "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-q", "-m", "begin")
	run("go", "build", "-o", program)
	if got := run(program); !regexp.MustCompile(`^v0\.0\.0-\d{14}-[0-9a-f]{12} <nil>\n$`).MatchString(got) {
		t.Errorf("version of a commit: %q", got)
	}
	if err := os.WriteFile(filepath.Join(dir, "other.go"), []byte("package main\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run("go", "build", "-o", program)
	if got := run(program); !regexp.MustCompile(`^v0\.0\.0-\d{14}-[0-9a-f]{12}\+dirty sha256:[0-9a-f]{64} <nil>\n$`).MatchString(got) {
		t.Errorf("version of a changed tree: %q", got)
	}
}
