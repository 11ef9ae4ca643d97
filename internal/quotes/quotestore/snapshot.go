package quotestore

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/domain/quote"
	"milepost/internal/log/eventstore"
	"milepost/internal/log/seal"
	"milepost/internal/platform/stored"
)

// SnapshotEvery is how many events there are between two snapshots of a quote.
const SnapshotEvery = 50

// Milestone reports whether a snapshot is taken after an event: every SnapshotEvery events, and when something was
// undone in a quote with snapshots, because these are no longer valid.
func Milestone(eventType string, version int) bool {
	return version%SnapshotEvery == 0 || eventType == quote.TypeEventReversed && version > SnapshotEvery
}

// Snapshots keeps the newest snapshot of each quote.
type Snapshots struct {
	DB    *dynamodb.Client
	Table string
	// Logger receives damaged snapshots.
	Logger *slog.Logger
}

// snapshot is a quote as it was at a version. It does not grow with the log.
type snapshot struct {
	Quote quote.Quote
	// Hash is that of the event at the version of Quote.
	Hash        string
	RequestedAt time.Time
	// Commands are the newest commands that were carried out, the oldest first. Forgotten reports that there were
	// others.
	Commands  []commandMark
	Forgotten bool
}

// commandMark identifies a command and all others under its idempotency key.
type commandMark uint64

func markOf(commandID string) commandMark {
	sum := sha256.Sum256([]byte(keyOf(commandID)))
	return commandMark(binary.BigEndian.Uint64(sum[:]))
}

// maxCommands is how many commands a snapshot remembers. If there were more, the log must be searched.
const maxCommands = 1000

func (s *Store) latest(ctx context.Context, quoteID string, unseal unsealer) (History, error) {
	events, err := s.Log.Newest(ctx, StreamID(quoteID), SnapshotEvery)
	if err != nil {
		return History{}, err
	}
	if len(events) == 0 || events[0].Version == 1 {
		return historyOf(ctx, events, unseal)
	}
	kept, err := s.snapshot(ctx, StreamID(quoteID))
	if damaged, ok := errors.AsType[*damagedSnapshot](err); ok {
		return s.despite(ctx, quoteID, damaged, unseal)
	}
	if err != nil {
		return History{}, err
	}
	tail := slices.IndexFunc(events, func(e eventstore.Event) bool { return e.Version == kept.Quote.Version+1 })
	if kept.Quote.Version == events[len(events)-1].Version {
		tail = len(events)
	}
	if tail < 0 || slices.ContainsFunc(events[tail:], undoes) {
		return s.load(ctx, quoteID, unseal)
	}
	if !kept.stands(events, tail) {
		return s.despite(ctx, quoteID, &damagedSnapshot{errors.New("the chain of the log has another event at its version")}, unseal)
	}
	// A snapshot has the personal data, so the events must have it too.
	erased, err := s.Unseal(ctx, events)
	if err != nil {
		return History{}, err
	}
	if erased {
		return s.load(ctx, quoteID, unseal)
	}
	h := History{Quote: kept.Quote, Events: events[:tail], base: &kept}
	return h.with(events[tail:])
}

// despite reads a quote from the log if its snapshot cannot be used, and logs that. The next snapshot replaces it.
func (s *Store) despite(ctx context.Context, quoteID string, damaged *damagedSnapshot, unseal unsealer) (History, error) {
	s.Snapshots.Logger.ErrorContext(ctx, "damaged snapshot", "stream_id", StreamID(quoteID), "error", damaged.err.Error())
	h, err := s.load(ctx, quoteID, unseal)
	h.damaged = true
	return h, err
}

// stands reports whether the chain of the newest events, those after the snapshot from tail on, has the event that it
// was taken at: by the event itself, if it is among them, and by the next one.
func (kept snapshot) stands(events []eventstore.Event, tail int) bool {
	if tail > 0 && events[tail-1].Hash() != kept.Hash {
		return false
	}
	return tail == len(events) || events[tail].PreviousHash == kept.Hash
}

