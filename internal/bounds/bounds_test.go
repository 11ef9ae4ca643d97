package bounds_test

import (
	"testing"

	"milepost/internal/bounds"
)

// TestChain: each limit fits into the one that has to hold it.
func TestChain(t *testing.T) {
	t.Parallel()
	const (
		drivers   = 20 // schemas/openapi.yaml; the largest request is tried in cmd/internal/system
		providers = 2  // of a vehicle
	)
	for what, part := range map[string]struct{ size, holder int }{
		"a request, written out in full, in an event":    {3*bounds.Body + bounds.Envelope, bounds.Item},
		"a request in the payload of a function":         {2 * bounds.Body, bounds.Payload},
		"the answers of all drivers in an event":         {drivers*bounds.Kept(drivers) + bounds.Envelope, bounds.Item},
		"the answers of all vehicles in an event":        {drivers * providers * bounds.Kept(drivers*providers), bounds.Item - bounds.Envelope},
		"the same as JSON":                               {drivers * bounds.Whole(drivers), bounds.Data - bounds.Envelope},
		"one answer, however large, as JSON":             {bounds.Whole(1), bounds.Data},
		"an event in a batch of the stream, in base64":   {bounds.Item / 3 * 4, bounds.Payload},
		"an event in an answer of the API, quoted twice": {2*bounds.Data + bounds.Envelope, bounds.Payload},
		"a notice, which is an envelope":                 {bounds.Envelope, bounds.Notice},
		"the input of an execution, which is less":       {bounds.Envelope, bounds.Execution},
		"a report of fifty incidents, at least":          {16 << 10, bounds.Kept(drivers)},
		"a decoded vehicle, at least":                    {8 << 10, bounds.Kept(drivers * providers)},
	} {
		if part.size > part.holder {
			t.Errorf("%s: %d bytes do not fit into %d", what, part.size, part.holder)
		}
	}
}
