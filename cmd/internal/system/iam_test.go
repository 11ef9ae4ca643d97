package system_test

import (
	"testing"

	"milepost/cmd/internal/system"
)

func TestProbe(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		id := s.submit("ada", example())
		s.settle()
		s.assertPriced(id)
		for role, grants := range s.Unused() {
			for _, g := range grants {
				t.Logf("%s %+v", role, g)
			}
		}
	})
}
