// Package notice is what the bus carries: an eventstore.Notice for each event of the log, which one function publishes
// as an Entry, and the others receive as a Delivery.
package notice

import (
	"context"
	"fmt"

	"milepost/internal/log/eventstore"
	"milepost/internal/platform"
	"milepost/internal/quotes/quotestore"
)

// Source is the event source of quotes on the bus.
const Source = "milepost.quote"

// Delivery is a notice as EventBridge delivers it.
type Delivery struct {
	// ReplayName is set when the event comes from a replay of the archive.
	ReplayName string            `json:"replay-name"`
	Detail     eventstore.Notice `json:"detail"`
}

// Replayed reports whether the notice is about the past: from a replay of the archive or a playback of
// the log. Then nothing may leave the system and no workflow may start.
func (n Delivery) Replayed() bool { return n.ReplayName != "" || n.Detail.Playback != "" }

// Subject is what the notice is about, for the log.
func (n Delivery) Subject() platform.Subject {
	quoteID, _ := quotestore.QuoteID(n.Detail.StreamID)
	return platform.Subject{
		QuoteID: quoteID, CorrelationID: n.Detail.CorrelationID, EventType: n.Detail.EventType, Version: n.Detail.Version,
		Actor: n.Detail.Actor,
	}
}

// Latest reads the quote that a notice is about as it is now; current is false when an amendment or a reversal has come
// since the notice's event: that one's notice says what to do.
func (n Delivery) Latest(ctx context.Context, quotes *quotestore.Store, options ...quotestore.Option) (h quotestore.History, current bool, err error) {
	quoteID, ok := quotestore.QuoteID(n.Detail.StreamID)
	if !ok {
		return h, false, &platform.BadPayload{Err: fmt.Errorf("%q is not the stream of a quote", n.Detail.StreamID)}
	}
	if h, err = quotes.Latest(ctx, quoteID, options...); err != nil {
		return h, false, err
	}
	if n.Detail.Version < 1 || n.Detail.Version > h.Quote.Version {
		return h, false, &platform.BadPayload{Err: fmt.Errorf("stream %s has no event %d", n.Detail.StreamID, n.Detail.Version)}
	}
	return h, n.Detail.Version >= max(h.Quote.Grounds.Opened, h.Quote.Reversal), nil
}
