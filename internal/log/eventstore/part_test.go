package eventstore_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/internal/log/eventstore"
	"milepost/internal/platform/stored"
	"milepost/internal/stacktest"
)

// manyStreams fills a log with more than fits a page of DynamoDB, and returns its streams.
func manyStreams(t *testing.T) (*eventstore.Store, map[string][]eventstore.Event) {
	t.Helper()
	log := stacktest.Open(t, nil).Log()
	log.Validate = func(string, int, []byte) error { return nil }
	streams := map[string][]eventstore.Event{}
	for i := range 60 {
		stream := fmt.Sprintf("stream-%d", i)
		for v := range 1 + i%7 {
			event := eventstore.Event{
				ID: fmt.Sprintf("%d/%d", i, v), Type: "Noted", SchemaVersion: 1, OccurredAt: time.Date(2026, 5, 1, 0, i, v, 0, time.UTC),
				Data: json.RawMessage(`{"note":"` + strings.Repeat("x", 12<<10) + `"}`),
			}
			if err := log.Append(t.Context(), stream, v, []eventstore.Event{event}); err != nil {
				t.Fatal(err)
			}
		}
		var err error
		if streams[stream], err = log.Load(t.Context(), stream, 0); err != nil {
			t.Fatal(err)
		}
	}
	return log, streams
}

func TestEveryStreamIsInOnePartAndWhole(t *testing.T) {
	t.Parallel()
	log, want := manyStreams(t)
	for _, parts := range []int{1, 2, 16} {
		got := map[string]int{}
		for n := range parts {
			for read, err := range log.Whole(t.Context(), eventstore.Part{Number: n, Of: parts}, "") {
				if err != nil {
					t.Fatal(err)
				}
				stream := read.ID
				if got[stream]++; !reflect.DeepEqual(read.Events, want[stream]) {
					t.Errorf("%d parts: %s has %d events, want the %d of Load", parts, stream, len(read.Events), len(want[stream]))
				}
			}
		}
		for stream := range want {
			if got[stream] != 1 {
				t.Errorf("%d parts: %s came %d times", parts, stream, got[stream])
			}
		}
	}
}

func TestAPartGoesOnBehindAnyStream(t *testing.T) {
	t.Parallel()
	log, _ := manyStreams(t)
	part := eventstore.Part{Number: 1, Of: 3}
	read := func(after string) (ids []string) {
		for stream, err := range log.Whole(t.Context(), part, after) {
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, stream.ID)
		}
		return ids
	}
	all := read("")
	if len(all) < 10 {
		t.Fatalf("the part has %d streams", len(all))
	}
	for i, stream := range all {
		if got := read(stream); !slices.Equal(got, all[i+1:]) {
			t.Errorf("after %s: %v, want %v", stream, got, all[i+1:])
		}
	}
}

func TestAStreamWithAGapComesAsItIs(t *testing.T) {
	t.Parallel()
	log, want := manyStreams(t)
	if _, err := log.DB.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: &log.Table, Key: stored.Item{
		"streamId": stored.Text("stream-6"), "version": &types.AttributeValueMemberN{Value: "1"},
	}}); err != nil {
		t.Fatal(err)
	}
	for stream, err := range log.Whole(t.Context(), eventstore.Part{Of: 1}, "") {
		if err != nil {
			t.Fatal(err)
		}
		if stream.ID == "stream-6" && !reflect.DeepEqual(stream.Events, want["stream-6"][1:]) {
			t.Errorf("%d events, want those after the first", len(stream.Events))
		}
	}
	// It lacks its first event, but is returned nevertheless.
	absent, err := log.Absent(t.Context(), []string{"stream-6", "stream-7", "stream-60"})
	if err != nil || !slices.Equal(absent, []string{"stream-60"}) {
		t.Errorf("absent=%v error=%v, want stream-60", absent, err)
	}
}

func TestPartsOfNoTableAreAnError(t *testing.T) {
	t.Parallel()
	log := *stacktest.Open(t, nil).Log()
	log.Table = "nowhere"
	for _, err := range log.Whole(t.Context(), eventstore.Part{Of: 1}, "") {
		if err == nil || !strings.Contains(err.Error(), "part 0 of 1") {
			t.Errorf("error=%v, want one that names the part", err)
		}
	}
	if _, err := log.Absent(t.Context(), []string{"stream"}); err == nil {
		t.Error("nothing is absent from no table")
	}
	if _, err := log.Count(t.Context()); err == nil {
		t.Error("no table has no count")
	}
}

// TestAnEventThatCannotBeReadEndsNothing damages each attribute of an event, each in its own stream.
func TestAnEventThatCannotBeReadEndsNothing(t *testing.T) {
	t.Parallel()
	log, want := manyStreams(t)
	damaged := map[string]string{}
	for i, attribute := range []string{
		"eventId", "eventType", "schemaVersion", "occurredAt", "data", "metadata", "metadata.commandId", "metadata.correlationId",
		"metadata.causationId", "metadata.actor", "metadata.traceHeader", "previousHash",
	} {
		stream := fmt.Sprintf("stream-%d", 7*i+6)
		if i >= 8 {
			stream = fmt.Sprintf("stream-%d", 7*(i-8)+5)
		}
		damaged[stream] = attribute
		outer, inner, _ := strings.Cut(attribute, ".")
		path, names := "#outer", map[string]string{"#outer": outer}
		if inner != "" {
			path, names["#inner"] = "#outer.#inner", inner
		}
		if _, err := log.DB.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
			TableName: &log.Table, Key: stored.Item{
				"streamId": stored.Text(stream), "version": &types.AttributeValueMemberN{Value: "2"},
			},
			UpdateExpression: new("SET " + path + " = :nothing"), ExpressionAttributeNames: names,
			ExpressionAttributeValues: stored.Item{":nothing": &types.AttributeValueMemberNULL{Value: true}},
		}); err != nil {
			t.Fatal(err)
		}
	}
	seen := 0
	for stream, err := range log.Whole(t.Context(), eventstore.Part{Of: 1}, "") {
		if err != nil {
			t.Fatal(err)
		}
		seen++
		attribute, bad := damaged[stream.ID]
		if !bad {
			if events, err := stream.Intact(); err != nil || !reflect.DeepEqual(events, want[stream.ID]) {
				t.Errorf("%s: %d events, error %v", stream.ID, len(events), err)
			}
			continue
		}
		_, err := stream.Intact()
		if err == nil || !strings.Contains(err.Error(), stream.ID+" version 2: attribute "+attribute+" is not") || len(stream.Events) != len(want[stream.ID])-1 {
			t.Errorf("%s: %d events, error %v; want the others, and one that names %s", stream.ID, len(stream.Events), err, attribute)
		}
	}
	if seen != len(want) {
		t.Errorf("%d streams, want %d", seen, len(want))
	}
	var places []eventstore.Place
	for place, err := range log.Places(t.Context(), eventstore.CursorAt(time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)), time.Date(2026, 5, 2, 0, 0, 0, 0, time.UTC)) {
		if err != nil {
			t.Fatal(err)
		}
		if place.Version == 2 {
			places = append(places, place)
		}
	}
	places = append(places, eventstore.Place{StreamID: "stream-of-the-index-alone", Version: 1})
	notices, bad, err := log.Notices(t.Context(), places)
	// A notice needs neither the data nor the hash.
	if err != nil || len(bad) != len(damaged)-2+1 || len(notices)+len(bad) != len(places) {
		t.Errorf("%d notices, %d unreadable of %d, error %v", len(notices), len(bad), len(places), err)
	}
}
