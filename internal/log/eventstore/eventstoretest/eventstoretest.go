// Package eventstoretest is the contract of the event store: what it must guarantee on every DynamoDB.
package eventstoretest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/internal/log/eventstore"
	"milepost/internal/platform/stored"
)

// Run tests a store over a table with the keys and the index of the log. Its Validate is not used.
func Run(t *testing.T, store *eventstore.Store) {
	s := *store
	s.Validate = func(eventType string, version int, data []byte) error {
		if !json.Valid(data) || strings.Contains(string(data), "refuse me") {
			return errInvalid
		}
		return nil
	}
	for name, test := range map[string]func(*testing.T, *eventstore.Store){
		"events come back as they were appended":                 eventsComeBack,
		"events are loaded from the version after":               loadedFromAfter,
		"a stream that does not exist has no events":             noStream,
		"a repeated append changes nothing":                      repeatedAppend,
		"a lost race names the event that is there":              lostRace,
		"a lost race of several events writes none":              lostRaceOfSeveral,
		"a stream has its own events only":                       streamsAreApart,
		"of twenty writers one wins":                             twentyWriters,
		"twenty writers who start over write without gaps":       twentyWritersStartOver,
		"any data come back byte for byte":                       anyData,
		"invalid data are refused and nothing is written":        invalidData,
		"a stream longer than a page loads whole":                longStream,
		"an event that an earlier program wrote still loads":     earlierItem,
		"an item that is not an event is an error that names it": damagedItem,
		"every event is in the time index of its day":            timeIndex,
		"nothing is appended when the context has ended":         canceled,
		"appending nothing is nothing":                           nothing,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, &s)
		})
	}
}

var errInvalid = errors.New("the data do not fit")

// at is when the events of the tests occur, except for those that need the time.
var at = time.Date(2026, 5, 1, 12, 30, 0, 123456789, time.UTC)

// event makes an event with its own id.
func event(id string) eventstore.Event {
	return eventstore.Event{
		ID: id, Type: "Noted", SchemaVersion: 1, OccurredAt: at, Data: json.RawMessage(`{"note":"` + id + `"}`),
		Metadata: eventstore.Metadata{
			CommandID: "command-" + id, CorrelationID: "correlation", CausationID: "cause", Actor: "actor",
			TraceHeader: "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1",
		},
	}
}

func batch(ids ...string) []eventstore.Event {
	events := make([]eventstore.Event, len(ids))
	for i, id := range ids {
		events[i] = event(id)
	}
	return events
}

// placed returns events with the versions that Append sets in an empty stream.
func placed(events []eventstore.Event, stream string) []eventstore.Event {
	events = slices.Clone(events)
	for i := range events {
		events[i].StreamID, events[i].Version = stream, 1+i
		if i > 0 {
			events[i].PreviousHash = events[i-1].Hash()
		}
	}
	return events
}

// mustAppend appends as every caller should: with the hash of the event before.
func mustAppend(t *testing.T, s *eventstore.Store, stream string, expected int, events ...eventstore.Event) {
	t.Helper()
	if before := mustLoad(t, s, stream, expected-1); expected > 0 && len(before) > 0 {
		events[0].PreviousHash = before[0].Hash()
	}
	if err := s.Append(t.Context(), stream, expected, events); err != nil {
		t.Fatal(err)
	}
}

