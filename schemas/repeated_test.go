package schemas_test

import (
	"errors"
	"testing"

	"milepost/schemas"
)

// TestAMemberThatStandsTwiceIsNamed wherever it is, and however it is written.
func TestAMemberThatStandsTwiceIsNamed(t *testing.T) {
	t.Parallel()
	for body, pointer := range map[string]string{
		`{"reason": "a", "reason": "a"}`:                   "/reason",
		`{"reason": "a", "\u0072eason": "b"}`:              "/reason",
		`{"reason": {"a": 1, "b": [{"c": 1, "c": 2}]}}`:    "/reason/b/0/c",
		`{"a/b": 1, "a~": 1, "a/b": 1}`:                    "/a~1b",
		`{"reason": "\ud800", "reason": "b"}`:              "/reason",
		`{"reason": 1e999999, "reason": 2.5}`:              "/reason",
		`{"policy": {"a": 1}, "x": 1, "policy": {"b": 1}}`: "/policy", // which a decoder may merge
		`{"reason": "a", "Reason": "a"}`:                   "",        // another member, which is unknown
		`{"reason": ["a", "a"], "x": {"reason": 1}}`:       "",
		`{"reason": "a"}`:                                  "",
	} {
		var v any
		err := schemas.DecodeBody("Withdrawal", []byte(body), &v)
		twice, ok := errors.AsType[*schemas.Repeated](err)
		if ok != (pointer != "") || ok && twice.Pointer != pointer {
			t.Errorf("%s: %v, want %q", body, err, pointer)
		}
	}
}
