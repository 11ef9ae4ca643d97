package system_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rooms says what each top-level directory may import of the others. docs/architecture.md has the reasons.
var rooms = map[string][]string{
	"domain":    {"domain"},
	"schemas":   {"schemas", "domain"},
	"internal":  {"internal", "domain", "schemas"},
	"workflows": {"workflows", "domain", "schemas", "internal"},
	"handlers":  {"handlers", "domain", "schemas", "internal", "workflows"},
	"local":     {"local"},
	"cmd":       {"cmd", "domain", "schemas", "internal", "workflows", "handlers", "local"},
}

// pureLibraries are what domain imports besides the standard library.
var pureLibraries = []string{"github.com/govalues/decimal"}

func TestPackagesImportWhatTheirRoomAllows(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..", "..")
	seen := map[string]bool{}
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		dir, _ := filepath.Rel(root, filepath.Dir(file))
		room, _, _ := strings.Cut(filepath.ToSlash(dir), "/")
		switch {
		case d.IsDir() && otherModule(file) && file != root, d.IsDir() && strings.HasPrefix(d.Name(), ".") && d.Name() != "..":
			return filepath.SkipDir
		case d.IsDir(), !strings.HasSuffix(file, ".go"), strings.HasSuffix(file, "_test.go"), strings.HasSuffix(dir, "test"):
			return nil // tests, and packages for tests, may use everything
		}
		seen[room] = true
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range parsed.Imports {
			imported, _ := strconv.Unquote(spec.Path.Value)
			first, _, _ := strings.Cut(imported, "/")
			switch {
			case first == "milepost":
				other, _, _ := strings.Cut(strings.TrimPrefix(imported, "milepost/"), "/")
				if !slices.Contains(rooms[room], other) {
					t.Errorf("%s imports %s, which %s may not", file, imported, room)
				}
				if strings.HasPrefix(filepath.ToSlash(dir), "cmd/bootstrap") && other == "local" {
					t.Errorf("%s imports %s, which does not belong on Lambda", file, imported)
				}
			case room == "domain" && strings.Contains(first, ".") && !slices.Contains(pureLibraries, imported):
				t.Errorf("%s imports %s; the domain has the standard library and %v", file, imported, pureLibraries)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for room := range rooms {
		if !seen[room] {
			t.Errorf("room %s has no Go files", room)
		}
	}
}

// otherModule reports whether a directory is a Go module of its own.
func otherModule(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}
