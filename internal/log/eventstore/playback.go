package eventstore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/internal/platform/stored"
)

// Cursor is a place in the log by time: after the event that it names. The zero Cursor is before all events.
type Cursor string

// CursorAt is the place before everything that occurred at or after t.
func CursorAt(t time.Time) Cursor { return Cursor(t.UTC().Format(timeLayout)) }

// day is the day on which the event of the cursor occurred.
func (c Cursor) day() (time.Time, error) {
	return time.Parse(time.DateOnly, string(c[:min(len(c), len(time.DateOnly))]))
}

// Place is an event's place in the log by time, and in its stream.
type Place struct {
	Cursor   Cursor
	StreamID string
	Version  int
}

// Places returns the places of all events after a cursor that occurred before until, in the order in which they
// occurred. It reads the time index, which may be a moment behind the log.
func (s *Store) Places(ctx context.Context, after Cursor, until time.Time) iter.Seq2[Place, error] {
	return func(yield func(Place, error) bool) {
		from, err := after.day()
		if err != nil {
			yield(Place{}, fmt.Errorf("%q is not a place in the log: %w", after, err))
			return
		}
		for day := from; day.Before(until); day = day.Add(24 * time.Hour) {
			if !s.placesOfDay(ctx, day, after, until, yield) {
				return
			}
		}
	}
}

// placesOfDay merges the partitions of a day. It returns false if the caller wants no more.
func (s *Store) placesOfDay(ctx context.Context, day time.Time, after Cursor, until time.Time, yield func(Place, error) bool) bool {
	// A damaged key may be in a partition of another day. A cursor after it would lead there.
	from, to := max(after, CursorAt(day)), min(CursorAt(until), CursorAt(day.Add(24*time.Hour)))
	if from >= to {
		return true
	}
	var partitions [timeBuckets]*partition
	for i := range partitions {
		partitions[i] = s.partition(fmt.Sprintf("%s#%d", day.Format(time.DateOnly), i), from, to)
	}
	for {
		var first *partition
		for _, p := range partitions {
			if err := p.fill(ctx); err != nil {
				return yield(Place{}, err) && false
			}
			if len(p.places) > 0 && (first == nil || p.places[0].Cursor < first.places[0].Cursor) {
				first = p
			}
		}
		if first == nil {
			return true
		}
		place := first.places[0]
		first.places = first.places[1:]
		if !yield(place, nil) {
			return false
		}
	}
}

// partition reads one partition of the time index, page by page.
type partition struct {
	pages  *dynamodb.QueryPaginator
	places []Place
}

func (s *Store) partition(bucket string, after, until Cursor) *partition {
	return &partition{pages: dynamodb.NewQueryPaginator(s.DB, &dynamodb.QueryInput{
		TableName: &s.Table, IndexName: aws.String("by-time"),
		KeyConditionExpression: aws.String("timeBucket = :bucket AND timeKey BETWEEN :after AND :until"),
		ExpressionAttributeValues: stored.Item{
			// A key is a time, then # and an id. A blank sorts before all that may follow, so that a time
			// takes in its events and a key leaves its own out.
			":bucket": stored.Text(bucket), ":after": stored.Text(string(after) + " "), ":until": stored.Text(string(until)),
		},
	})}
}

func (p *partition) fill(ctx context.Context) error {
	for len(p.places) == 0 && p.pages.HasMorePages() {
		page, err := p.pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("read the log by time: %w", err)
		}
		for _, item := range page.Items {
			r := stored.Read(item) // keys of the table and the index are always what they should be
			p.places = append(p.places, Place{Cursor(r.Text("timeKey")), r.Text("streamId"), r.Number("version")})
		}
	}
	return nil
}

// maxBatchGet is how many items one BatchGetItem call takes.
const maxBatchGet = 100

// Notices returns the notices of up to 100 events, in the order of places, and those events whose notices cannot be
// read. The events' data are not read.
func (s *Store) Notices(ctx context.Context, places []Place) ([]Notice, []*Unreadable, error) {
	if len(places) > maxBatchGet {
		return nil, nil, fmt.Errorf("%d notices requested at once, at most %d are allowed", len(places), maxBatchGet)
	}
	keys := make([]stored.Item, len(places))
	for i, p := range places {
		keys[i] = stored.Item{"streamId": stored.Text(p.StreamID), "version": stored.Number(p.Version)}
	}
	request := map[string]types.KeysAndAttributes{s.Table: {
		Keys: keys, ConsistentRead: aws.Bool(true),
		ProjectionExpression: aws.String("streamId, version, eventId, eventType, schemaVersion, occurredAt, metadata"),
	}}
	type place struct {
		stream  string
		version int
	}
	found := map[place]stored.Item{}
	for len(request) > 0 {
		out, err := s.DB.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: request})
		if err != nil {
			return nil, nil, fmt.Errorf("read %d events: %w", len(places), err)
		}
		for _, item := range out.Responses[s.Table] {
			r := stored.Read(item)
			found[place{r.Text("streamId"), r.Number("version")}] = item
		}
		request = out.UnprocessedKeys
	}
	var notices []Notice
	var bad []*Unreadable
	for _, p := range places {
		item, ok := found[place{p.StreamID, p.Version}]
		if !ok {
			bad = append(bad, &Unreadable{p.StreamID, p.Version, errNotThere})
			continue
		}
		n, _, err := NoticeOf(item)
		if unreadable, ok := errors.AsType[*Unreadable](err); ok {
			bad = append(bad, unreadable)
			continue
		}
		notices = append(notices, n)
	}
	return notices, bad, nil
}

var errNotThere = errors.New("the time index has it, and the log does not")
