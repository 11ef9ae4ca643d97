package lambda

import (
	"strings"
	"testing"
)

func TestLinesArePassedOnWhole(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxLine)
	for name, row := range map[string]struct{ writes, want []string }{
		"a line in parts":         {[]string{"a", "b\n", "c\nd", "e\n"}, []string{"ab\n", "c\n", "de\n"}},
		"several lines at once":   {[]string{"a\nb\n"}, []string{"a\nb\n"}},
		"an end without newline":  {[]string{"a\nb"}, []string{"a\n", "b\n"}},
		"a line that is too long": {[]string{long, "y\n"}, []string{long, "y\n"}},
		"nothing":                 {nil, nil},
	} {
		var got record
		w := &wholeLines{to: &got}
		for _, text := range row.writes {
			if n, err := w.Write([]byte(text)); n != len(text) || err != nil {
				t.Errorf("%s: %d, %v", name, n, err)
			}
		}
		if err := w.end(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if strings.Join(got, "|") != strings.Join(row.want, "|") {
			t.Errorf("%s: %.80q, want %.80q", name, got, row.want)
		}
	}
}

// record has the writes that came.
type record []string

func (r *record) Write(text []byte) (int, error) {
	*r = append(*r, string(text))
	return len(text), nil
}
