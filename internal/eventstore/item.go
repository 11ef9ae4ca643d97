package eventstore

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
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
func (e Event) item() map[string]types.AttributeValue {
	at := e.OccurredAt.UTC().Format(timeLayout)
	item := map[string]types.AttributeValue{
		"streamId":      text(e.StreamID),
		"version":       number(e.Version),
		"eventId":       text(e.ID),
		"eventType":     text(e.Type),
		"schemaVersion": number(e.SchemaVersion),
		"occurredAt":    text(at),
		"data":          text(e.stored()),
		"metadata": &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{
			"commandId":     text(e.Metadata.CommandID),
			"correlationId": text(e.Metadata.CorrelationID),
			"causationId":   text(e.Metadata.CausationID),
			"actor":         text(e.Metadata.Actor),
			"traceHeader":   text(e.Metadata.TraceHeader),
		}},
		"previousHash": text(e.PreviousHash),
		"timeBucket":   text(timeBucket(e.StreamID, e.OccurredAt.UTC())),
		"timeKey":      text(at + "#" + e.ID),
	}
	if e.Sealed != nil {
		item["sealed"], item["sealedFor"] = &types.AttributeValueMemberB{Value: e.Sealed}, text(e.SealedFor)
	}
	if e.Imported != "" {
		item[ImportedAttribute], item[importedHashAttribute] = text(e.Imported), text(importedHash(e))
	}
	return item
}

// Unreadable says that what stands in the place of an event is none, or none that this program can read. No retry
// mends it.
type Unreadable struct {
	StreamID string
	Version  int
	Err      error
}

func (e *Unreadable) Error() string {
	return fmt.Sprintf("stream %s version %d: %v", e.StreamID, e.Version, e.Err)
}

func (e *Unreadable) Unwrap() error { return e.Err }

// EventOf reads an event from its item, as the table or its stream has it. The error is *Unreadable.
func EventOf(item map[string]types.AttributeValue) (Event, error) {
	r := reader{item: item}
	e := Event{
		ID: r.text("eventId"), Type: r.text("eventType"), SchemaVersion: r.number("schemaVersion"),
		StreamID: r.text("streamId"), Version: r.number("version"), OccurredAt: r.time("occurredAt"),
		Data: json.RawMessage(r.text("data")), PreviousHash: r.optionalText("previousHash"),
		Sealed: r.optionalBytes("sealed"), SealedFor: r.optionalText("sealedFor"),
		Imported: r.optionalText(ImportedAttribute),
	}
	meta := reader{item: r.object("metadata")}
	e.Metadata = Metadata{
		CommandID: meta.text("commandId"), CorrelationID: meta.text("correlationId"),
		CausationID: meta.text("causationId"), Actor: meta.text("actor"), TraceHeader: meta.text("traceHeader"),
	}
	for _, err := range []error{r.err, meta.err} {
		if err != nil {
			return Event{}, &Unreadable{StreamID: e.StreamID, Version: e.Version, Err: err}
		}
	}
	return e, nil
}

// reader takes attributes out of an item and remembers the first that is not what it should be.
type reader struct {
	item map[string]types.AttributeValue
	err  error
}

func (r *reader) text(name string) string {
	v, ok := r.item[name].(*types.AttributeValueMemberS)
	if !ok {
		r.fail(name, "a string")
		return ""
	}
	return v.Value
}

// optionalText is for what only some events have, or what those lack that were written by an earlier program.
func (r *reader) optionalText(name string) string {
	if _, ok := r.item[name]; !ok {
		return ""
	}
	return r.text(name)
}

// optionalBytes is for what only some events have.
func (r *reader) optionalBytes(name string) []byte {
	attribute, ok := r.item[name]
	if !ok {
		return nil
	}
	v, ok := attribute.(*types.AttributeValueMemberB)
	if !ok {
		r.fail(name, "bytes")
		return nil
	}
	return v.Value
}

func (r *reader) number(name string) int {
	if v, ok := r.item[name].(*types.AttributeValueMemberN); ok {
		if n, err := strconv.Atoi(v.Value); err == nil {
			return n
		}
	}
	r.fail(name, "a whole number")
	return 0
}

func (r *reader) time(name string) time.Time {
	t, err := time.Parse(timeLayout, r.text(name))
	if err != nil {
		r.fail(name, "a time")
	}
	return t
}

func (r *reader) object(name string) map[string]types.AttributeValue {
	v, ok := r.item[name].(*types.AttributeValueMemberM)
	if !ok {
		r.fail(name, "a map")
		return nil
	}
	return v.Value
}

func (r *reader) fail(name, want string) {
	if r.err == nil {
		r.err = fmt.Errorf("attribute %s is not %s", name, want)
	}
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number(n int) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.Itoa(n)}
}
