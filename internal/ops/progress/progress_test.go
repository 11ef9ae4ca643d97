package progress_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"milepost/internal/ops/progress"
)

func TestAFileKeepsWhatWasWrittenLast(t *testing.T) {
	t.Parallel()
	file := progress.File(filepath.Join(t.TempDir(), "progress.json"))
	if text, ok, err := file.Read(); ok || err != nil {
		t.Errorf("before the first write: %s, %v, %v", text, ok, err)
	}
	for _, cursor := range []string{"a", "b"} {
		if err := file.Write(map[string]string{"cursor": cursor}); err != nil {
			t.Fatal(err)
		}
		if text, ok, err := file.Read(); string(text) != `{"cursor":"`+cursor+`"}` || !ok || err != nil {
			t.Errorf("%s: %s, %v, %v", cursor, text, ok, err)
		}
	}
	for range 2 {
		if err := file.Remove(); err != nil {
			t.Error(err)
		}
	}
	if left, err := filepath.Glob(filepath.Dir(string(file)) + "/*"); len(left) > 0 || err != nil {
		t.Errorf("%v is left, %v", left, err)
	}
}

// TestAWriteThatFailsLeavesWhatWasWrittenBefore: what cannot be encoded, and a disk that takes nothing.
func TestAWriteThatFailsLeavesWhatWasWrittenBefore(t *testing.T) {
	t.Parallel()
	file := progress.File(filepath.Join(t.TempDir(), "progress.json"))
	if err := file.Write(1); err != nil {
		t.Fatal(err)
	}
	if err := file.Write(func() {}); err == nil {
		t.Error("a function was written")
	}
	if err := os.Mkdir(string(file)+".part", 0o700); err != nil { // the next version cannot be written there
		t.Fatal(err)
	}
	if err := file.Write(2); err == nil {
		t.Error("a version was written into a directory")
	}
	if text, ok, err := file.Read(); string(text) != "1" || !ok || err != nil {
		t.Errorf("%s, %v, %v; want 1", text, ok, err)
	}
}

func TestADamagedFileIsSetAsideWhole(t *testing.T) {
	t.Parallel()
	file := progress.File(filepath.Join(t.TempDir(), "progress.json"))
	if err := os.WriteFile(string(file), []byte("what somebody needs"), 0o600); err != nil {
		t.Fatal(err)
	}
	aside, err := file.SetAside()
	if err != nil || !strings.HasPrefix(aside, string(file)+".damaged-") {
		t.Fatalf("%s, %v", aside, err)
	}
	if text, err := os.ReadFile(aside); string(text) != "what somebody needs" {
		t.Errorf("%s, %v", text, err)
	}
	if _, ok, err := file.Read(); ok || err != nil {
		t.Errorf("the file is still there: %v", err)
	}
}

func TestNoFileKeepsNothing(t *testing.T) {
	t.Parallel()
	var none progress.File
	text, ok, err := none.Read()
	got := []any{none.Write(1), none.Remove(), text, ok, err}
	if want := []any{nil, nil, []byte(nil), false, nil}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestAFileIsRefusedBeforeTheWorkBegins(t *testing.T) {
	t.Parallel()
	there := t.TempDir()
	for name, want := range map[string]string{
		there: there + " is a directory", there + "/no/progress.json": "there is no directory " + there + "/no", there + "/progress.json": "",
	} {
		err := progress.File(name).Validate()
		if got := errText(err); want == "" && err != nil || !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestWorkIsResumedWhereItsFileSays: at the beginning if there is no file or a damaged one, and not if it is of other
// work.
func TestWorkIsResumedWhereItsFileSays(t *testing.T) {
	t.Parallel()
	type work struct {
		Name string
		At   int
	}
	whole := func(w work) bool { return w.Name != "" }
	same := func(w work) bool { return w.Name == "rebuild" }
	begin := work{"rebuild", 0}
	for kept, want := range map[string]struct {
		work  work
		aside bool
		err   error
	}{
		"":                            {work: begin},
		`{"Name":"rebuild","At":3}`:   {work: work{"rebuild", 3}},
		`{"Name":"rebuild","At":`:     {work: begin, aside: true},
		`{"At":3}`:                    {work: begin, aside: true},
		`{"Name":"playback","At":10}`: {work: begin, err: progress.ErrOther},
	} {
		file := progress.File(filepath.Join(t.TempDir(), "progress.json"))
		if kept != "" {
			if err := os.WriteFile(string(file), []byte(kept), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		got, aside, err := progress.Resume(file, begin, whole, same)
		if got != want.work || (aside != "") != want.aside || !errors.Is(err, want.err) {
			t.Errorf("%s: %+v, aside %q, %v; want %+v", kept, got, aside, err, want)
		}
		if text, err := os.ReadFile(aside); want.aside && (string(text) != kept || err != nil) {
			t.Errorf("%s: aside is %q, %v", kept, text, err)
		}
		if text, ok, err := file.Read(); err != nil || ok != (kept != "" && !want.aside) || ok && string(text) != kept {
			t.Errorf("%s: the file keeps %q, %v", kept, text, err)
		}
	}
}