func undoes(e eventstore.Event) bool { return e.Type == quote.TypeEventReversed }

// damagedSnapshot is the error if a snapshot cannot be read. It is ignored, and the next one replaces it.
type damagedSnapshot struct{ err error }

func (e *damagedSnapshot) Error() string { return "the snapshot cannot be read: " + e.err.Error() }
func (e *damagedSnapshot) Unwrap() error { return e.err }

// snapshot returns the snapshot of a quote, the zero one if there is no readable one: its customer may have been
// erased. The error is *damagedSnapshot if it cannot be read.
func (s *Store) snapshot(ctx context.Context, stream string) (kept snapshot, err error) {
	sealed, err := s.Snapshots.get(ctx, stream)
	if err != nil || sealed.Text == nil {
		return kept, err
	}
	if s.Keys == nil {
		return kept, errNoKeys
	}
	packed, err := s.Keys.Unseal(ctx, sealed.Sealed, aadOfSnapshot(stream))
	_, erased := errors.AsType[*seal.Erased](err)
	_, noKey := errors.AsType[*seal.NoKey](err)
	if erased || noKey {
		return kept, nil
	}
	if _, damaged := errors.AsType[*seal.Damaged](err); err != nil && !damaged {
		return kept, fmt.Errorf("read the snapshot of %s: %w", stream, err)
	}
	if err == nil {
		err = unpack(packed, &kept)
	}
	if err == nil && (StreamID(kept.Quote.ID) != stream || kept.Quote.Version != sealed.version) {
		err = errors.New("it is of another quote or version")
	}
	if err != nil {
		return snapshot{}, &damagedSnapshot{err}
	}
	return kept, nil
}

func aadOfSnapshot(stream string) []byte { return []byte(stream + "\nsnapshot") }

// TakeSnapshot stores a quote as it is now, sealed for its customer. A quote that is not sealed itself, or whose
// customer has no key or was erased, gets no snapshot, nor does one whose events do not chain, because somebody changed
// them.
func (s *Store) TakeSnapshot(ctx context.Context, quoteID string) error {
	h, err := s.Latest(ctx, quoteID)
	if _, none := errors.AsType[*seal.NoKey](err); none {
		return nil
	}
	if err != nil {
		return err
	}
	if h.Quote.Version == 0 {
		return &NotFound{QuoteID: quoteID}
	}
	if h.Erased || !h.sealed() {
		return nil
	}
	if !eventstore.Chained("", h.Events) {
		s.Snapshots.Logger.ErrorContext(ctx, "no snapshot of a broken chain", "stream_id", StreamID(quoteID))
		return nil
	}
	marks, all := h.commands()
	packed, err := pack(snapshot{Quote: h.Quote, Hash: h.Events[len(h.Events)-1].Hash(), RequestedAt: h.RequestedAt(), Commands: marks, Forgotten: !all})
	if err != nil {
		return fmt.Errorf("encode the snapshot of %s: %w", StreamID(quoteID), err)
	}
	sealed, err := s.Keys.Seal(ctx, h.Quote.CustomerID, aadOfSnapshot(StreamID(quoteID)), packed)
	if _, erased := errors.AsType[*seal.Erased](err); erased {
		return nil // since it was read
	}
	if err != nil {
		return err
	}
	return s.Snapshots.put(ctx, StreamID(quoteID), sealedSnapshot{sealed, h.Quote.Version}, h.damaged)
}

// commands are the newest commands that made a history; all reports that there were no others.
func (h History) commands() (marks []commandMark, all bool) {
	all = true
	if h.base != nil {
		marks, all = slices.Clip(h.base.Commands), !h.base.Forgotten
	}
	for _, e := range h.Events {
		if m := markOf(e.Metadata.CommandID); !slices.Contains(marks, m) {
			marks = append(marks, m)
		}
	}
	extra := max(0, len(marks)-maxCommands)
	return marks[extra:], all && extra == 0
}

