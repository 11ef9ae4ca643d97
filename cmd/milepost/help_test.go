package main

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// printsNoJSON are commands without --json: they serve, or their output is JSON anyway or meant for another program as it is.
var printsNoJSON = []string{"run", "console", "completion", "token", "example", "rate", "vin"}

// commandLine is a line of an example that calls the program.
var commandLine = regexp.MustCompile(`(?m)^ *(?:\$ )?(?:.* \| )?(?:go run \./cmd/)?milepost (.+)$`)

// word is a word of a command line, and ofShell what ends the program's part of it.
var (
	word    = regexp.MustCompile(`"[^"]*"|\S+`)
	ofShell = regexp.MustCompile(` +(?:\d?>|[|<#]).*`)
)

// examples returns the command lines in a text. A variable of the shell becomes an address.
func examples(text string) (lines [][]string) {
	text = strings.ReplaceAll(text, "\\\n", " ")
	for _, found := range commandLine.FindAllStringSubmatch(text, -1) {
		words := word.FindAllString(ofShell.ReplaceAllString(found[1], ""), -1)
		for i, w := range words {
			words[i] = os.Expand(strings.Trim(w, `"`), func(string) string { return "http://127.0.0.1:4566" })
		}
		lines = append(lines, words)
	}
	return lines
}

// blocks are the parts of a document that show what is typed and printed.
var blocks = regexp.MustCompile("(?s)```(?:sh)?\n.*?```")

// documented returns the command lines in the documents.
func documented(t *testing.T) (lines [][]string) {
	t.Helper()
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, "../../README.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range blocks.FindAllString(string(text), -1) {
			lines = append(lines, examples(block)...)
		}
	}
	return lines
}

func mustParser(t *testing.T) *kong.Kong {
	t.Helper()
	parser, err := newParser(t.Context(), streams{out: io.Discard, err: io.Discard}, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	return parser
}

// TestTheReadmeListsEveryCommand compares the row of cmd/milepost in the README with the commands.
func TestTheReadmeListsEveryCommand(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile("(?m)^\\| `cmd/milepost` \\| .*: (.*) \\|$").FindStringSubmatch(string(text))
	if row == nil {
		t.Fatal("the README has no row of cmd/milepost")
	}
	var commands []string
	for _, c := range mustParser(t).Model.Children {
		if !c.Hidden {
			commands = append(commands, c.Name)
		}
	}
	listed := strings.Split(strings.ReplaceAll(row[1], "`", ""), ", ")
	slices.Sort(commands)
	slices.Sort(listed)
	if !slices.Equal(commands, listed) {
		t.Errorf("the README lists %v\nthere are  %v", listed, commands)
	}
}

func TestEveryCommandHasHelpWithAnExampleAndJSON(t *testing.T) {
	t.Parallel()
	documented := documented(t)
	for _, leaf := range mustParser(t).Model.Leaves(false) {
		name := strings.TrimPrefix(leaf.FullPath(), "milepost ")
		path := strings.Fields(name)
		begins := func(line []string) bool { return len(line) >= len(path) && slices.Equal(line[:len(path)], path) }
		out, errs, status := runMilepost(t, "", append(path, "--help")...)
		if status != 0 || errs != "" || !strings.Contains(out, leaf.Help[:20]) {
			t.Errorf("%s --help: status %d, %s%s", name, status, out, errs)
		}
		if !slices.ContainsFunc(examples(leaf.Detail), begins) {
			t.Errorf("the help of %s has no example", name)
		}
		if !slices.ContainsFunc(documented, begins) {
			t.Errorf("the documents have no example of %s", name)
		}
		json := slices.ContainsFunc(leaf.Flags, func(f *kong.Flag) bool { return f.Name == "json" })
		if json == slices.Contains(printsNoJSON, name) {
			t.Errorf("%s has --json: %v", name, json)
		}
	}
}

// The variables are the process's, so this test has no others beside it.
func TestExamplesAreRightUse(t *testing.T) {
	t.Setenv("USER", "eve")
	lines := documented(t)
	for _, leaf := range mustParser(t).Model.Leaves(false) {
		lines = append(lines, examples(leaf.Detail)...)
	}
	for _, line := range lines {
		// A binary that is not built yet is not wrong usage.
		if _, err := mustParser(t).Parse(line); err != nil && !strings.Contains(err.Error(), "dist/bootstrap: no such file") {
			t.Errorf("milepost %s: %v", strings.Join(line, " "), err)
		}
	}
}
