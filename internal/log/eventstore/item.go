package eventstore

import (
	"encoding/json"
	"fmt"
	"log/slog"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/internal/platform/stored"
)

// timeLayout writes instants so that their texts sort as the instants do.
const timeLayout = "2006-01-02T15:04:05.000000000Z07:00"

// IsSealed reports whether something in the event is sealed and was not opened.
func (e Event) IsSealed() bool { return e.Sealed != nil && e.Stored == nil }

// check refuses an event whose data do not fit its schema.
func (s *Store) check(e Event) error {
	if e.IsSealed() {
		return fmt.Errorf("event %s version %d: it is sealed, and cannot be checked", e.Type, e.SchemaVersion)
	}
	if err := s.Validate(e.Type, e.SchemaVersion, e.Data); err != nil {
		return fmt.Errorf("event %s version %d: %w", e.Type, e.SchemaVersion, err)
	}
	return nil
}

// item is the stored form of an event.
func (e Event) item() stored.Item {
	at := e.OccurredAt.UTC().Format(timeLayout)
	item := stored.Item{
		"streamId":      stored.Text(e.StreamID),
		"version":       stored.Number(e.Version),
		"eventId":       stored.Text(e.ID),
		"eventType":     stored.Text(e.Type),
		"schemaVersion": stored.Number(e.SchemaVersion),
		"occurredAt":    stored.Text(at),
		"data":          stored.Text(e.stored()),
		"metadata": &types.AttributeValueMemberM{Value: stored.Item{
			"commandId":     stored.Text(e.Metadata.CommandID),
			"correlationId": stored.Text(e.Metadata.CorrelationID),
			"causationId":   stored.Text(e.Metadata.CausationID),
			"actor":         stored.Text(e.Metadata.Actor),
			"traceHeader":   stored.Text(e.Metadata.TraceHeader),
		}},
		"previousHash": stored.Text(e.PreviousHash),
		"timeBucket":   stored.Text(timeBucket(e.StreamID, e.OccurredAt.UTC())),
		"timeKey":      stored.Text(at + "#" + e.ID),
	}
	if e.Sealed != nil {
		item["sealed"], item["sealedFor"] = stored.Bytes(e.Sealed), stored.Text(e.SealedFor)
	}
	if e.KeyID != "" {
		item["keyId"] = stored.Text(e.KeyID)
	}
	if e.Imported != "" {
		item[ImportedAttribute], item[importedHashAttribute] = stored.Text(e.Imported), stored.Text(importedHash(e))
	}
	return item
}

// Unreadable is the error if a stored event is damaged, or was written by a newer program. A retry does not help.
type Unreadable struct {
	StreamID string
	Version  int
	Err      error
}

func (e *Unreadable) Error() string {
	return fmt.Sprintf("stream %s version %d: %v", e.StreamID, e.Version, e.Err)
}

func (e *Unreadable) Unwrap() error { return e.Err }

// LogAttrs says which event it is.
func (e *Unreadable) LogAttrs() []slog.Attr {
	return []slog.Attr{slog.String("stream_id", e.StreamID), slog.Int("unreadable_version", e.Version)}
}

// EventOf reads an event from its item, as the table or its stream has it. The error is *Unreadable.
func EventOf(item stored.Item) (Event, error) {
	e, err := readEvent(item)
	if err != nil {
		return Event{}, err
	}
	return e, nil
}

// readEvent is EventOf with an error that is nil or names the event.
func readEvent(item stored.Item) (Event, *Unreadable) {
	r := stored.Read(item)
	e := Event{
		StreamID: r.Text("streamId"), Version: r.Number("version"),
		ID: r.Text("eventId"), Type: r.Text("eventType"), SchemaVersion: r.Number("schemaVersion"),
		OccurredAt: r.Time("occurredAt", timeLayout), Metadata: metadataOf(r.Map("metadata")),
		Data: json.RawMessage(r.Text("data")), PreviousHash: r.OptionalText("previousHash"),
		Sealed: r.OptionalBytes("sealed"), SealedFor: r.OptionalText("sealedFor"), KeyID: r.OptionalText("keyId"),
		Imported: r.OptionalText(ImportedAttribute),
	}
	if r.Has("sealed") && e.SealedFor == "" || !r.Has("sealed") && r.Has("sealedFor") {
		r.Fail("sealedFor", "the customer for whom something is sealed")
	}
	if r.Err() != nil {
		return Event{}, &Unreadable{StreamID: e.StreamID, Version: e.Version, Err: r.Err()}
	}
	return e, nil
}

func metadataOf(r stored.Reader) Metadata {
	return Metadata{
		CommandID: r.Text("commandId"), CorrelationID: r.Text("correlationId"), CausationID: r.Text("causationId"),
		Actor: r.Text("actor"), TraceHeader: r.Text("traceHeader"),
	}
}

// NoticeOf reads the notice of an event, without the marks of a playback, and the trace header under which it was
// appended. It needs no data. The error is *Unreadable.
func NoticeOf(item stored.Item) (n Notice, traceHeader string, err error) {
	r := stored.Read(item)
	n = Notice{
		StreamID: r.Text("streamId"), Version: r.Number("version"),
		EventID: r.Text("eventId"), EventType: r.Text("eventType"), SchemaVersion: r.Number("schemaVersion"),
		OccurredAt: r.Time("occurredAt", timeLayout).Format(timeLayout),
	}
	m := metadataOf(r.Map("metadata"))
	n.CommandID, n.CorrelationID, n.CausationID, n.Actor = m.CommandID, m.CorrelationID, m.CausationID, m.Actor
	if r.Err() != nil {
		return Notice{}, "", &Unreadable{StreamID: n.StreamID, Version: n.Version, Err: r.Err()}
	}
	return n, m.TraceHeader, nil
}
