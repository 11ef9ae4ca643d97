package milepost_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

func mustReadText(tb testing.TB, name string) string {
	tb.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

// link is a link of a Markdown page, with the page that it leads to and the heading there.
var link = regexp.MustCompile(`\]\(([^)#\s]*)(?:#([^)\s]*))?\)`)

// documents are all Markdown pages of the repository.
func documents(tb testing.TB) []string {
	tb.Helper()
	return ending(tb, ".md")
}

// ending are the files of the repository whose names end in a suffix.
func ending(tb testing.TB, suffix string) (paths []string) {
	tb.Helper()
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() && (name == "node_modules" || path != "." && name != ".github" && strings.HasPrefix(name, ".")) {
			return filepath.SkipDir
		}
		if strings.HasSuffix(name, suffix) {
			paths = append(paths, path)
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return paths
}

// headings are the names under which links reach the headings of a page, as GitHub makes them.
func headings(page string) (names []string) {
	fenced := false
	for line := range strings.Lines(page) {
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
		}
		text, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " ")
		if fenced || !ok || !strings.HasPrefix(line, "#") {
			continue
		}
		names = append(names, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, strings.TrimSpace(text)))
	}
	return names
}

func TestLinksOfTheDocumentsLead(t *testing.T) {
	t.Parallel()
	for _, document := range documents(t) {
		text := mustReadText(t, document)
		for _, found := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(found[1], "://") {
				continue
			}
			target := document
			if found[1] != "" {
				target = filepath.Join(filepath.Dir(document), found[1])
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %v", document, err)
				continue
			}
			if found[2] != "" && !slices.Contains(headings(mustReadText(t, target)), found[2]) {
				t.Errorf("%s: %s has no heading #%s", document, target, found[2])
			}
		}
	}
}

func TestEveryDecisionIsListedAndShort(t *testing.T) {
	t.Parallel()
	records, err := filepath.Glob("docs/decisions/[0-9]*.md")
	if err != nil || len(records) == 0 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	list := mustReadText(t, "docs/decisions/README.md")
	for i, record := range records {
		text := mustReadText(t, record)
		title, _, _ := strings.Cut(text, "\n")
		number := fmt.Sprintf("# %d. ", i+1)
		if !strings.HasPrefix(title, number) || !strings.HasPrefix(filepath.Base(record), fmt.Sprintf("%04d-", i+1)) {
			t.Errorf("%s, %q: want number %d", record, title, i+1)
		}
		row := fmt.Sprintf("| [%d](%s) | %s | ", i+1, filepath.Base(record), strings.TrimPrefix(title, number))
		if !strings.Contains(list, row) {
			t.Errorf("docs/decisions/README.md has no row %q", row)
		}
		for _, heading := range []string{"context", "decision", "consequences"} {
			if !slices.Contains(headings(text), heading) {
				t.Errorf("%s has no heading %s", record, heading)
			}
		}
		if lines := strings.Count(text, "\n"); lines > 40 {
			t.Errorf("%s has %d lines, at most 40 are wanted", record, lines)
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

// TestTheDocumentsNameTestsThatExist finds a test that a document names and that was renamed since.
func TestTheDocumentsNameTestsThatExist(t *testing.T) {
	t.Parallel()
	declared := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, "_test.go") {
			for _, found := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(mustReadText(t, path), -1) {
				declared[found[1]] = true
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, document := range documents(t) {
		for _, found := range regexp.MustCompile("`(Test[A-Z]\\w+)`").FindAllStringSubmatch(mustReadText(t, document), -1) {
			operation := slices.Contains([]string{"TestEventPattern", "TestState"}, found[1]) // of AWS
			if !declared[found[1]] && !operation {
				t.Errorf("%s: there is no test %s", document, found[1])
			}
		}
	}
}

// TestEveryPackageOfTheLocalRuntimeIsListed finds a package that the room's own page does not mention.
func TestEveryPackageOfTheLocalRuntimeIsListed(t *testing.T) {
	t.Parallel()
	page := mustReadText(t, "local/README.md")
	entries, err := os.ReadDir("local")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if entry.IsDir() && !regexp.MustCompile("(?m)^\\| .*`"+entry.Name()+"`.* \\| ").MatchString(page) {
			t.Errorf("local/README.md does not list %s", entry.Name())
		}
	}
}

// accents are phrases that make a reader stop, each with what Go's own documentation says instead.
var accents = []struct{ phrase, instead string }{
	{`\bgives (?:the|an?|nil|true|false|what|whether|all)\b`, "returns"},
	{`\btells (?:whether|that|if|of)\b`, "reports whether, says that"},
	{`\bstands? for\b`, "means, represents"},
	{`\b(?:once more|anew)\b`, "again"},
	{`\bpersons\b|\bfor who\b`, "people, personal data, for callers that"},
	{`\bgo(?:es)? on (?:there|where|behind|with|after|as)\b`, "continues"},
	{`\bcomes? to (?:nothing|its end|the same|another)\b`, "has no effect, ends, has"},
	{`\bthat is none\b|\bas good as none\b`, "that is not one, ignored"},
	{`\bstands? (?:there|twice|behind|in the way|beside)\b`, "is, has"},
	{`\bsimply\b|\bjust (?:an?|the|run|use|call)\b`, "(nothing)"},
}

// comment is a comment of a Go file that has its line to itself.
var comment = regexp.MustCompile(`(?m)^\s*// (.*)$`)

// TestTheProseIsPlain reads the documents and the comments of the code.
func TestTheProseIsPlain(t *testing.T) {
	t.Parallel()
	prose := map[string]string{}
	for _, document := range documents(t) {
		prose[document] = mustReadText(t, document)
	}
	for _, path := range ending(t, ".go") {
		for _, found := range comment.FindAllStringSubmatch(mustReadText(t, path), -1) {
			prose[path] += found[1] + "\n"
		}
	}
	for _, accent := range accents {
		phrase := regexp.MustCompile(accent.phrase)
		for path, text := range prose {
			for _, found := range phrase.FindAllString(text, -1) {
				t.Errorf("%s: %q; instead: %s", path, found, accent.instead)
			}
		}
	}
}