// form identifies how a state is written and what the fold means. A snapshot in another form is ignored.
var form = fmt.Sprintf("sealed-%d-%x", quote.FoldVersion, sha256.Sum256([]byte(formOf(reflect.TypeFor[snapshot](), nil))))[:40]

// formOf spells out a type with all that it is made of.
func formOf(t reflect.Type, within []reflect.Type) string {
	text := t.String()
	if slices.Contains(within, t) {
		return text
	}
	within = append(slices.Clip(within), t)
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array:
		text += " of " + formOf(t.Elem(), within)
	case reflect.Map:
		text += " of " + formOf(t.Key(), within) + " " + formOf(t.Elem(), within)
	case reflect.Struct:
		for f := range t.Fields() {
			text += fmt.Sprintf("; %s %s %s", f.Name, formOf(f.Type, within), f.Tag)
		}
	}
	return "(" + text + ")"
}

// sealedSnapshot is a snapshot as it is kept: packed JSON, sealed, and its version.
type sealedSnapshot struct {
	seal.Sealed
	version int
}

func pack(kept snapshot) ([]byte, error) {
	text, err := json.Marshal(kept)
	if err != nil {
		return nil, err
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(text); err != nil {
		return nil, err
	}
	err = w.Close()
	return packed.Bytes(), err
}

func unpack(packed []byte, kept *snapshot) error {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return err
	}
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, kept)
}

// get returns the snapshot of a quote, the zero one if there is none of today's form.
func (s *Snapshots) get(ctx context.Context, stream string) (kept sealedSnapshot, err error) {
	out, err := s.DB.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &s.Table, Key: stored.Item{"streamId": stored.Text(stream)},
	})
	if err != nil {
		return kept, fmt.Errorf("read the snapshot of %s: %w", stream, err)
	}
	if out.Item == nil {
		return kept, nil
	}
	r := stored.Read(out.Item)
	if f := r.Text("form"); f != form && r.Err() == nil {
		return kept, nil
	}
	kept.Sealed = seal.Sealed{CustomerID: r.Text("sealedFor"), KeyID: r.OptionalText("keyId"), Text: r.Bytes("state")}
	kept.version = r.Number("version")
	if r.Err() != nil {
		return sealedSnapshot{}, &damagedSnapshot{r.Err()}
	}
	return kept, nil
}

// Remove forgets the snapshot of a stream.
func (s *Snapshots) Remove(ctx context.Context, stream string) error {
	_, err := s.DB.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: &s.Table, Key: stored.Item{"streamId": stored.Text(stream)},
	})
	if err != nil {
		return fmt.Errorf("remove the snapshot of %s: %w", stream, err)
	}
	return nil
}

// put keeps a snapshot, unless a newer one of the same form is kept that is not damaged.
func (s *Snapshots) put(ctx context.Context, stream string, kept sealedSnapshot, damaged bool) error {
	version := stored.Number(kept.version)
	put := &dynamodb.PutItemInput{
		TableName: &s.Table,
		Item: stored.Item{
			"streamId": stored.Text(stream), "version": version,
			"form": stored.Text(form), "state": stored.Bytes(kept.Text),
			"sealedFor": stored.Text(kept.CustomerID), "keyId": stored.Text(kept.KeyID),
		},
	}
	if !damaged {
		put.ConditionExpression = new("attribute_not_exists(version) OR version < :version OR form <> :form")
		put.ExpressionAttributeValues = stored.Item{":version": version, ":form": stored.Text(form)}
	}
	_, err := s.DB.PutItem(ctx, put)
	if _, newer := errors.AsType[*types.ConditionalCheckFailedException](err); newer {
		return nil
	}
	if err != nil {
		return fmt.Errorf("write the snapshot of %s: %w", stream, err)
	}
	return nil
}
