package notice_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"milepost/internal/bounds"
	"milepost/internal/log/eventstore"
	"milepost/internal/quotes/notice"
)

// TestNoCallIsLargerThanTheBusTakes: events that are imported may have metadata of any size.
func TestNoCallIsLargerThanTheBusTakes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		actor, first int // the size of the actor's name, and how many are in the first call
	}{
		"small":                   {10, bounds.Announcements},
		"as large as an envelope": {bounds.Envelope, bounds.Announcements},
		"larger":                  {60 << 10, 4},
		"alone":                   {250 << 10, 1},
		"for no bus":              {bounds.Notice, 0},
	} {
		n := eventstore.Notice{
			StreamID: "quote-1", Version: 3, EventType: "QuoteRequested", OccurredAt: "2026-05-01T12:00:00Z", Actor: strings.Repeat("x", test.actor),
		}
		entry, err := notice.Entry("bus", n)
		if bad, is := errors.AsType[*eventstore.Unreadable](err); is != (test.first == 0) || is && (bad.StreamID != n.StreamID || bad.Version != n.Version) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil {
			continue
		}
		calls := slices.Collect(notice.Calls(slices.Repeat([]types.PutEventsRequestEntry{entry}, 25)))
		if len(calls[0]) != test.first || len(slices.Concat(calls...)) != 25 {
			t.Errorf("%s: %d in the first call, want %d", name, len(calls[0]), test.first)
		}
	}
	if _, err := notice.Entry("bus", eventstore.Notice{OccurredAt: "yesterday"}); err == nil {
		t.Error("a notice without an instant is announced")
	}
}
