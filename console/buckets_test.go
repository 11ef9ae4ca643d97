package console

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

func TestTheBeginningOfAnObject(t *testing.T) {
	t.Parallel()
	packed := func(pack func(io.Writer) io.WriteCloser, text string) string {
		var b bytes.Buffer
		w := pack(&b)
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	gzipped := func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }
	zstded := func(w io.Writer) io.WriteCloser {
		e, err := zstd.NewWriter(w)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	long := strings.Repeat("é", objectBytes)
	for name, row := range map[string]struct {
		body, want string
		cut        bool
	}{
		"nothing":         {"", "", false},
		"a text":          {"one", "one", false},
		"gzip":            {packed(gzipped, "two"), "two", false},
		"zstd":            {packed(zstded, "three"), "three", false},
		"a bomb":          {packed(zstded, strings.Repeat("0", 100<<20)), strings.Repeat("0", objectBytes), true},
		"letters in half": {"x" + long, "x" + long[:objectBytes-2], true},
		"bytes":           {"\x00\x01", "", false},
		"not UTF-8":       {"\xff\xfe", "", false},
	} {
		if text, cut, err := beginning(strings.NewReader(row.body)); err != nil || text != row.want || cut != row.cut {
			t.Errorf("%s: %.40q (%d), %t, %v; want %.40q (%d), %t", name, text, len(text), cut, err, row.want, len(row.want), row.cut)
		}
	}
	if _, _, err := beginning(strings.NewReader("\x28\xb5\x2f\xfdrest")); err == nil {
		t.Error("a damaged one was read")
	}
}

func TestSizesAreShort(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0 B", 9999: "9999 B", 10000: "10 KB", 12_345_678: "12 MB", 1 << 62: "4611686 TB"} {
		if got := size(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
