package outbox_test

import (
	"testing"

	"milepost/internal/notify/outbox"
	"milepost/internal/stacktest"
)

func init() {
	outbox.Open = func(tb testing.TB) *outbox.Store { return stacktest.Open(tb, nil).Parts().Outbox() }
}
