package eventstore_test

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/internal/log/eventstore"
	"milepost/internal/platform/stored"
	"milepost/internal/stacktest"
)

type item = stored.Item

// verified is a log of which a test changes items.
type verified struct {
	*eventstore.Store
}

func newVerified(t *testing.T) verified {
	t.Helper()
	s := *stacktest.Open(t, nil).Log()
	s.Validate = func(string, int, []byte) error { return nil }
	return verified{&s}
}

// write appends a stream of three events, or imports it, and returns the hash of the last.
func (v verified) write(t *testing.T, stream string, imported bool) eventstore.Witness {
	t.Helper()
	events := chain(3)
	for i := range events {
		events[i].StreamID, events[i].PreviousHash = stream, ""
		if i > 0 {
			events[i].PreviousHash = events[i-1].Hash()
		}
	}
	w := eventstore.Witness{Version: 3, Hash: events[2].Hash()}
	if imported {
		if _, err := v.Import(t.Context(), events, eventstore.ImportName(time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC))); err != nil {
			t.Fatal(err)
		}
		return w
	}
	for i := range events { // as a caller that unsealed it appends it
		events[i].Stored = events[i].Data
	}
	if err := v.Append(t.Context(), stream, 0, events); err != nil {
		t.Fatal(err)
	}
	return w
}

func (v verified) item(t *testing.T, stream string, version int) item {
	t.Helper()
	out, err := v.DB.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &v.Table, ConsistentRead: aws.Bool(true), Key: item{
		"streamId": stored.Text(stream), "version": &types.AttributeValueMemberN{Value: fmt.Sprint(version)},
	}})
	if err != nil || out.Item == nil {
		t.Fatalf("item=%v error=%v", out, err)
	}
	return out.Item
}

func (v verified) put(t *testing.T, changed item) {
	t.Helper()
	if _, err := v.DB.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &v.Table, Item: changed}); err != nil {
		t.Fatal(err)
	}
}

// other is an attribute of the same type that is not the same.
func other(a types.AttributeValue) types.AttributeValue {
	switch a := a.(type) {
	case *types.AttributeValueMemberS:
		return stored.Text(a.Value + " ")
	case *types.AttributeValueMemberN:
		return &types.AttributeValueMemberN{Value: a.Value + "1"}
	case *types.AttributeValueMemberB:
		return stored.Bytes(append(slices.Clone(a.Value), 0))
	case *types.AttributeValueMemberM:
		return &types.AttributeValueMemberM{Value: item{}}
	}
	panic(fmt.Sprintf("an event has no attribute like %T", a))
}

// changes are all changes of one attribute of an item, of a member of its metadata, and what may be added.
func changes(of item) map[string]item {
	all := map[string]item{}
	change := func(name string, with func(item)) {
		changed := maps.Clone(of)
		with(changed)
		all[name] = changed
	}
	for name, attribute := range of {
		if name == "streamId" || name == "version" {
			continue // it would be another item
		}
		change(name+" is another", func(i item) { i[name] = other(attribute) })
		if name != "timeBucket" && name != "timeKey" {
			change(name+" is of another type", func(i item) { i[name] = &types.AttributeValueMemberBOOL{Value: true} })
		}
		change(name+" is gone", func(i item) { delete(i, name) })
	}
	metadata := of["metadata"].(*types.AttributeValueMemberM).Value
	member := func(name, how string, with func(item)) {
		change("metadata."+name+" is "+how, func(i item) {
			changed := maps.Clone(metadata)
			with(changed)
			i["metadata"] = &types.AttributeValueMemberM{Value: changed}
		})
	}
	for name, attribute := range metadata {
		member(name, "another", func(m item) { m[name] = other(attribute) })
		member(name, "gone", func(m item) { delete(m, name) })
	}
	member("note", "added", func(m item) { m["note"] = stored.Text("x") })
	change("note is added", func(i item) { i["note"] = stored.Text("x") })
	change("timeKey is another event's", func(i item) { i["timeKey"] = stored.Text("2026-05-01T00:00:00.000000000Z#x") })
	change("imported is another import", func(i item) { i["imported"] = stored.Text("import-20261202T000000Z") })
	if of["previousHash"].(*types.AttributeValueMemberS).Value == "" {
		delete(all, "previousHash is gone") // earlier programs left it out
	}
	return all
}

