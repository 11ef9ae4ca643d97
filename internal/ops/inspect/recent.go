package inspect

import (
	"cmp"
	"context"
	"slices"
	"time"

	"milepost/internal/log/eventstore"
	"milepost/internal/quotes/quotestore"
)

// Latest is a quote with the last of its events in some time.
type Latest struct {
	QuoteID string `json:"quoteId"`
	// Events counts those in that time.
	Events int `json:"events"`
	// Version, EventType, OccurredAt and Actor are those of the last.
	Version    int    `json:"version"`
	EventType  string `json:"eventType"`
	OccurredAt string `json:"occurredAt"`
	Actor      string `json:"actor"`
}

// Recent returns the quotes with an event in a time, up to a limit, those with the newest events first. Events that
// cannot be read are named.
func Recent(ctx context.Context, log *eventstore.Store, since, until time.Time, limit int) (quotes []Latest, unreadable []*eventstore.Unreadable, err error) {
	last, counts := map[string]eventstore.Place{}, map[string]int{}
	for place, err := range log.Places(ctx, eventstore.CursorAt(since), until) {
		if err != nil {
			return nil, unreadable, err
		}
		if _, ok := quotestore.QuoteID(place.StreamID); !ok {
			continue
		}
		counts[place.StreamID]++
		if place.Version > last[place.StreamID].Version { // those of the same moment come in any order
			last[place.StreamID] = place
		}
	}
	var places []eventstore.Place
	for _, place := range last {
		places = append(places, place)
	}
	slices.SortFunc(places, func(a, b eventstore.Place) int { return -cmp.Compare(a.Cursor, b.Cursor) })
	places = places[:min(len(places), limit)]
	quotes = []Latest{}
	for batch := range slices.Chunk(places, 100) {
		notices, broken, err := log.Notices(ctx, batch)
		if err != nil {
			return nil, unreadable, err
		}
		unreadable = append(unreadable, broken...)
		for _, n := range notices {
			id, _ := quotestore.QuoteID(n.StreamID)
			quotes = append(quotes, Latest{id, counts[n.StreamID], n.Version, n.EventType, n.OccurredAt, n.Actor})
		}
	}
	return quotes, unreadable, nil
}
