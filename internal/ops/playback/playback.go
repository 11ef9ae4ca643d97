// Package playback announces events of the log on a bus again: all of them, or a Selection. A Player reads the log in
// the order in which events occurred, and can continue where it, or another one, stopped.
package playback

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"milepost/internal/bounds"
	"milepost/internal/log/eventstore"
	"milepost/internal/platform/stored"
	"milepost/internal/quotes/notice"
	"milepost/internal/quotes/quotestore"
)

// Selection says which events are played.
type Selection struct {
	// After is where to begin, and Until the time before which to end.
	After eventstore.Cursor `json:"after"`
	Until time.Time         `json:"until"`
	// Types and Streams are those to play; empty means all.
	Types   []string `json:"types"`
	Streams []string `json:"streams"`
}

// Player plays events from a log to a bus.
type Player struct {
	Log *eventstore.Store
	Bus *eventbridge.Client
	// BusName is the name or ARN of the bus.
	BusName string
	// Name marks the notices as a playback, so that functions with effects ignore them. With "" they look new: it is
	// for events that were never announced.
	Name string
	// PerSecond is how many events are played per second at most, 0 for no limit.
	PerSecond int
	// Lag is by how much the time index may be behind the log, 0 where it never is. See IndexLag.
	Lag time.Duration
	// Enough reports whether there is no time for another call; nil means no limit.
	Enough func() bool
}

// Check refuses a quote without events, and a bus that does not exist, although EventBridge accepts events for it.
// Whoever may put events on another account's bus may be forbidden to ask about it, which is fine.
func (p *Player) Check(ctx context.Context, s Selection) error {
	for _, stream := range s.Streams {
		events, err := p.Log.Load(ctx, stream, 0)
		if err != nil {
			return err
		}
		if len(events) == 0 {
			id, _ := quotestore.QuoteID(stream)
			return fmt.Errorf("there is no quote %s in the log", id)
		}
	}
	_, err := p.Bus.DescribeEventBus(ctx, &eventbridge.DescribeEventBusInput{Name: &p.BusName})
	if _, missing := errors.AsType[*types.ResourceNotFoundException](err); missing {
		return fmt.Errorf("there is no bus %s", p.BusName)
	}
	return nil
}

// Progress is how far a playback is.
type Progress struct {
	// Cursor is after the last event that was handled.
	Cursor eventstore.Cursor `json:"cursor"`
	// Played counts the events that the bus took.
	Played int `json:"played"`
	// Faults are the events that cannot be read, and so were not played.
	stored.Faults
	// Done says that nothing is left to play.
	Done bool `json:"done"`
}

// IndexLag is how much the time index is assumed to be behind the log on AWS. DynamoDB promises nothing; a fraction of
// a second is usual.
const IndexLag = 5 * time.Second

// Play announces the selected events. After each call that the bus accepted it calls report with its progress; a Player
// that begins after that cursor leaves nothing out, and repeats nothing but the call during which this one was
// interrupted.
//
// A selection up to now waits for the index first. So every event that was in the log when Play began is played; later
// ones are announced as usual.
func (p *Player) Play(ctx context.Context, s Selection, report func(Progress) error) (Progress, error) {
	progress := Progress{Cursor: s.After, Faults: stored.NewFaults()}
	if err := pause(ctx, min(p.Lag, time.Until(s.Until.Add(p.Lag)))); err != nil {
		return progress, err
	}
	began := time.Now()
	var batch []eventstore.Place
	behind := s.After // what was read last
	flush := func() error {
		played, faults, err := p.announce(ctx, batch, s.Types)
		if err != nil {
			return err
		}
		batch = batch[:0]
		progress.Cursor, progress.Played = behind, progress.Played+played
		progress.Join(faults)
		progress.Bound()
		if err := report(progress); err != nil {
			return err
		}
		return p.pace(ctx, began, progress.Played)
	}
	for place, err := range p.Log.Places(ctx, s.After, s.Until) {
		if err != nil {
			return progress, err
		}
		if p.Enough != nil && behind != s.After && p.Enough() {
			return progress, flush()
		}
		behind = place.Cursor
		if len(s.Streams) > 0 && !slices.Contains(s.Streams, place.StreamID) {
			continue
		}
		if batch = append(batch, place); len(batch) == bounds.Announcements {
			if err := flush(); err != nil {
				return progress, err
			}
		}
	}
	if err := flush(); err != nil {
		return progress, err
	}
	progress.Done = true
	return progress, nil
}

