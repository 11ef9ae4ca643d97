// Package fault lets a test disturb how messages travel in the local runtime, within what AWS
// allows: more than once, late, out of order, and with functions that crash at any moment.
package fault

import (
	"context"
	"encoding/json"
	"time"
)

// Plan says what goes wrong. The zero Plan, and a nil one, disturb nothing.
type Plan struct {
	// StreamBatch returns the batches that are delivered instead of one batch of stream records, in order. Every record
	// must be in at least one of them.
	StreamBatch func(records []json.RawMessage) [][]json.RawMessage
	// Event returns, for one event on its way to one target of one rule, the delay of each delivery. No delays mean one
	// immediate delivery.
	Event func(ruleARN, targetARN string, event []byte) []time.Duration
	// Call is asked before each call to a service with a JSON protocol, such as PutEvents: its error, an *awsapi.Error,
	// is the answer. The caller is awsapi.CallerOf. It may block, so that calls meet.
	Call func(ctx context.Context, operation string) error
	// Invoke is called between the runtime and a function's handler. It calls next, or fails or panics before or after
	// it.
	Invoke func(ctx context.Context, function string, payload []byte, next func(context.Context, []byte) ([]byte, error)) ([]byte, error)
}
