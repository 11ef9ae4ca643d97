// Package inspect reads the log, without projections: the quotes with events in a time, one quote as it was at any
// time, and what changed in it.
package inspect

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"milepost/domain/rating"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/quotes/readmodel"
)

// Point is a point in a quote's life: a version, or an instant. The zero Point is now.
type Point struct {
	Version int
	At      time.Time
}

// Of cuts a quote's history at the point, and returns the instant of the point, which decides whether the quote has
// expired.
func (p Point) Of(h quotestore.History) (quotestore.History, time.Time, error) {
	requested := h.Events[0].OccurredAt
	switch {
	case p.Version > h.Quote.Version:
		return h, time.Time{}, fmt.Errorf("the quote is at version %d; there is no version %d", h.Quote.Version, p.Version)
	case p.Version > 0:
		then, err := h.AtVersion(p.Version)
		return then, h.Events[p.Version-1].OccurredAt, err
	case p.At.IsZero():
		return h, time.Now(), nil
	case p.At.Before(requested):
		return h, time.Time{}, fmt.Errorf("the quote begins at %s, with version 1", requested.UTC().Format(time.RFC3339))
	}
	then, err := h.AsOf(p.At)
	return then, p.At, err
}

// Event is an event as an operator sees it: without its data, which is personal.
type Event struct {
	Version    int       `json:"version"`
	EventType  string    `json:"eventType"`
	OccurredAt time.Time `json:"occurredAt"`
	Actor      string    `json:"actor"`
	EventID    string    `json:"eventId"`
	Causation  string    `json:"causationId,omitempty"`
	// ReversedBy is the version of the event that undid it, or 0 if none did.
	ReversedBy int    `json:"reversedBy,omitempty"`
	Hash       string `json:"hash"`
}

// Events returns the events of a quote.
func Events(h quotestore.History) []Event {
	events := make([]Event, len(h.Events))
	for i, e := range h.Events {
		events[i] = Event{e.Version, e.Type, e.OccurredAt, e.Metadata.Actor, e.ID, e.Metadata.CausationID, h.Quote.Log[i].ReversedBy, e.Hash()}
	}
	return events
}

// Change is a member of a quote that changed.
type Change struct {
	// Path is the JSON pointer of the member.
	Path   string `json:"path"`
	Before any    `json:"before,omitempty"`
	After  any    `json:"after,omitempty"`
}

// Compare returns what changed in a quote between two versions, in the order of the members' pointers.
func Compare(h quotestore.History, from, to int) ([]Change, error) {
	before, err := membersAt(h, from)
	if err != nil {
		return nil, err
	}
	after, err := membersAt(h, to)
	if err != nil {
		return nil, err
	}
	return compare(before, after), nil
}

// Prices returns how the price of a quote differs between two versions; ok is false unless both have one.
func Prices(h quotestore.History, from, to int) (d rating.Difference, ok bool, err error) {
	var prices [2]*rating.Price
	for i, version := range []int{from, to} {
		then, _, err := Point{Version: version}.Of(h)
		if err != nil {
			return d, false, err
		}
		if r := then.Quote.Rating; r != nil {
			prices[i] = r.Price
		}
	}
	return rating.Compare(prices[0], prices[1])
}

// membersAt returns every member of a quote at a version, by its JSON pointer.
func membersAt(h quotestore.History, version int) (map[string]any, error) {
	then, at, err := Point{Version: version}.Of(h)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(readmodel.Project(then).At(at))
	if err != nil {
		return nil, err
	}
	var document any
	if err := json.Unmarshal(text, &document); err != nil {
		return nil, err
	}
	members := map[string]any{}
	flatten(members, "", document)
	return members, nil
}

func flatten(members map[string]any, path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			flatten(members, path+"/"+name, member)
		}
	case []any:
		for i, item := range v {
			flatten(members, path+"/"+strconv.Itoa(i), item)
		}
	default:
		members[path] = v
	}
}

func compare(before, after map[string]any) []Change {
	changes := []Change{}
	for path, was := range before {
		if is, there := after[path]; !there || is != was {
			changes = append(changes, Change{path, was, after[path]})
		}
	}
	for path, is := range after {
		if _, there := before[path]; !there {
			changes = append(changes, Change{Path: path, After: is})
		}
	}
	slices.SortFunc(changes, func(a, b Change) int { return cmp.Compare(a.Path, b.Path) })
	return changes
}
