package quote

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Entry is what a quote remembers about one event of its log, so that it can say which events rest on which.
type Entry struct {
	Version int
	Type    string
	// On are the versions of the events that it rests on directly: without one of them this event would not exist. An
	// event that was undone rests on nothing.
	On []int
	// ReversedBy is the version of the EventReversed that undid it, 0 if none did.
	ReversedBy int
}

// Grounds are the versions of the events that determine a revision's state.
type Grounds struct {
	// Opened is the event that opened it.
	Opened int
	// Vehicles and Drivers are the lookups that have answered, those of earlier revisions among them
	// where their answers still hold.
	Vehicles, Drivers []int
	// Outcome is its outcome, the underwriter's decision on it, or the last correction.
	Outcome int
	// Decision is the version of the underwriter's decision in force, 0 if there is none. It may outlast a later
	// outcome.
	Decision int `json:",omitempty"`
	// Waivers are those of its conditions.
	Waivers []int
}

// rated are the versions of all that an outcome is rated from.
func (g Grounds) rated() []int { return slices.Concat([]int{g.Opened}, g.Vehicles, g.Drivers) }

// reversed returns the versions of the events that were undone, each with that of its reversal.
func reversed(events []Event) map[int]int {
	undone := map[int]int{}
	for i, e := range events {
		if r, ok := e.(EventReversed); ok {
			undone[r.Version] = i + 1
		}
	}
	return undone
}

// skip takes an event into the log that was undone. A revision's number stays used.
func (q *Quote) skip(e Event, by int) {
	q.Version++
	q.Log = append(q.Log, Entry{Version: q.Version, Type: e.EventType(), ReversedBy: by})
	if q.Undone == nil {
		q.Undone = map[string]int{}
	}
	q.Undone[e.EventType()]++
	if amended, ok := e.(QuoteAmended); ok {
		q.Revisions = amended.Revision
	}
}

// decide undoes the newest event first, so that the log makes sense after each of its events.
func (c ReverseEvent) decide(q Quote) ([]Event, error) {
	if len(q.Log) != q.Version {
		panic("quote: cannot undo an event of a quote without its log")
	}
	targets := slices.SortedFunc(slices.Values(c.Events), func(a, b EventRef) int { return cmp.Compare(b.Version, a.Version) })
	targets = slices.CompactFunc(targets, func(a, b EventRef) bool { return a.Version == b.Version })
	undone := map[int]bool{}
	var events []Event
	for _, target := range targets {
		if target.Version < 1 || target.Version > q.Version {
			return nil, &NoSuchEvent{Version: target.Version, Have: q.Version}
		}
		entry := q.Log[target.Version-1]
		switch {
		case kinds[entry.Type].Stays:
			return nil, &NotReversible{Version: entry.Version, Type: entry.Type}
		case entry.ReversedBy > 0:
			return nil, &AlreadyReversed{Version: entry.Version, By: entry.ReversedBy}
		}
		undone[entry.Version] = true
		events = append(events, EventReversed{
			QuoteID: q.ID, Version: entry.Version, EventID: target.ID, Type: entry.Type,
			ReasonCode: c.ReasonCode, Text: c.Text, By: c.By,
		})
	}
	if left := q.dependents(undone); len(left) > 0 {
		return nil, &DependedOn{Events: left}
	}
	return events, nil
}

// dependents are the events in force that rest on events that are not, directly or through each other.
func (q Quote) dependents(undone map[int]bool) (left []Entry) {
	for _, e := range q.Log {
		if !undone[e.Version] && slices.ContainsFunc(e.On, func(on int) bool { return undone[on] }) {
			undone[e.Version] = true
			left = append(left, e)
		}
	}
	return left
}

// NoSuchEvent refuses to undo an event that the quote does not have.
type NoSuchEvent struct{ Version, Have int }

func (e *NoSuchEvent) Error() string {
	return fmt.Sprintf("the quote has no event %d; it is at version %d", e.Version, e.Have)
}

// NotReversible refuses to undo the request, without which there is no quote, and a reversal: repeat what was undone
// wrongly.
type NotReversible struct {
	Version int
	Type    string
}

func (e *NotReversible) Error() string {
	return fmt.Sprintf("event %d, %s, cannot be undone", e.Version, e.Type)
}

// AlreadyReversed refuses to undo an event twice.
type AlreadyReversed struct{ Version, By int }

func (e *AlreadyReversed) Error() string {
	return fmt.Sprintf("event %d was undone by event %d", e.Version, e.By)
}

// DependedOn refuses to undo an event while others in force rest on it.
type DependedOn struct{ Events []Entry }

func (e *DependedOn) Error() string {
	var text strings.Builder
	text.WriteString("later events rest on what is to be undone:")
	for _, later := range e.Events {
		fmt.Fprintf(&text, " %d %s", later.Version, later.Type)
	}
	return text.String()
}

// Undoing is what a reversal would come to.
type Undoing struct {
	Event Entry
	// Also are the later events that have to be undone with it, in order.
	Also []Entry
	// After is the quote as it would be.
	After Quote
}

// IfUndone returns what undoing one of a quote's events would come to, without doing it. The error is that of the
// reversal: *NoSuchEvent, *NotReversible or *AlreadyReversed.
func IfUndone(events []Event, version int) (Undoing, error) {
	q := Fold(events...)
	c := ReverseEvent{Events: []EventRef{{Version: version}}}
	reversals, err := c.decide(q)
	if depended, ok := errors.AsType[*DependedOn](err); ok {
		for _, e := range depended.Events {
			c.Events = append(c.Events, EventRef{Version: e.Version})
		}
		reversals, err = c.decide(q)
	}
	if err != nil {
		return Undoing{}, err
	}
	u := Undoing{Event: q.Log[version-1], After: Fold(slices.Concat(events, reversals)...)}
	for _, e := range c.Events[1:] {
		u.Also = append(u.Also, q.Log[e.Version-1])
	}
	slices.SortFunc(u.Also, func(a, b Entry) int { return cmp.Compare(a.Version, b.Version) })
	return u, nil
}
