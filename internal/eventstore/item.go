package eventstore

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// timeLayout writes instants so that their texts sort as the instants do.
const timeLayout = "2006-01-02T15:04:05.000000000Z07:00"

// item is the stored form of an event. Its data is validated on the way.
func (s *Store) item(e Event) (map[string]types.AttributeValue, error) {
	dec := json.NewDecoder(bytes.NewReader(e.Data))
	dec.UseNumber()
	var data map[string]any
	if err := dec.Decode(&data); err != nil {
		return nil, fmt.Errorf("encode %s: %w", e.Type, err)
	}
	if err := s.Validate(e.Type, e.SchemaVersion, data); err != nil {
		return nil, fmt.Errorf("event %s version %d: %w", e.Type, e.SchemaVersion, err)
	}
	at := e.OccurredAt.UTC().Format(timeLayout)
	return map[string]types.AttributeValue{
		"streamId":      text(e.StreamID),
		"version":       number(e.Version),
		"eventId":       text(e.ID),
		"eventType":     text(e.Type),
		"schemaVersion": number(e.SchemaVersion),
		"occurredAt":    text(at),
		"data":          attributeOf(data),
		"metadata": &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{
			"commandId":     text(e.Metadata.CommandID),
			"correlationId": text(e.Metadata.CorrelationID),
			"causationId":   text(e.Metadata.CausationID),
			"actor":         text(e.Metadata.Actor),
			"traceHeader":   text(e.Metadata.TraceHeader),
		}},
		"timeBucket": text(timeBucket(e.StreamID, e.OccurredAt.UTC())),
		"timeKey":    text(at + "#" + e.ID),
	}, nil
}

// eventOf reads a stored event.
func eventOf(item map[string]types.AttributeValue) (Event, error) {
	r := reader{item: item}
	e := Event{
		ID: r.text("eventId"), Type: r.text("eventType"), SchemaVersion: r.number("schemaVersion"),
		StreamID: r.text("streamId"), Version: r.number("version"), OccurredAt: r.time("occurredAt"),
		Data: appendJSON(nil, item["data"]),
	}
	meta := reader{item: r.object("metadata")}
	e.Metadata = Metadata{
		CommandID: meta.text("commandId"), CorrelationID: meta.text("correlationId"),
		CausationID: meta.text("causationId"), Actor: meta.text("actor"), TraceHeader: meta.text("traceHeader"),
	}
	for _, err := range []error{r.err, meta.err} {
		if err != nil {
			return Event{}, fmt.Errorf("event %s version %d: %w", e.StreamID, e.Version, err)
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

// attributeOf is the DynamoDB form of a decoded JSON value whose numbers are json.Number. The
// kept library for this makes strings of such numbers, so the few cases are written out here.
func attributeOf(v any) types.AttributeValue {
	switch v := v.(type) {
	case nil:
		return &types.AttributeValueMemberNULL{Value: true}
	case bool:
		return &types.AttributeValueMemberBOOL{Value: v}
	case string:
		return text(v)
	case json.Number:
		return &types.AttributeValueMemberN{Value: v.String()}
	case []any:
		list := make([]types.AttributeValue, len(v))
		for i, e := range v {
			list[i] = attributeOf(e)
		}
		return &types.AttributeValueMemberL{Value: list}
	case map[string]any:
		m := make(map[string]types.AttributeValue, len(v))
		for k, e := range v {
			m[k] = attributeOf(e)
		}
		return &types.AttributeValueMemberM{Value: m}
	}
	panic(fmt.Sprintf("eventstore: %T is not decoded JSON", v))
}

// appendJSON writes an attribute that came from JSON as JSON again, the keys sorted.
func appendJSON(b []byte, v types.AttributeValue) []byte {
	switch v := v.(type) {
	case *types.AttributeValueMemberBOOL:
		return strconv.AppendBool(b, v.Value)
	case *types.AttributeValueMemberN:
		return append(b, v.Value...)
	case *types.AttributeValueMemberS:
		return appendString(b, v.Value)
	case *types.AttributeValueMemberL:
		b = append(b, '[')
		for i, e := range v.Value {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSON(b, e)
		}
		return append(b, ']')
	case *types.AttributeValueMemberM:
		b = append(b, '{')
		for i, k := range slices.Sorted(maps.Keys(v.Value)) {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendString(b, k), ':')
			b = appendJSON(b, v.Value[k])
		}
		return append(b, '}')
	}
	return append(b, "null"...)
}

// appendString writes s as a JSON string. Most strings are plain ASCII and need no escapes.
func appendString(b []byte, s string) []byte {
	if strings.IndexFunc(s, needsEscape) < 0 {
		b = append(b, '"')
		b = append(b, s...)
		return append(b, '"')
	}
	quoted, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string can always be encoded
	}
	return append(b, quoted...)
}

func needsEscape(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }
