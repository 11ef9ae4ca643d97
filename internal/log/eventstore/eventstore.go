// Package eventstore is the append-only log in DynamoDB. It knows streams, versions and bytes; what
// an event means is the business of the domain.
//
// An Event is stored as one item of the table, under its stream (partition key streamId) and its version in the stream
// (sort key version: 1, 2, 3 … without gaps). An event is never put over another: no method here updates or deletes
// one, and the functions' policies do not let them.
package eventstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"iter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/internal/platform/stored"
)

// Event is one stored event.
type Event struct {
	// ID is unique; it derives from the command, so that a repeated command makes the same one.
	ID            string
	Type          string
	SchemaVersion int
	StreamID      string
	// Version is the event's place in its stream, from 1.
	Version    int
	OccurredAt time.Time
	// Data is a JSON object. It is stored as text, so that it comes back byte for byte.
	Data json.RawMessage
	// Sealed are the members of the data that are stored encrypted, nil if there are none. SealedFor is the customer
	// whose key opens them, and KeyID says which of that customer's keys: it is "" for data sealed before keys had ids.
	Sealed    []byte
	SealedFor string
	KeyID     string
	// Stored is the data as stored if members are sealed: they are null in it. It is nil for an event from Load, whose
	// Data is that already; unsealing an event sets both.
	Stored   json.RawMessage
	Metadata Metadata
	// PreviousHash is the Hash of the event before this one in its stream, "" for the first.
	PreviousHash string
	// Imported names the import that added the event to this log, "" for an event that was appended here. It says
	// nothing about what happened, so Hash leaves it out and the chain is the same in every log; Verify checks it.
	Imported string
}

// stored is the data as it is stored.
func (e Event) stored() string {
	if e.Stored != nil {
		return string(e.Stored)
	}
	return string(e.Data)
}

// Metadata says where an event comes from.
type Metadata struct {
	// CommandID identifies the command that made the event. The events of one command share it.
	CommandID string
	// CorrelationID is the same for all that follows from one request of the outside.
	CorrelationID string
	// CausationID is the id of the event that led to this one, "" for a request of the outside.
	CausationID string
	// Actor is who sent the command: a customer's token subject, or a function's name.
	Actor string
	// TraceHeader is the X-Ray header under which the event was made, "" when not traced.
	TraceHeader string
}

// Notice is what the bus carries of an event: everything but its data, which stays in the log. Its receivers read the
// log and act on what it says.
type Notice struct {
	EventID       string `json:"eventId"`
	EventType     string `json:"eventType"`
	SchemaVersion int    `json:"schemaVersion"`
	StreamID      string `json:"streamId"`
	Version       int    `json:"version"`
	OccurredAt    string `json:"occurredAt"`
	CommandID     string `json:"commandId"`
	CorrelationID string `json:"correlationId"`
	CausationID   string `json:"causationId,omitempty"`
	Actor         string `json:"actor"`
	// Milestone says that the stream has grown enough for a new snapshot.
	Milestone bool `json:"milestone,omitempty"`
	// Playback names the playback of the log that the notice is part of, "" when the event is new.
	Playback string `json:"playback,omitempty"`
}

// VersionConflict is the error if the log already has another event at the version to append.
type VersionConflict struct {
	StreamID string
	Version  int
	// Existing is that event.
	Existing Event
}

func (e *VersionConflict) Error() string {
	return fmt.Sprintf("version %d of stream %s is already written", e.Version, e.StreamID)
}

// ReportedByName marks the type as one that a state machine's Retry looks for.
func (*VersionConflict) ReportedByName() {}

// Store reads and appends to one table. It is safe for concurrent use.
type Store struct {
	// DB is the client to use.
	DB *dynamodb.Client
	// Table is the table's name.
	Table string
	// Validate refuses data that does not fit the schema of its event type and version.
	Validate func(eventType string, version int, data []byte) error
}

// Append writes events after version expected of a stream, all or none. It sets the events' StreamID and Version, and
// the PreviousHash of all but the first, which the caller takes from the event at expected. If the log has another
// event at one of the versions, the error is a *VersionConflict, except that events with the same ids count as written:
// the command was repeated, and events become those in the log.
func (s *Store) Append(ctx context.Context, stream string, expected int, events []Event) error {
	items := make([]stored.Item, len(events))
	for i := range events {
		events[i].StreamID, events[i].Version = stream, expected+1+i
		if i > 0 {
			events[i].PreviousHash = events[i-1].Hash()
		}
		if err := s.check(events[i]); err != nil {
			return err
		}
		items[i] = events[i].item()
	}
	switch len(items) {
	case 0:
		return nil
	case 1:
		return s.putOne(ctx, &events[0], items[0])
	}
	return s.putAll(ctx, events, items)
}

// vacant is the condition under which an event is put: there is no item under its key.
var vacant = aws.String("attribute_not_exists(streamId)")

func (s *Store) putOne(ctx context.Context, e *Event, item stored.Item) error {
	_, err := s.DB.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &s.Table, Item: item, ConditionExpression: vacant,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	if failed, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		return occupied(e, failed.Item)
	}
	if err != nil {
		return fmt.Errorf("append %s to %s: %w", e.Type, e.StreamID, err)
	}
	return nil
}

