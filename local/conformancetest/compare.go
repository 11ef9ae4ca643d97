// Package conformancetest compares the answers of a local service with those recorded on AWS: Read returns the recorded
// cases, Compare says where an answer differs.
package conformancetest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Compare compares actual, a value decoded from JSON, with the recorded expected. It returns nil or an error that names
// the first place where they differ.
//
// In expected the string "*" matches any value, and a "*" within a string any run of characters. An actual string is
// read as JSON if expected is not a string. Numbers, float64 or json.Number, compare by value.
func Compare(expected, actual any) error {
	return compare("$", expected, actual)
}

func compare(path string, expected, actual any) error {
	if text, ok := actual.(string); ok {
		if _, ok := expected.(string); !ok {
			decoded, err := decode(text)
			if err != nil {
				return fmt.Errorf("%s: got the text %q, want %v", path, text, expected)
			}
			actual = decoded
		}
	}
	switch want := expected.(type) {
	case string:
		return compareString(path, want, actual)
	case map[string]any:
		return compareObject(path, want, actual)
	case []any:
		got, ok := actual.([]any)
		if !ok || len(got) != len(want) {
			return mismatch(path, expected, actual)
		}
		for i := range want {
			if err := compare(fmt.Sprintf("%s[%d]", path, i), want[i], got[i]); err != nil {
				return err
			}
		}
		return nil
	}
	want, isNumber := number(expected)
	got, ok := number(actual)
	if isNumber != ok || want != got || !isNumber && expected != actual {
		return mismatch(path, expected, actual)
	}
	return nil
}

func compareString(path, want string, actual any) error {
	if want == "*" {
		return nil
	}
	got, ok := actual.(string)
	if !ok {
		return mismatch(path, want, actual)
	}
	if glob(want, got) {
		return nil
	}
	w, wantErr := decode(want)
	g, gotErr := decode(got)
	if wantErr == nil && gotErr == nil && isDocument(w) && isDocument(g) {
		return compare(path, w, g)
	}
	return mismatch(path, want, got)
}

func compareObject(path string, want map[string]any, actual any) error {
	got, ok := actual.(map[string]any)
	if !ok {
		return mismatch(path, want, actual)
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		value, ok := got[key]
		if !ok {
			return fmt.Errorf("%s.%s: missing, want %v", path, key, want[key])
		}
		if err := compare(path+"."+key, want[key], value); err != nil {
			return err
		}
	}
	for _, key := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[key]; !ok {
			return fmt.Errorf("%s.%s: got %v, want no such member", path, key, got[key])
		}
	}
	return nil
}

func decode(text string) (any, error) {
	var v any
	err := json.Unmarshal([]byte(text), &v)
	return v, err
}

func isDocument(v any) bool {
	switch v.(type) {
	case map[string]any, []any:
		return true
	}
	return false
}

func number(v any) (float64, bool) {
	switch n := v.(type) {
	case float64:
		return n, true
	case int:
		return float64(n), true
	case int64:
		return float64(n), true
	case json.Number:
		f, err := n.Float64()
		return f, err == nil
	}
	return 0, false
}

// glob matches text against pattern, in which each "*" matches any run of characters.
func glob(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == text
	}
	first, last := parts[0], parts[len(parts)-1]
	if !strings.HasPrefix(text, first) {
		return false
	}
	text = text[len(first):]
	for _, part := range parts[1 : len(parts)-1] {
		_, rest, ok := strings.Cut(text, part)
		if !ok {
			return false
		}
		text = rest
	}
	return strings.HasSuffix(text, last)
}

func mismatch(path string, expected, actual any) error {
	return fmt.Errorf("%s: got %v (%T), want %v (%T)", path, actual, actual, expected, expected)
}