func mustLoad(t *testing.T, s *eventstore.Store, stream string, after int) []eventstore.Event {
	t.Helper()
	events, err := s.Load(t.Context(), stream, after)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func assertStream(t *testing.T, s *eventstore.Store, stream string, want []eventstore.Event) {
	t.Helper()
	if got := mustLoad(t, s, stream, 0); !reflect.DeepEqual(got, want) {
		t.Errorf("stream %s has\n%+v\nwant\n%+v", stream, got, want)
	}
}

func eventsComeBack(t *testing.T, s *eventstore.Store) {
	const stream = "quote-back"
	bare := eventstore.Event{ID: "bare", Type: "Noted", SchemaVersion: 7, OccurredAt: at, Data: json.RawMessage(`{}`)}
	elsewhere := event("zone")
	elsewhere.OccurredAt = at.In(time.FixedZone("", 2*3600))
	mustAppend(t, s, stream, 0, event("a"))
	mustAppend(t, s, stream, 1, bare, event("b"))
	mustAppend(t, s, stream, 3, elsewhere)
	want := placed([]eventstore.Event{event("a"), bare, event("b"), event("zone")}, stream)
	want[3].Data = elsewhere.Data
	assertStream(t, s, stream, want)
}

func loadedFromAfter(t *testing.T, s *eventstore.Store) {
	const stream = "quote-after"
	events := batch("a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k")
	mustAppend(t, s, stream, 0, events...)
	for after := range len(events) + 2 {
		want := placed(events, stream)[min(after, len(events)):]
		if got := mustLoad(t, s, stream, after); !slices.EqualFunc(got, want, func(a, b eventstore.Event) bool { return reflect.DeepEqual(a, b) }) {
			t.Errorf("after %d: %d events, want %d", after, len(got), len(want))
		}
	}
}

func noStream(t *testing.T, s *eventstore.Store) {
	if got := mustLoad(t, s, "quote-none", 0); len(got) != 0 {
		t.Errorf("%d events", len(got))
	}
}

func repeatedAppend(t *testing.T, s *eventstore.Store) {
	for stream, events := range map[string][]eventstore.Event{"quote-again-1": batch("a"), "quote-again-3": batch("x", "y", "z")} {
		mustAppend(t, s, stream, 0, slices.Clone(events)...)
		later := slices.Clone(events)
		for i := range later {
			later[i].OccurredAt = at.Add(time.Hour)
		}
		mustAppend(t, s, stream, 0, later...)
		assertStream(t, s, stream, placed(events, stream))
		if want := placed(events, stream); !reflect.DeepEqual(later, want) {
			t.Errorf("the repeated events are\n%+v\nwant those in the log:\n%+v", later, want)
		}
	}
}

// mustConflict is the conflict that an append ends in.
func mustConflict(t *testing.T, err error) *eventstore.VersionConflict {
	t.Helper()
	conflict, ok := errors.AsType[*eventstore.VersionConflict](err)
	if !ok {
		t.Fatalf("error=%v, want *VersionConflict", err)
	}
	return conflict
}

func lostRace(t *testing.T, s *eventstore.Store) {
	const stream = "quote-race"
	mustAppend(t, s, stream, 0, event("first"))
	got := mustConflict(t, s.Append(t.Context(), stream, 0, batch("second")))
	want := &eventstore.VersionConflict{StreamID: stream, Version: 1, Existing: placed(batch("first"), stream)[0]}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("conflict=%+v, want %+v", got, want)
	}
	if !strings.Contains(got.Error(), stream) {
		t.Errorf("%q does not name the stream", got.Error())
	}
	assertStream(t, s, stream, placed(batch("first"), stream))
}

func lostRaceOfSeveral(t *testing.T, s *eventstore.Store) {
	const stream = "quote-race-several"
	mustAppend(t, s, stream, 0, batch("a", "b")...)
	got := mustConflict(t, s.Append(t.Context(), stream, 1, batch("c", "d", "e")))
	if got.Version != 2 || got.Existing.ID != "b" {
		t.Errorf("conflict at version %d with %q, want 2 with b", got.Version, got.Existing.ID)
	}
	assertStream(t, s, stream, placed(batch("a", "b"), stream))
}

func streamsAreApart(t *testing.T, s *eventstore.Store) {
	for _, stream := range []string{"quote-apart", "quote-apart-2", "quote-apar"} {
		mustAppend(t, s, stream, 0, event("in-"+stream))
	}
	assertStream(t, s, "quote-apart", placed(batch("in-quote-apart"), "quote-apart"))
}

const writers = 20

func twentyWriters(t *testing.T, s *eventstore.Store) {
	for _, size := range []int{1, 3} {
		stream := "quote-writers-" + strconv.Itoa(size)
		errs := make([]error, writers)
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				var ids []string
				for i := range size {
					ids = append(ids, fmt.Sprintf("w%d-%d", w, i))
				}
				errs[w] = s.Append(t.Context(), stream, 0, batch(ids...))
			})
		}
		wg.Wait()
		winner := -1
		for w, err := range errs {
			if err == nil {
				if winner >= 0 {
					t.Fatalf("writers %d and %d both won", winner, w)
				}
				winner = w
			}
		}
		if winner < 0 {
			t.Fatalf("nobody won: %v", errs[0])
		}
		events := mustLoad(t, s, stream, 0)
		if len(events) != size || !strings.HasPrefix(events[0].ID, fmt.Sprintf("w%d-", winner)) {
			t.Fatalf("%d events, the first %s, want %d of writer %d", len(events), events[0].ID, size, winner)
		}
		for w, err := range errs {
			if w != winner {
				if conflict := mustConflict(t, err); conflict.Existing.ID != events[conflict.Version-1].ID {
					t.Errorf("writer %d was told of %s", w, conflict.Existing.ID)
				}
			}
		}
	}
}

