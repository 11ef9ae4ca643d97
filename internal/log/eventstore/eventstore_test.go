package eventstore_test

import (
	"testing"

	"milepost/internal/log/eventstore/eventstoretest"
	"milepost/internal/stacktest"
)

func TestStoreOnTheLocalRuntime(t *testing.T) {
	t.Parallel()
	eventstoretest.Run(t, stacktest.Open(t, nil).Log())
}