// pause waits.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pace waits until the rate allows this number of events.
func (p *Player) pace(ctx context.Context, began time.Time, played int) error {
	if p.PerSecond == 0 {
		return nil
	}
	return pause(ctx, time.Until(began.Add(time.Duration(played)*time.Second/time.Duration(p.PerSecond))))
}

// announce puts the notices of some places on the bus. It returns how many were of a type that is played, and the
// events that cannot be read.
func (p *Player) announce(ctx context.Context, places []eventstore.Place, eventTypes []string) (int, stored.Faults, error) {
	var faults stored.Faults
	if len(places) == 0 {
		return 0, faults, nil
	}
	notices, bad, err := p.Log.Notices(ctx, places)
	if err != nil {
		return 0, faults, err
	}
	for _, b := range bad {
		faults.Add(b)
	}
	var entries []types.PutEventsRequestEntry
	for _, n := range notices {
		if len(eventTypes) > 0 && !slices.Contains(eventTypes, n.EventType) {
			continue
		}
		n.Playback, n.Milestone = p.Name, quotestore.Milestone(n.EventType, n.Version)
		entry, err := notice.Entry(p.BusName, n)
		if err != nil {
			faults.Add(err)
			continue
		}
		entries = append(entries, entry)
	}
	for call := range notice.Calls(entries) {
		if err := p.put(ctx, call); err != nil {
			return 0, faults, err
		}
	}
	return len(entries), faults, nil
}

// putTries is how often entries are sent that the bus refuses, and longestPause the longest pause between two tries.
const (
	putTries     = 10
	longestPause = 20 * time.Second
)

// put sends entries, and those again that the bus refuses: it does so when there are too many at a time. The SDK
// itself tries again only what fails as a whole.
func (p *Player) put(ctx context.Context, entries []types.PutEventsRequestEntry) error {
	backoff := retry.NewExponentialJitterBackoff(longestPause)
	for try := 1; len(entries) > 0; try++ {
		out, err := p.Bus.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: entries})
		if err != nil {
			return fmt.Errorf("put events: %w", err)
		}
		var refused []types.PutEventsRequestEntry
		for i, answer := range out.Entries {
			if answer.ErrorCode == nil {
				continue
			}
			if try == putTries {
				return fmt.Errorf("the bus refused an event: %s: %s", *answer.ErrorCode, aws.ToString(answer.ErrorMessage))
			}
			refused = append(refused, entries[i])
		}
		entries = refused
		if len(entries) == 0 {
			return nil
		}
		delay, err := backoff.BackoffDelay(try, nil)
		if err != nil {
			return err
		}
		if err := pause(ctx, delay); err != nil {
			return err
		}
	}
	return nil
}

// Task is a playback and its progress: what one call of a function passes to the next. Its selection begins at its
// position.
type Task struct {
	Selection
	Name      string `json:"name"`
	PerSecond int    `json:"perSecond"`
	Played    int    `json:"played"`
	Done      bool   `json:"done"`
	stored.Faults
}

// Do takes a task on until it is done, or until the Player has Enough.
func (p *Player) Do(ctx context.Context, t Task) (Task, error) {
	player := *p
	player.Name, player.PerSecond = t.Name, t.PerSecond
	progress, err := player.Play(ctx, t.Selection, func(Progress) error { return nil })
	t.After, t.Done = progress.Cursor, progress.Done
	t.Played += progress.Played
	t.Join(progress.Faults)
	t.Bound()
	return t, err
}
