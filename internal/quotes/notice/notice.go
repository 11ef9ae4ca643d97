// Package notice is what the bus carries: a Notice for each event of the log, announced by one
// function and heard by the others.
package notice

import (
	"milepost/internal/log/eventstore"
	"milepost/internal/platform"
	"milepost/internal/quotes/quotestore"
)

// Source is the event source of quotes on the bus.
const Source = "milepost.quote"

// Delivery is an event as EventBridge delivers it.
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
