package notice_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"milepost/domain/quote/quotetest"
	"milepost/internal/log/eventstore"
	"milepost/internal/platform"
	"milepost/internal/quotes/notice"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/stacktest"
)

func TestANoticeIsReadAsEventBridgeWritesIt(t *testing.T) {
	t.Parallel()
	const live = `{"version":"0","id":"x","detail-type":"QuoteOffered","source":"milepost.quote","account":"000000000000",
		"time":"2026-05-01T12:00:00Z","region":"us-east-1","resources":[],"detail":{"eventId":"e","eventType":"QuoteOffered","schemaVersion":1,
		"streamId":"quote-1","version":4,"occurredAt":"2026-05-01T12:00:00.5Z","commandId":"c","correlationId":"r","actor":"rate"}}`
	var n notice.Delivery
	if err := json.Unmarshal([]byte(live), &n); err != nil {
		t.Fatal(err)
	}
	want := eventstore.Notice{
		EventID: "e", EventType: "QuoteOffered", SchemaVersion: 1, StreamID: "quote-1", Version: 4,
		OccurredAt: "2026-05-01T12:00:00.5Z", CommandID: "c", CorrelationID: "r", Actor: "rate",
	}
	if n.Detail != want || n.Replayed() {
		t.Errorf("Notice=%+v", n)
	}
	if err := json.Unmarshal([]byte(strings.Replace(live, `"id":"x"`, `"id":"x","replay-name":"again"`, 1)), &n); err != nil || !n.Replayed() {
		t.Errorf("a replayed notice is read as %+v", n)
	}
}

func TestANoticeOfAnEventThatIsNotThereIsABadPayload(t *testing.T) {
	t.Parallel()
	s := stacktest.Open(t, nil).Quotes()
	order := quotestore.Order{ID: "submit", At: time.Unix(0, 0), Command: quotetest.MustExample(t, "E01").Submit()}
	if _, err := s.Create(t.Context(), quotetest.ID, order); err != nil {
		t.Fatal(err)
	}
	n := notice.Delivery{Detail: eventstore.Notice{StreamID: quotestore.StreamID(quotetest.ID)}}
	for _, version := range []int{-1, 0, 2} {
		n.Detail.Version = version
		_, _, err := n.Latest(t.Context(), s)
		if _, ok := errors.AsType[*platform.BadPayload](err); !ok {
			t.Errorf("version %d: error=%v, want *BadPayload", version, err)
		}
	}
}
