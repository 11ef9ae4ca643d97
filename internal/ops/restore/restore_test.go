package restore_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"milepost/domain/quote/quotetest"
	"milepost/internal/log/archive"
	"milepost/internal/log/eventstore"
	"milepost/internal/ops/restore"
	"milepost/internal/platform/stored"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/stacktest"
)

var at = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

const first, second = "01KXAMPE000000000000000001", "01KXAMPE000000000000000002"

// load reads a stream as far as it can be read.
func load(t *testing.T, log *eventstore.Store, id string) []eventstore.Event {
	t.Helper()
	events, err := log.Load(t.Context(), quotestore.StreamID(id), 0)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// TestWhatTheArchiveHasIsPutBack: an event that was deleted, and one that was changed, of the quotes that are picked.
func TestWhatTheArchiveHasIsPutBack(t *testing.T) {
	t.Parallel()
	s := stacktest.Open(t, nil)
	for _, id := range []string{first, second} {
		s.MustQuote(t, quotetest.MustExample(t, "E01"), "ada", id, at, 4)
	}
	log, bucket := s.Log(), s.Parts().Archive()
	exporter := archive.Exporter{Log: log, Workers: 1}
	if _, err := exporter.Run(t.Context(), &archive.Objects{Put: bucket.Put}, func(int) {}); err != nil {
		t.Fatal(err)
	}
	before := [][]eventstore.Event{load(t, log, first), load(t, log, second)}
	for _, id := range []string{first, second} {
		if _, err := log.DB.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: &log.Table, Key: stacktest.EventKey(id, 4)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := log.DB.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
		TableName: &log.Table, Key: stacktest.EventKey(first, 2), UpdateExpression: aws.String("SET metadata.actor = :who"),
		ExpressionAttributeValues: stored.Item{":who": stored.Text("somebody")},
	}); err != nil {
		t.Fatal(err)
	}

	r := &restore.Restorer{
		Quotes: s.Quotes(), Projections: s.Projections(), Bucket: bucket, Check: true,
		Snapshots: s.Parts().Snapshots(),
		Only:      func(stream string) bool { return stream == quotestore.StreamID(first) },
	}
	want := restore.Restored{Events: []restore.Place{{quotestore.StreamID(first), 2}, {quotestore.StreamID(first), 4}}, Faults: []string{}}
	if would, err := r.Run(t.Context()); err != nil || !reflect.DeepEqual(would, want) {
		t.Errorf("a check: %+v, %v, want %+v", would, err, want)
	}
	if reflect.DeepEqual(load(t, log, first), before[0]) {
		t.Error("a check put something back")
	}
	r.Check = false
	if did, err := r.Run(t.Context()); err != nil || !reflect.DeepEqual(did, want) {
		t.Errorf("%+v, %v, want %+v", did, err, want)
	}
	if !reflect.DeepEqual(load(t, log, first), before[0]) {
		t.Error("the stream is not what it was")
	}
	if n := len(load(t, log, second)); n != 3 {
		t.Errorf("the other quote has %d events, want 3 still", n)
	}
	r.Only = nil
	if did, err := r.Run(t.Context()); err != nil || len(did.Events) != 1 || len(did.Faults) > 0 {
		t.Errorf("all: %+v, %v, want the one that is left", did, err)
	}
	if !reflect.DeepEqual(load(t, log, second), before[1]) {
		t.Error("the other stream is not what it was")
	}
	if did, err := r.Run(t.Context()); err != nil || len(did.Events) > 0 {
		t.Errorf("again: %+v, %v, want nothing left", did, err)
	}
}