func TestVerifyNamesEveryChangeOfAnyAttribute(t *testing.T) {
	t.Parallel()
	v := newVerified(t)
	for _, imported := range []bool{false, true} {
		for version := 1; version <= 3; version++ {
			stream := fmt.Sprintf("quote-%v-%d", imported, version)
			w := v.write(t, stream, imported)
			if _, faults, err := v.Verify(t.Context(), stream, w); err != nil || faults != nil {
				t.Fatalf("%s: faults=%v error=%v, want none", stream, faults, err)
			}
			original := v.item(t, stream, version)
			for name, changed := range changes(original) {
				v.put(t, changed)
				_, faults, err := v.Verify(t.Context(), stream, w)
				if err != nil || len(faults) == 0 {
					t.Errorf("%s: %s: faults=%v error=%v, want some", stream, name, faults, err)
				}
				// A changed previousHash cannot be distinguished from a changed event before it.
				at := func(f eventstore.Fault) bool {
					return f.StreamID == stream && (f.Version == version || f.Version == version-1)
				}
				if !slices.ContainsFunc(faults, at) {
					t.Errorf("%s: %s: faults=%v, want one at version %d", stream, name, faults, version)
				}
			}
			v.put(t, original)
		}
	}
}

func TestVerifyChecksWhatIsBehindAnUnreadableEvent(t *testing.T) {
	t.Parallel()
	v := newVerified(t)
	w := v.write(t, "quote-1", false)
	broken, changed := v.item(t, "quote-1", 1), v.item(t, "quote-1", 3)
	delete(broken, "eventId")
	changed["data"] = stored.Text("{}")
	v.put(t, broken)
	v.put(t, changed)
	events, faults, err := v.Verify(t.Context(), "quote-1", w)
	want := []eventstore.Fault{{StreamID: "quote-1", Version: 1, What: "unreadable"}, {StreamID: "quote-1", Version: 3, What: "changed"}}
	if err != nil || len(events) != 2 || !reflect.DeepEqual(faults, want) {
		t.Errorf("%d events, faults=%v error=%v, want 2 and %v", len(events), faults, err, want)
	}
}

// Imports that began before importedHash was stored stay valid.
func TestAnImportFromBeforeImportedHashIsSound(t *testing.T) {
	t.Parallel()
	v := newVerified(t)
	w := v.write(t, "quote-1", false)
	old := v.item(t, "quote-1", 2)
	old["imported"] = stored.Text("import-20261130T235959Z")
	v.put(t, old)
	if _, faults, err := v.Verify(t.Context(), "quote-1", w); err != nil || faults != nil {
		t.Errorf("faults=%v error=%v, want none", faults, err)
	}
}

func TestDisagreeComparesManyStreamsAtOnce(t *testing.T) {
	t.Parallel()
	v := newVerified(t)
	witnesses := map[string]eventstore.Witness{}
	for i := range 5 {
		stream := fmt.Sprint("quote-", i)
		witnesses[stream] = v.write(t, stream, false)
	}
	changed, broken := v.item(t, "quote-1", 3), v.item(t, "quote-2", 3)
	changed["data"] = stored.Text("{}")
	delete(broken, "eventId")
	v.put(t, changed)
	v.put(t, broken)
	witnesses["quote-3"] = eventstore.Witness{Version: 4, Hash: "ahead"}
	witnesses["quote-gone"] = eventstore.Witness{Version: 1, Hash: "x"}
	faults, err := v.Disagree(t.Context(), witnesses)
	want := map[string]eventstore.Fault{
		"quote-1": {StreamID: "quote-1", Version: 3, What: "changed"}, "quote-2": {StreamID: "quote-2", Version: 3, What: "unreadable"},
		"quote-3": {StreamID: "quote-3", Version: 4, What: "missing"}, "quote-gone": {StreamID: "quote-gone", Version: 1, What: "missing"},
	}
	if err != nil || !reflect.DeepEqual(faults, want) {
		t.Errorf("faults=%v error=%v, want %v", faults, err, want)
	}
}

// TestLargeEventsArePutBack: however large, a few events fit into one write.
func TestLargeEventsArePutBack(t *testing.T) {
	t.Parallel()
	s := *stacktest.Open(t, nil).Log()
	events := make([]eventstore.Event, 16)
	for i := range events {
		events[i] = eventstore.Event{
			ID: fmt.Sprint(i), Type: "Noted", SchemaVersion: 1, StreamID: "stream-1", Version: i + 1, OccurredAt: time.Unix(int64(i), 0).UTC(),
			Data: []byte(`{"noted":null}`), Sealed: bytes.Repeat([]byte{byte(i)}, 300<<10), SealedFor: "ada",
		}
		if i > 0 {
			events[i].PreviousHash = events[i-1].Hash()
		}
	}
	for round, want := range []int{len(events), 0} {
		restored, err := s.Restore(t.Context(), events, false)
		if err != nil || len(restored) != want {
			t.Errorf("round %d: versions %v, error %v, want %d", round, restored, err, want)
		}
	}
}
