package stacktest

import (
	"slices"
	"testing"

	"milepost/local/stack"
)

// NoneDenied fails a test, at its end, for each call of a function, a state machine or a rule that no policy allowed.
// On AWS it needs the permission, whatever happened to the call here. A test that expects a denial takes it with
// Denied.
func NoneDenied(tb testing.TB, s *stack.Stack) {
	tb.Helper()
	tb.Cleanup(func() {
		for _, d := range s.TakeDenied() {
			tb.Errorf("%v: no policy in template.yaml allows it", d)
		}
	})
}

// Denied checks which calls were denied since it was last asked: those that a test wants, in any order, and no others.
func Denied(tb testing.TB, s *stack.Stack, want ...stack.Denial) {
	tb.Helper()
	got := s.TakeDenied()
	for _, d := range got {
		if !slices.Contains(want, d) {
			tb.Errorf("%v was denied", d)
		}
	}
	for _, d := range want {
		if !slices.Contains(got, d) {
			tb.Errorf("%v was not denied", d)
		}
	}
}
