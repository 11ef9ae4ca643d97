package conformancetest

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// Read returns a file of the recorded cases. They are in $CONFORMANCE_DIR, or else in ../shared/conformance beside the
// repository. The test is skipped if they are absent.
func Read(tb testing.TB, name string) []byte {
	tb.Helper()
	dir := os.Getenv("CONFORMANCE_DIR")
	if dir == "" {
		dir = filepath.Join(root(tb), "..", "shared", "conformance")
	}
	data, err := os.ReadFile(filepath.Join(dir, name))
	if errors.Is(err, os.ErrNotExist) {
		tb.Skipf("the recorded cases are not here (set CONFORMANCE_DIR): %v", err)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// root is the directory with go.mod.
func root(tb testing.TB) string {
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			tb.Fatal("no go.mod above the working directory")
		}
		dir = filepath.Dir(dir)
	}
}
