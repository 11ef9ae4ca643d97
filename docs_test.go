package milepost_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func mustReadText(tb testing.TB, name string) string {
	tb.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

var link = regexp.MustCompile(`\]\(([^)#]+)(?:#[^)]*)?\)`)

func TestLinksOfTheDocumentsLead(t *testing.T) {
	t.Parallel()
	documents, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, document := range append(documents, "README.md") {
		for _, found := range link.FindAllStringSubmatch(mustReadText(t, document), -1) {
			if strings.Contains(found[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(document), found[1])); err != nil {
				t.Errorf("%s: %v", document, err)
			}
		}
	}
}

// library is a Go module in a row of docs/dependencies.md.
var library = regexp.MustCompile("`([a-z.]+\\.[a-z]+/[^`]+)`")

func TestEveryLibraryIsExplained(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it asks the go command about every module")
	}
	var explained []string
	for _, found := range library.FindAllStringSubmatch(mustReadText(t, "docs/dependencies.md"), -1) {
		explained = append(explained, found[1])
	}
	direct := 0
	for _, line := range goList(t, "-m", "-f", `{{if not (or .Main .Indirect)}}{{.Path}}{{end}}`, "all") {
		if line == "" {
			continue
		}
		direct++
		if !slices.Contains(explained, line) {
			t.Errorf("go.mod requires %s, which docs/dependencies.md does not explain", line)
		}
	}
	if direct == 0 {
		t.Error("go.mod requires nothing")
	}
}

// problemKind is where code names a kind of problem.
var problemKind = regexp.MustCompile(`NewProblem\(\s*http\.Status\w+, "([a-z-]+)"`)

func TestEveryKindOfProblemIsExplained(t *testing.T) {
	t.Parallel()
	explained := mustReadText(t, "docs/api.md")
	kinds := 0
	for _, pattern := range []string{"internal/api/*.go", "handlers/*/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			for _, found := range problemKind.FindAllStringSubmatch(mustReadText(t, file), -1) {
				kinds++
				if !strings.Contains(explained, fmt.Sprintf("| `/problems/%s` |", found[1])) {
					t.Errorf("docs/api.md does not explain /problems/%s", found[1])
				}
			}
		}
	}
	if kinds == 0 {
		t.Error("the code names no kind of problem")
	}
}