func (s *Store) putAll(ctx context.Context, events []Event, items []stored.Item) error {
	puts := make([]types.TransactWriteItem, len(items))
	for i, item := range items {
		puts[i].Put = &types.Put{
			TableName: &s.Table, Item: item, ConditionExpression: vacant,
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		}
	}
	_, err := s.DB.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: puts})
	if canceled, ok := errors.AsType[*types.TransactionCanceledException](err); ok {
		repeated := 0
		for i, reason := range canceled.CancellationReasons {
			if reason.Item == nil || i >= len(events) {
				continue
			}
			if err := occupied(&events[i], reason.Item); err != nil {
				return err
			}
			repeated++
		}
		if repeated > 0 {
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("append %d events to %s: %w", len(events), events[0].StreamID, err)
	}
	return nil
}

// occupied distinguishes a repeated append from a lost race. If it is repeated, e becomes the event in the log.
func occupied(e *Event, item stored.Item) error {
	existing, err := EventOf(item)
	if err != nil {
		return err
	}
	if existing.ID == e.ID {
		*e = existing
		return nil
	}
	return &VersionConflict{StreamID: e.StreamID, Version: e.Version, Existing: existing}
}

// Stream is a stream as it is stored.
type Stream struct {
	ID string
	// Events are those that can be read, in order, and Unreadable the others.
	Events     []Event
	Unreadable []*Unreadable
}

// Intact returns the events if all of them can be read. Otherwise the error is the first *Unreadable.
func (s Stream) Intact() ([]Event, error) {
	if len(s.Unreadable) > 0 {
		return nil, s.Unreadable[0]
	}
	return s.Events, nil
}

// add reads one more event.
func (s *Stream) add(item stored.Item) {
	e, bad := readEvent(item)
	if bad != nil {
		s.Unreadable = append(s.Unreadable, bad)
		return
	}
	s.Events = append(s.Events, e)
}

// Load returns the events of a stream after a version, in order; none for a stream that does not exist. It sees
// every event whose Append has returned. If one of them cannot be read, the error is *Unreadable.
func (s *Store) Load(ctx context.Context, stream string, after int) ([]Event, error) {
	read, err := s.Stream(ctx, stream, after)
	if err != nil {
		return nil, err
	}
	return read.Intact()
}

// Stream is Load for callers that continue with the events that can be read.
func (s *Store) Stream(ctx context.Context, stream string, after int) (Stream, error) {
	read := Stream{ID: stream}
	for item, err := range s.items(ctx, stream, after) {
		if err != nil {
			return read, err
		}
		read.add(item)
	}
	return read, nil
}

// items returns the items of a stream after a version, in order.
func (s *Store) items(ctx context.Context, stream string, after int) iter.Seq2[stored.Item, error] {
	return func(yield func(stored.Item, error) bool) {
		pages := dynamodb.NewQueryPaginator(s.DB, &dynamodb.QueryInput{
			TableName: &s.Table, ConsistentRead: aws.Bool(true),
			KeyConditionExpression:    aws.String("streamId = :stream AND #version > :after"),
			ExpressionAttributeNames:  map[string]string{"#version": "version"},
			ExpressionAttributeValues: stored.Item{":stream": stored.Text(stream), ":after": stored.Number(after)},
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(nil, fmt.Errorf("load stream %s: %w", stream, err))
				return
			}
			for _, item := range page.Items {
				if !yield(item, nil) {
					return
				}
			}
		}
	}
}

// Newest returns the last events of a stream, in order: up to n, and fewer if n are more than one request reads (1 MB).
// It sees every event whose Append has returned.
func (s *Store) Newest(ctx context.Context, stream string, n int) ([]Event, error) {
	out, err := s.DB.Query(ctx, &dynamodb.QueryInput{
		TableName: &s.Table, ConsistentRead: aws.Bool(true), ScanIndexForward: aws.Bool(false), Limit: aws.Int32(int32(n)),
		KeyConditionExpression:    aws.String("streamId = :stream"),
		ExpressionAttributeValues: stored.Item{":stream": stored.Text(stream)},
	})
	if err != nil {
		return nil, fmt.Errorf("load the end of stream %s: %w", stream, err)
	}
	events := make([]Event, len(out.Items))
	for i, item := range out.Items {
		if events[len(events)-1-i], err = EventOf(item); err != nil {
			return nil, err
		}
	}
	return events, nil
}

// Streams calls fn with every stream of the table, each once, in no particular order. It reads the
// whole table's keys, so it is for checks and not for requests.
func (s *Store) Streams(ctx context.Context, fn func(stream string) error) error {
	pages := dynamodb.NewScanPaginator(s.DB, &dynamodb.ScanInput{
		TableName: &s.Table, ConsistentRead: aws.Bool(true), ProjectionExpression: aws.String("streamId"),
	})
	seen := map[string]bool{}
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("list streams: %w", err)
		}
		for _, item := range page.Items {
			id, ok := item["streamId"].(*types.AttributeValueMemberS)
			if !ok || seen[id.Value] {
				continue
			}
			seen[id.Value] = true
			if err := fn(id.Value); err != nil {
				return err
			}
		}
	}
	return nil
}

// timeBuckets is how many partitions of the time index share the events of a day.
const timeBuckets = 8

// timeBucket is the partition of the time index that has a stream's event of a day.
func timeBucket(stream string, at time.Time) string {
	h := fnv.New32a()
	h.Write([]byte(stream))
	return fmt.Sprintf("%s#%d", at.Format(time.DateOnly), h.Sum32()%timeBuckets)
}
