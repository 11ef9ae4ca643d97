package quotestore

import (
	"context"

	"milepost/domain/quote"
	"milepost/internal/log/eventstore"
)

// Decided are the events of one order, as another program decided them.
type Decided struct {
	Order
	Events []quote.Event
}

// Adopt adds a new quote that another program has decided on, with the times of its orders, as an import of the given
// name does: the events are announced as part of a playback, so no workflow starts. If the log has another event in
// their place, the error is *eventstore.Different, and nothing is added.
func (s *Store) Adopt(ctx context.Context, quoteID string, decided []Decided, name string) error {
	if s.Keys == nil {
		return errNoKeys
	}
	customer := customerOf(quote.Quote{}, decided[0].Events)
	if err := s.MakeKey(ctx, customer); err != nil {
		return err
	}
	var events []eventstore.Event
	for _, d := range decided {
		for place, what := range d.Events {
			e, err := eventOf(ctx, quoteID, d.Order, place, what)
			if err != nil {
				return err
			}
			if err := s.seal(ctx, customer, &e); err != nil {
				return err
			}
			if e.Version = len(events) + 1; len(events) > 0 {
				e.PreviousHash = events[len(events)-1].Hash()
			}
			events = append(events, e)
		}
	}
	_, err := s.Log.Import(ctx, events, name)
	return err
}
