package quotestore

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"milepost/domain/quote"
	"milepost/internal/log/eventstore"
)

// Page is a part of a quote's log, with what the rest of the log says about this part.
type Page struct {
	// CustomerID is the quote's customer.
	CustomerID string
	// Events are those of the page with their personal data, unless these were erased.
	Events []eventstore.Event
	// ReversedBy has the versions of the events that were undone, each with that of its reversal.
	ReversedBy map[int]int
	// Erased reports whether personal data is missing because the customer's key was erased.
	Erased bool
	// More reports whether more events follow the page.
	More bool
}

// pageBytes is how much of a log is held for one page, as it is stored.
const pageBytes = 2 << 20

var errNoJSON = errors.New("its data are not JSON")

// LoadPage reads up to limit events of a quote after a version, and fewer large ones. A quote without events has an
// empty page. A log of more than one page is read a second time, to find what undoes events of the page. With Impersonal
// the personal data stay sealed.
func (s *Store) LoadPage(ctx context.Context, quoteID string, after, limit int, options ...Option) (Page, error) {
	events, more, err := s.Log.Page(ctx, StreamID(quoteID), after, limit, pageBytes)
	if err != nil {
		return Page{}, err
	}
	for _, e := range events { // they are shown as they are, and not decoded
		if !json.Valid(e.Data) {
			return Page{}, &eventstore.Unreadable{StreamID: e.StreamID, Version: e.Version, Err: errNoJSON}
		}
	}
	p := Page{Events: events, ReversedBy: map[int]int{}, More: more}
	if p.CustomerID, err = s.customerIn(ctx, quoteID, events); err != nil {
		return Page{}, err
	}
	effects := events
	if after > 0 || more {
		if effects, err = s.Log.OfTypes(ctx, StreamID(quoteID), quote.TypeEventReversed, quote.TypePersonalDataErased); err != nil {
			return Page{}, err
		}
	}
	for _, e := range effects {
		switch e.Type {
		case quote.TypePersonalDataErased:
			p.Erased = true
		case quote.TypeEventReversed:
			decoded, err := decodeAll([]eventstore.Event{e}, decode)
			if err != nil {
				return Page{}, err
			}
			if r, ok := decoded[0].(quote.EventReversed); ok {
				p.ReversedBy[r.Version] = e.Version
			}
		}
	}
	if !p.Erased && !slices.Contains(options, Impersonal) {
		p.Erased, err = s.Unseal(ctx, p.Events)
	}
	return p, err
}

// Since reads up to limit events of a quote after a version, and fewer large ones, without their personal data.
func (s *Store) Since(ctx context.Context, quoteID string, version, limit int) ([]eventstore.Event, error) {
	events, _, err := s.Log.Page(ctx, StreamID(quoteID), version, limit, pageBytes)
	return events, err
}

// customerIn is the customer whose quote events are of, "" if there are none. Only the first event of a quote has it.
func (s *Store) customerIn(ctx context.Context, quoteID string, events []eventstore.Event) (string, error) {
	if len(events) == 0 {
		return "", nil
	}
	first := events[:1]
	if first[0].Version > 1 {
		var err error
		if first, _, err = s.Log.Page(ctx, StreamID(quoteID), 0, 1, pageBytes); err != nil {
			return "", err
		}
	}
	q, err := Fold(first)
	return q.CustomerID, err
}
