package storage_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"milepost/local/storage"
)

func mustOpen(t *testing.T, path string) *storage.Store {
	t.Helper()
	s, err := storage.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func newPath(t *testing.T) string { return filepath.Join(t.TempDir(), "state.db") }

func set(key, value string) storage.Op {
	return storage.Op{Bucket: "b", Key: []byte(key), Value: []byte(value)}
}

// mustContent is everything in a bucket; it checks that the keys come in order.
func mustContent(t *testing.T, s *storage.Store, bucket string) map[string]string {
	t.Helper()
	content := map[string]string{}
	var keys []string
	if err := s.Each(bucket, func(key, value []byte) error {
		keys = append(keys, string(key))
		content[string(key)] = string(value)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if !slices.IsSorted(keys) {
		t.Errorf("keys %q are not in order", keys)
	}
	return content
}

func assertContent(t *testing.T, s *storage.Store, want map[string]string) {
	t.Helper()
	if got := mustContent(t, s, "b"); !maps.Equal(got, want) {
		t.Errorf("content=%v, want %v", got, want)
	}
}

func TestWhatIsCommittedIsThereAfterAReopening(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	s, err := storage.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(set("a", "1"), set("c", "3"), set("b", "2"), set("a", "one"), storage.Op{Bucket: "b", Key: []byte("c")}, set("empty", "")); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"a": "one", "b": "2", "empty": ""}
	assertContent(t, s, want)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	assertContent(t, mustOpen(t, path), want)
}

func TestACommitIsAllOrNothing(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, newPath(t))
	if err := s.Commit(set("a", "1"), storage.Op{Bucket: "b", Key: nil, Value: []byte("no key")}); err == nil {
		t.Error("a key that is empty is taken")
	}
	assertContent(t, s, map[string]string{})
	if err := s.Commit(set("a", "1")); err != nil {
		t.Errorf("after a failed commit: %v", err)
	}
	assertContent(t, s, map[string]string{"a": "1"})
}

func TestLoadingFromAKey(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, newPath(t))
	if err := s.Commit(set("a", "1"), set("b", "2"), set("d", "4"), set("e", "5")); err != nil {
		t.Fatal(err)
	}
	for from, want := range map[string]string{"": "abd", "a": "abd", "b": "bde", "c": "de", "e": "e", "f": ""} {
		got := ""
		if err := s.EachFrom("b", []byte(from), func(key, _ []byte) bool {
			got += string(key)
			return len(got) < 3
		}); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("from %q: %q, want %q", from, got, want)
		}
	}
	stop := errors.New("stop")
	if err := s.Each("b", func(_, _ []byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("error=%v, want that of the function", err)
	}
	if got := mustContent(t, s, "no such bucket"); len(got) != 0 {
		t.Errorf("a bucket that is not there has %v", got)
	}
}

func TestManyCommitsAtTheSameTimeAreAllKept(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	s, err := storage.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	var wg sync.WaitGroup
	for w := range 8 {
		for i := range 50 {
			want[fmt.Sprintf("%d/%d", w, i)] = fmt.Sprint(i)
		}
		wg.Go(func() {
			for i := range 50 {
				key := fmt.Sprintf("%d/%d", w, i)
				if err := s.Commit(set(key, fmt.Sprint(i))); err != nil {
					t.Error(err)
					return
				}
				// What was committed can be read at once.
				if err := s.EachFrom("b", []byte(key), func(k, _ []byte) bool {
					if string(k) != key {
						t.Errorf("%s is not there after its commit", key)
					}
					return false
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	assertContent(t, mustOpen(t, path), want)
}

func TestNothingIsTakenAfterClose(t *testing.T) {
	t.Parallel()
	s, err := storage.Open(newPath(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(set("a", "1")); !errors.Is(err, storage.ErrClosed) {
		t.Errorf("error=%v, want %v", err, storage.ErrClosed)
	}
}

func TestNoStoreKeepsNothing(t *testing.T) {
	t.Parallel()
	var s *storage.Store
	if err := s.Commit(set("a", "1")); err != nil {
		t.Error(err)
	}
	if got := mustContent(t, s, "b"); len(got) != 0 {
		t.Errorf("content=%v", got)
	}
	if err := s.EachFrom("b", nil, func(_, _ []byte) bool { t.Error("there is a pair"); return false }); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestAFileThatCannotBeOpenedIsNamed(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	mustOpen(t, path)
	broken := filepath.Join(t.TempDir(), "broken.db")
	if err := os.WriteFile(broken, []byte(strings.Repeat("no database", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{
		"one that is open already":       path,
		"one in a directory that is not": filepath.Join(t.TempDir(), "none", "state.db"),
		"one that is something else":     broken,
	} {
		if s, err := storage.Open(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: store=%v error=%v", name, s, err)
		}
	}
}

// writerPath names the file that this test binary writes to when it is started by
// TestWhatIsCommittedSurvivesAKill.
const writerPath = "STORAGE_TEST_WRITER_PATH"

func TestMain(m *testing.M) {
	if path := os.Getenv(writerPath); path != "" {
		writeForEver(path)
	}
	os.Exit(m.Run())
}

// writeForEver commits pairs of keys and says which after each.
func writeForEver(path string) {
	s, err := storage.Open(path)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for i := 0; ; i++ {
		key := fmt.Sprintf("%06d", i)
		if err := s.Commit(set(key+"a", key), set(key+"b", key)); err != nil {
			os.Exit(1)
		}
		fmt.Println(key)
	}
}

func TestWhatIsCommittedSurvivesAKill(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), writerPath+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := make([]byte, 0, 1<<20)
	for buffer := make([]byte, 4096); len(said) < 200*len("000000\n"); {
		n, err := out.Read(buffer)
		said = append(said, buffer[:n]...)
		if err != nil {
			t.Fatalf("the writer ended: %v %s", err, said)
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it says that the process was killed
	content := mustContent(t, mustOpen(t, path), "b")
	lines := strings.Split(string(said), "\n")
	for _, key := range lines[:len(lines)-1] {
		if content[key+"a"] != key || content[key+"b"] != key {
			t.Errorf("pair %s was committed and is not there", key)
		}
	}
	if len(content)%2 != 0 {
		t.Errorf("%d keys: a pair is there by half", len(content))
	}
}
