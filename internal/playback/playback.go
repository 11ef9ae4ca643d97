// Package playback announces events of the log on a bus once more: all of them, or a Selection. A Player
// goes through the log in the order in which things occurred, and can go on where it, or another one,
// stopped.
package playback

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"milepost/internal/eventstore"
	"milepost/internal/notice"
	"milepost/internal/quotestore"
)

// Selection says which events are played.
type Selection struct {
	// After is where to begin, and Until the time before which to end.
	After eventstore.Cursor
	Until time.Time
	// Types and Streams are those that are played; empty stands for all.
	Types, Streams []string
}

// Player plays events from a log to a bus.
type Player struct {
	Log *eventstore.Store
	Bus *eventbridge.Client
	// BusName is the name or ARN of the bus.
	BusName string
	// Name marks the notices as a playback, so that whoever has effects stays mute. With "" they look
	// new: it is for events that were never announced.
	Name string
	// PerSecond is how many events are played in a second at the most, 0 for no limit.
	PerSecond int
}

// Progress is how far a playback is.
type Progress struct {
	// Cursor is behind the last event that was dealt with.
	Cursor eventstore.Cursor `json:"cursor"`
	// Played counts the events that the bus took.
	Played int `json:"played"`
}

// maxEntries is how many events one PutEvents call takes.
const maxEntries = 10

// Play announces the selected events. After each call that the bus took it tells report how far it is;
// a Player that begins behind that cursor leaves nothing out, and repeats nothing but the call during
// which this one was interrupted.
func (p *Player) Play(ctx context.Context, s Selection, report func(Progress) error) (Progress, error) {
	progress := Progress{Cursor: s.After}
	began := time.Now()
	var batch []eventstore.Place
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		played, err := p.announce(ctx, batch, s.Types)
		if err != nil {
			return err
		}
		progress.Cursor, progress.Played = batch[len(batch)-1].Cursor, progress.Played+played
		batch = batch[:0]
		if err := report(progress); err != nil {
			return err
		}
		return p.pace(ctx, began, progress.Played)
	}
	for place, err := range p.Log.Places(ctx, s.After, s.Until) {
		if err != nil {
			return progress, err
		}
		if len(s.Streams) > 0 && !slices.Contains(s.Streams, place.StreamID) {
			continue
		}
		if batch = append(batch, place); len(batch) == maxEntries {
			if err := flush(); err != nil {
				return progress, err
			}
		}
	}
	return progress, flush()
}

// pace waits until so many events may have been played.
func (p *Player) pace(ctx context.Context, began time.Time, played int) error {
	if p.PerSecond == 0 {
		return nil
	}
	due := began.Add(time.Duration(played) * time.Second / time.Duration(p.PerSecond))
	select {
	case <-time.After(time.Until(due)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// announce puts the notices of some places on the bus, and says how many were of a type that is played.
func (p *Player) announce(ctx context.Context, places []eventstore.Place, eventTypes []string) (int, error) {
	notices, err := p.Log.Notices(ctx, places)
	if err != nil {
		return 0, err
	}
	var entries []types.PutEventsRequestEntry
	for _, n := range notices {
		if len(eventTypes) > 0 && !slices.Contains(eventTypes, n.EventType) {
			continue
		}
		n.Playback, n.Milestone = p.Name, quotestore.Milestone(n.EventType, n.Version)
		detail, err := json.Marshal(n)
		if err != nil {
			return 0, err
		}
		at, err := time.Parse(time.RFC3339Nano, n.OccurredAt)
		if err != nil {
			return 0, fmt.Errorf("version %d of %s: %w", n.Version, n.StreamID, err)
		}
		entries = append(entries, types.PutEventsRequestEntry{
			EventBusName: &p.BusName, Source: aws.String(notice.Source), DetailType: &n.EventType,
			Detail: aws.String(string(detail)), Time: &at,
		})
	}
	return len(entries), p.put(ctx, entries)
}

// putTries is how often entries that the bus refused are sent again.
const putTries = 5

func (p *Player) put(ctx context.Context, entries []types.PutEventsRequestEntry) error {
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
	}
	return nil
}
