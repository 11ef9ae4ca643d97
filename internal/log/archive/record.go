package archive

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"milepost/internal/log/eventstore"
)

// record is all of an event but its data, as in a line. What an event may lack is omitted. parseLine reads its members
// in this order.
type record struct {
	StreamID      string    `json:"streamId"`
	Version       int       `json:"version"`
	EventID       string    `json:"eventId"`
	EventType     string    `json:"eventType"`
	SchemaVersion int       `json:"schemaVersion"`
	OccurredAt    time.Time `json:"occurredAt"`
	Metadata      metadata  `json:"metadata"`
	PreviousHash  string    `json:"previousHash,omitempty"`
	SealedFor     string    `json:"sealedFor,omitempty"`
	KeyID         string    `json:"keyId,omitempty"`
	Sealed        []byte    `json:"sealed,omitempty"`
	Imported      string    `json:"imported,omitempty"`
}

type metadata struct {
	CommandID     string `json:"commandId"`
	CorrelationID string `json:"correlationId"`
	CausationID   string `json:"causationId,omitempty"`
	Actor         string `json:"actor"`
	TraceHeader   string `json:"traceHeader,omitempty"`
}

// dataMember begins the last member of a line. It cannot appear earlier in the line: the quotes of a text are escaped.
var dataMember = []byte(`,"data":`)

// AppendLine adds the line of an event, with its end. Sealed members stay sealed: the event must be as the log has it.
// The data is in it byte for byte, as its last member; data that is not a JSON object in one line, which nothing
// writes, is stored as a text.
func AppendLine(line []byte, e eventstore.Event) ([]byte, error) {
	head, err := json.Marshal(record{
		StreamID: e.StreamID, Version: e.Version, EventID: e.ID, EventType: e.Type, SchemaVersion: e.SchemaVersion,
		OccurredAt: e.OccurredAt.UTC(), PreviousHash: e.PreviousHash, Metadata: metadata(e.Metadata),
		SealedFor: e.SealedFor, KeyID: e.KeyID, Sealed: e.Sealed, Imported: e.Imported,
	})
	if err != nil {
		return line, fmt.Errorf("version %d of stream %s: %w", e.Version, e.StreamID, err)
	}
	line = append(append(line, head[:len(head)-1]...), dataMember...)
	if plain(e.Data) {
		line = append(line, e.Data...)
	} else {
		text, err := json.Marshal(string(e.Data))
		if err != nil {
			return line, err
		}
		line = append(line, text...)
	}
	return append(line, '}', '\n'), nil
}

// plain reports whether data can be in a line unchanged.
func plain(data []byte) bool {
	return len(data) > 1 && data[0] == '{' && data[len(data)-1] == '}' && !bytes.ContainsAny(data, "\r\n") && json.Valid(data)
}

// parseLine reads what AppendLine wrote, without the end of the line. The event's data are a part of the line. They are
// not parsed: the fold does that.
func parseLine(line []byte) (eventstore.Event, error) {
	at := bytes.Index(line, dataMember)
	if at < 0 || line[len(line)-1] != '}' {
		return eventstore.Event{}, errors.New("it is not an event: it does not end with its data")
	}
	data := json.RawMessage(line[at+len(dataMember) : len(line)-1])
	if len(data) > 0 && data[0] == '"' {
		var text string
		if err := json.Unmarshal(data, &text); err != nil {
			return eventstore.Event{}, fmt.Errorf("it is not an event: its data: %w", err)
		}
		data = json.RawMessage(text)
	}
	m := members{rest: string(line[:at]), next: "{"} // one string for all texts
	e := eventstore.Event{
		StreamID: m.text("streamId"), Version: m.number("version"), ID: m.text("eventId"), Type: m.text("eventType"),
		SchemaVersion: m.number("schemaVersion"), OccurredAt: m.time("occurredAt"), Data: data,
	}
	m.open("metadata")
	e.Metadata = eventstore.Metadata{
		CommandID: m.text("commandId"), CorrelationID: m.text("correlationId"), CausationID: m.optional("causationId"),
		Actor: m.text("actor"), TraceHeader: m.optional("traceHeader"),
	}
	m.close()
	e.PreviousHash, e.SealedFor, e.KeyID = m.optional("previousHash"), m.optional("sealedFor"), m.optional("keyId")
	e.Sealed, e.Imported = m.bytes("sealed"), m.optional("imported")
	if m.err == nil && m.rest != "" {
		m.fail("data")
	}
	if m.err == nil && e.Version < 1 {
		m.err = fmt.Errorf("it is not an event: its version is %d", e.Version)
	}
	return e, m.err
}
