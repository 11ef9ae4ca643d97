package storage_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"milepost/local/storage"
)

// pageSize is that of the file's pages, on machines with pages of that size.
const pageSize = 4096

// newFile writes a file with some hundred keys, some of which take several pages, and returns its bytes.
func newFile(t *testing.T) (content map[string]string, file []byte) {
	t.Helper()
	path := newPath(t)
	s, err := storage.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	content = map[string]string{}
	for i := range 300 {
		key, value := fmt.Sprintf("%03d", i), strings.Repeat("x", i)
		if i%50 == 0 {
			value = strings.Repeat("y", 3*pageSize)
		}
		content[key] = value
		if err := s.Commit(set(key, value)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if file, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	return content, file
}

// TestADamagedFileIsTold damages a file in many ways. It is refused in one line that names it and says what to do,
// or, where the damage is in no page that is used, it has all that it had.
func TestADamagedFileIsTold(t *testing.T) {
	t.Parallel()
	if os.Getpagesize() != pageSize {
		t.Skipf("this machine's pages have %d bytes", os.Getpagesize())
	}
	content, file := newFile(t)
	random := rand.NewChaCha8([32]byte{1})
	overwritten := func(at, size int, with byte) []byte {
		b := bytes.Clone(file)
		for i := at; i < min(at+size, len(b)); i++ {
			b[i] = with
		}
		return b
	}
	damages := map[string][]byte{
		"empty": {}, "one byte": file[:1], "something else": []byte(strings.Repeat("no database", 1000)),
		"no head": overwritten(0, 2*pageSize, 0), "all zero": make([]byte, len(file)),
	}
	for i := 1; i < 16; i++ {
		damages[fmt.Sprintf("cut off after %d/16", i)] = file[:len(file)*i/16]
	}
	for at := 0; at < len(file); at += pageSize {
		damages[fmt.Sprintf("page %d of zeros", at/pageSize)] = overwritten(at, pageSize, 0)
		damages[fmt.Sprintf("page %d of ones", at/pageSize)] = overwritten(at, pageSize, 0xff)
		noise := bytes.Clone(file)
		random.Read(noise[at:min(at+pageSize, len(noise))])
		damages[fmt.Sprintf("page %d of noise", at/pageSize)] = noise
		swapped := bytes.Clone(file)
		copy(swapped[at:], file[len(file)/2:min(len(file)/2+pageSize, len(file))])
		damages[fmt.Sprintf("page %d of another place", at/pageSize)] = swapped
	}
	refused := 0
	for name, damage := range damages {
		path := newPath(t)
		if err := os.WriteFile(path, damage, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := storage.Open(path)
		if err != nil {
			refused++
			text := err.Error()
			if !strings.Contains(text, path+" is damaged: ") || !strings.Contains(text, "put a copy of it back") || strings.Contains(text, "\n") {
				t.Errorf("%s: %q", name, text)
			}
			if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, damage) {
				t.Errorf("%s: the damaged file has been changed", name)
			}
			continue
		}
		got := mustContent(t, s, "b")
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		for key, value := range content {
			if len(got) != len(content) || len(got[key]) != len(value) { // noise within a long value is not seen
				t.Errorf("%s: opened, with %d of %d keys", name, len(got), len(content))
				break
			}
		}
	}
	if refused < len(damages)/4 {
		t.Errorf("%d of %d damages are refused", refused, len(damages))
	}
}

// TestAFileIsMadeOnce has many who make one file at the same time. One gets it, and what it writes stays.
func TestAFileIsMadeOnce(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	var all sync.WaitGroup
	opened := make(chan *storage.Store, 8)
	for range cap(opened) {
		all.Go(func() {
			if s, err := storage.Open(path); err == nil {
				opened <- s
			} else if !strings.Contains(err.Error(), "another process has it open") {
				t.Error(err)
			}
		})
	}
	first := <-opened
	if err := first.Commit(set("k", "v")); err != nil {
		t.Fatal(err)
	}
	all.Wait()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if got := mustContent(t, mustOpen(t, path), "b"); !maps.Equal(got, map[string]string{"k": "v"}) || len(opened) > 0 {
		t.Errorf("%d more opened it, and it has %v", len(opened), got)
	}
	if files, err := os.ReadDir(filepath.Dir(path)); err != nil || len(files) != 1 {
		t.Errorf("left over: %v, %v", files, err)
	}
}

func TestWhatCannotBeReadIsToldAsDamage(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	s := mustOpen(t, path)
	if err := s.Commit(set("k", "v")); err != nil {
		t.Fatal(err)
	}
	err := s.Each("b", func(_, _ []byte) error { return fmt.Errorf("no JSON") })
	if want := path + ` is damaged: b/"k": no JSON; put a copy of it back, or move it away to begin with nothing`; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// TestABrokenStoreTakesNothingUntilItIsMended has commits fail for a while.
func TestABrokenStoreTakesNothingUntilItIsMended(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, newPath(t))
	full := errors.New("no space left on device")
	for i, broken := range []error{nil, full, full, nil} {
		s.Break(broken)
		if err := s.Commit(set(fmt.Sprint(i), "v")); !errors.Is(err, broken) || broken == nil && err != nil {
			t.Errorf("commit %d returned %v, want %v", i, err, broken)
		}
	}
	assertContent(t, s, map[string]string{"0": "v", "3": "v"})
}
