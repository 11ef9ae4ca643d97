package bounds_test

import (
	"reflect"
	"slices"
	"testing"

	"milepost/internal/bounds"
)

// TestChain: each limit fits into the one that has to hold it.
func TestChain(t *testing.T) {
	t.Parallel()
	const (
		drivers   = 20 // schemas/openapi.yaml; the largest request is tried in system
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
		"full items in a BatchWriteItem call":            {bounds.Batched * bounds.Item, bounds.Batch},
		"keys in a TransactWriteItems call":              {bounds.Transacted * bounds.Key, bounds.Transaction},
		"two of an item in a TransactWriteItems call":    {2 * bounds.Item, bounds.Transaction},
		"notices, which are envelopes, in PutEvents":     {bounds.Announcements * bounds.Envelope, bounds.Announced},
	} {
		if part.size > part.holder {
			t.Errorf("%s: %d bytes do not fit into %d", what, part.size, part.holder)
		}
	}
}

// TestPartsAreBoundedByCountAndSize: an element's value is its size.
func TestPartsAreBoundedByCountAndSize(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		all  []int
		want [][]int
	}{
		"nothing":                    {nil, nil},
		"by count":                   {[]int{1, 1, 1, 1}, [][]int{{1, 1, 1}, {1}}},
		"by size":                    {[]int{6, 4, 1}, [][]int{{6, 4}, {1}}},
		"one above the size":         {[]int{1, 11, 1}, [][]int{{1}, {11}, {1}}},
		"two above the size":         {[]int{11, 11}, [][]int{{11}, {11}}},
		"of no size, by count alone": {[]int{0, 0, 0, 0}, [][]int{{0, 0, 0}, {0}}},
	} {
		got := slices.Collect(bounds.Parts(test.all, 3, 10, func(n int) int { return n }))
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}
