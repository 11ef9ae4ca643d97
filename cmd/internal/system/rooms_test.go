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
	seen := map[string]bool{}
	eachImport(t, func(file, imported string) {
		// Tests, and packages for tests, may use everything.
		if strings.HasSuffix(file, "_test.go") || strings.HasSuffix(path.Dir(file), "test") {
			return
		}
		room, _, _ := strings.Cut(file, "/")
		seen[room] = true
		if ours, ok := strings.CutPrefix(imported, "milepost/"); ok {
			other, _, _ := strings.Cut(ours, "/")
			if !slices.Contains(rooms[room], other) || other == "local" && path.Dir(file) == "cmd/bootstrap" {
				t.Errorf("%s imports %s, which it may not", file, imported)
			}
		} else if room == "domain" && isLibrary(imported) && !slices.Contains(pureLibraries, imported) {
			t.Errorf("%s imports %s; domain has the standard library and %v", file, imported, pureLibraries)
		}
	})
	for room := range rooms {
		if !seen[room] {
			t.Errorf("room %s imports nothing", room)
		}
	}
}

// isLibrary reports whether an import path is that of another module.
func isLibrary(imported string) bool {
	host, _, _ := strings.Cut(imported, "/")
	return strings.Contains(host, ".")
}

// eachImport calls fn for each import of each Go file of the module.
func eachImport(t *testing.T, fn func(file, imported string)) {
	t.Helper()
	tree := os.DirFS(root)
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") || otherModule(tree, name)) {
			return fs.SkipDir
		}
		if path.Ext(name) != ".go" {
			return nil
		}
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
			fn(name, imported)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// otherModule reports whether a directory is a Go module of its own.
func otherModule(tree fs.FS, dir string) bool {
	_, err := fs.Stat(tree, path.Join(dir, "go.mod"))
	return err == nil
}