func twentyWritersStartOver(t *testing.T, s *eventstore.Store) {
	const stream = "quote-start-over"
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for version := 0; ; version++ {
				err := s.Append(t.Context(), stream, version, batch(fmt.Sprintf("w%d", w)))
				if err == nil {
					return
				}
				if _, lost := errors.AsType[*eventstore.VersionConflict](err); !lost {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for i, e := range mustLoad(t, s, stream, 0) {
		if e.Version != i+1 || seen[e.ID] {
			t.Errorf("event %d is %s at version %d", i+1, e.ID, e.Version)
		}
		seen[e.ID] = true
	}
	if len(seen) != writers {
		t.Errorf("%d events, want %d", len(seen), writers)
	}
}

func anyData(t *testing.T, s *eventstore.Store) {
	const stream = "quote-data"
	random := rand.New(rand.NewPCG(5, 6))
	var want []eventstore.Event
	for i := range 100 {
		data, err := json.Marshal(object(random, 4))
		if err != nil {
			t.Fatal(err)
		}
		e := event(strconv.Itoa(i))
		e.Data = data
		want = append(want, e)
		mustAppend(t, s, stream, i, e)
	}
	assertStream(t, s, stream, placed(want, stream))
}

// object makes a random JSON object.
func object(random *rand.Rand, depth int) map[string]any {
	m := map[string]any{}
	for range random.IntN(5) {
		m[word(random)] = value(random, depth-1)
	}
	return m
}

func value(random *rand.Rand, depth int) any {
	if depth > 0 && random.IntN(3) == 0 {
		if random.IntN(2) == 0 {
			return object(random, depth)
		}
		list := make([]any, random.IntN(4))
		for i := range list {
			list[i] = value(random, depth-1)
		}
		return list
	}
	switch random.IntN(5) {
	case 0:
		return nil
	case 1:
		return random.IntN(2) == 0
	case 2:
		return random.Int64() - 1<<62
	case 3:
		return json.Number(fmt.Sprintf("%d.%02d0", random.IntN(1000), random.IntN(100)))
	}
	return word(random)
}

// word is a text with whatever makes trouble in encodings.
func word(random *rand.Rand) string {
	const letters = "aZ09 \"\\/<>&\x00\x7f\n\té\u200e中🚗{}[]#:."
	runes := []rune(letters)
	var b strings.Builder
	for range random.IntN(12) {
		b.WriteRune(runes[random.IntN(len(runes))])
	}
	return b.String()
}

func invalidData(t *testing.T, s *eventstore.Store) {
	const stream = "quote-invalid"
	bad := event("bad")
	bad.Data = json.RawMessage(`{"note":"refuse me"}`)
	if err := s.Append(t.Context(), stream, 0, []eventstore.Event{bad}); !errors.Is(err, errInvalid) {
		t.Errorf("error=%v, want %v", err, errInvalid)
	}
	if err := s.Append(t.Context(), stream, 0, []eventstore.Event{event("good"), bad}); !errors.Is(err, errInvalid) {
		t.Errorf("error=%v, want %v", err, errInvalid)
	}
	assertStream(t, s, stream, nil)
}

// longStream writes more than the megabyte that one page of a query has.
func longStream(t *testing.T, s *eventstore.Store) {
	const stream = "quote-long"
	const events, size = 9, 150 << 10
	for i := range events {
		e := event(strconv.Itoa(i))
		e.Data = json.RawMessage(`{"note":"` + strings.Repeat("x", size) + `"}`)
		mustAppend(t, s, stream, i, e)
	}
	page, err := s.DB.Query(t.Context(), &dynamodb.QueryInput{
		TableName: &s.Table, KeyConditionExpression: aws.String("streamId = :s"),
		ExpressionAttributeValues: stored.Item{":s": stored.Text(stream)},
	})
	if err != nil || page.LastEvaluatedKey == nil {
		t.Fatalf("the stream fits one page (error %v)", err)
	}
	for i, e := range mustLoad(t, s, stream, 0) {
		if e.ID != strconv.Itoa(i) || len(e.Data) < size {
			t.Fatalf("event %d is %s with %d bytes", i, e.ID, len(e.Data))
		}
	}
	if got := len(mustLoad(t, s, stream, 2)); got != events-2 {
		t.Errorf("%d events after version 2, want %d", got, events-2)
	}
}

// put writes an item as it is.
func put(t *testing.T, s *eventstore.Store, item stored.Item) {
	t.Helper()
	if _, err := s.DB.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &s.Table, Item: item}); err != nil {
		t.Fatal(err)
	}
}

