package system_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
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
	tree := os.DirFS("../../..")
	seen := map[string]bool{}
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") || otherModule(tree, name)) {
			return fs.SkipDir
		}
		// Tests, and packages for tests, may use everything.
		if path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") || strings.HasSuffix(path.Dir(name), "test") {
			return nil
		}
		room, _, _ := strings.Cut(name, "/")
		seen[room] = true
		text, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			host, _, _ := strings.Cut(imported, "/")
			if ours, ok := strings.CutPrefix(imported, "milepost/"); ok {
				other, _, _ := strings.Cut(ours, "/")
				if !slices.Contains(rooms[room], other) || other == "local" && path.Dir(name) == "cmd/bootstrap" {
					t.Errorf("%s imports %s, which it may not", name, imported)
				}
			} else if room == "domain" && strings.Contains(host, ".") && !slices.Contains(pureLibraries, imported) {
				t.Errorf("%s imports %s; domain has the standard library and %v", name, imported, pureLibraries)
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
func otherModule(tree fs.FS, dir string) bool {
	_, err := fs.Stat(tree, path.Join(dir, "go.mod"))
	return err == nil
}
