package main

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestAByteOrderMarkIsSkipped(t *testing.T) {
	t.Parallel()
	for input, want := range map[string]string{
		"": "", "a": "a", "\ufeff": "", "\ufeffVIN": "VIN", "\ufeff\ufeffVIN": "\ufeffVIN", "VIN\ufeff": "VIN\ufeff", "\xef\xbb": "\xef\xbb", "\xef": "\xef",
	} {
		for name, r := range map[string]io.Reader{"at once": strings.NewReader(input), "byte by byte": iotest.OneByteReader(strings.NewReader(input))} {
			if got, err := io.ReadAll(withoutMark(r)); err != nil || string(got) != want {
				t.Errorf("%q %s is %q (%v), want %q", input, name, got, err, want)
			}
		}
	}
	plain, _, _ := runMilepost(t, "1HGCM82633A004352\n", "vin", "--batch", "--year-limit", "2028")
	if marked, _, status := runMilepost(t, "\ufeff1HGCM82633A004352\n", "vin", "--batch", "--year-limit", "2028"); marked != plain || status != 0 {
		t.Errorf("with a mark: status %d, %s, want %s", status, marked, plain)
	}
}