// written is an item as programs have written it from the first version on. It must never change.
func written(stream string) stored.Item {
	return stored.Item{
		"streamId": stored.Text(stream), "version": &types.AttributeValueMemberN{Value: "1"},
		"eventId": stored.Text("event-1"), "eventType": stored.Text("Noted"), "schemaVersion": &types.AttributeValueMemberN{Value: "1"},
		"occurredAt": stored.Text("2026-05-01T12:30:00.123456789Z"), "data": stored.Text(`{"note":"old","amount":"1.50"}`),
		"metadata": &types.AttributeValueMemberM{Value: stored.Item{
			"commandId": stored.Text("command-1"), "correlationId": stored.Text("correlation-1"), "causationId": stored.Text(""),
			"actor": stored.Text("customer-1"), "traceHeader": stored.Text(""),
		}},
		"timeBucket": stored.Text("2026-05-01#3"), "timeKey": stored.Text("2026-05-01T12:30:00.123456789Z#event-1"),
	}
}

func earlierItem(t *testing.T, s *eventstore.Store) {
	const stream = "quote-earlier"
	put(t, s, written(stream))
	assertStream(t, s, stream, []eventstore.Event{{
		ID: "event-1", Type: "Noted", SchemaVersion: 1, StreamID: stream, Version: 1, OccurredAt: at,
		Data:     json.RawMessage(`{"note":"old","amount":"1.50"}`),
		Metadata: eventstore.Metadata{CommandID: "command-1", CorrelationID: "correlation-1", Actor: "customer-1"},
	}})
}

func damagedItem(t *testing.T, s *eventstore.Store) {
	for attribute, damage := range map[string]types.AttributeValue{
		"eventId": nil, "eventType": &types.AttributeValueMemberBOOL{}, "schemaVersion": stored.Text("1"),
		"occurredAt": stored.Text("yesterday"), "data": nil, "metadata": stored.Text(""),
	} {
		stream := "quote-damaged-" + attribute
		item := written(stream)
		if item[attribute] = damage; damage == nil {
			delete(item, attribute)
		}
		put(t, s, item)
		events, err := s.Load(t.Context(), stream, 0)
		if err == nil || !strings.Contains(err.Error(), attribute) || !strings.Contains(err.Error(), stream) {
			t.Errorf("%s: events=%v error=%v, want one that names stream and attribute", attribute, events, err)
		}
	}
}

func timeIndex(t *testing.T, s *eventstore.Store) {
	day := time.Date(2031, 7, 9, 0, 0, 0, 0, time.UTC)
	want := map[string]string{}
	for i := range 30 {
		stream := fmt.Sprintf("quote-time-%d", i)
		for v := range 2 {
			e := event(fmt.Sprintf("t%d-%d", i, v))
			// From the first nanosecond of the day to its last second, in a zone in which it is another day.
			e.OccurredAt = day.Add(time.Duration(i)*49*time.Minute + time.Duration(v)).In(time.FixedZone("", -9*3600))
			want[e.ID] = stream
			mustAppend(t, s, stream, v, e)
		}
	}
	buckets := 0
	for b := range 8 {
		page, err := s.DB.Query(t.Context(), &dynamodb.QueryInput{
			TableName: &s.Table, IndexName: aws.String("by-time"), KeyConditionExpression: aws.String("timeBucket = :b"),
			ExpressionAttributeValues: stored.Item{":b": stored.Text(fmt.Sprintf("2031-07-09#%d", b))},
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Items) > 0 {
			buckets++
		}
		last := ""
		for _, item := range page.Items {
			key := item["timeKey"].(*types.AttributeValueMemberS).Value
			occurred, id, _ := strings.Cut(key, "#")
			if occurred < last {
				t.Errorf("bucket %d: %s comes after %s", b, occurred, last)
			}
			last = occurred
			if stream := item["streamId"].(*types.AttributeValueMemberS).Value; want[id] != stream {
				t.Errorf("event %s of stream %s is there twice or not expected", id, stream)
			}
			delete(want, id)
		}
	}
	if len(want) > 0 || buckets < 2 {
		t.Errorf("events that are in none of %d buckets: %v", buckets, want)
	}
}

func canceled(t *testing.T, s *eventstore.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Append(ctx, "quote-canceled", 0, batch("a")); !errors.Is(err, context.Canceled) {
		t.Errorf("error=%v, want %v", err, context.Canceled)
	}
	if _, err := s.Load(ctx, "quote-canceled", 0); !errors.Is(err, context.Canceled) {
		t.Errorf("error=%v, want %v", err, context.Canceled)
	}
	assertStream(t, s, "quote-canceled", nil)
}

func nothing(t *testing.T, s *eventstore.Store) {
	mustAppend(t, s, "quote-nothing", 0)
	assertStream(t, s, "quote-nothing", nil)
}
