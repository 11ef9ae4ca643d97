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

	"milepost/internal/eventstore"
	"milepost/internal/stacktest"
)

// manyStreams fills a log with more than fits a page of DynamoDB, and gives its streams.
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
			for events, err := range log.Whole(t.Context(), eventstore.Part{Number: n, Of: parts}, "") {
				if err != nil {
					t.Fatal(err)
				}
				stream := events[0].StreamID
				if got[stream]++; !reflect.DeepEqual(events, want[stream]) {
					t.Errorf("%d parts: %s has %d events, want the %d that Load gives", parts, stream, len(events), len(want[stream]))
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
		for events, err := range log.Whole(t.Context(), part, after) {
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, events[0].StreamID)
		}
		return ids
	}
	all := read("")
	if len(all) < 10 {
		t.Fatalf("the part has %d streams", len(all))
	}
	for i, stream := range all {
		if got := read(stream); !slices.Equal(got, all[i+1:]) {
			t.Errorf("behind %s: %v, want %v", stream, got, all[i+1:])
		}
	}
}

func TestAStreamWithAGapComesAsItIs(t *testing.T) {
	t.Parallel()
	log, want := manyStreams(t)
	if _, err := log.DB.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: &log.Table, Key: map[string]types.AttributeValue{
		"streamId": &types.AttributeValueMemberS{Value: "stream-6"}, "version": &types.AttributeValueMemberN{Value: "1"},
	}}); err != nil {
		t.Fatal(err)
	}
	for events, err := range log.Whole(t.Context(), eventstore.Part{Of: 1}, "") {
		if err != nil {
			t.Fatal(err)
		}
		if events[0].StreamID == "stream-6" && !reflect.DeepEqual(events, want["stream-6"][1:]) {
			t.Errorf("%d events, want those behind the first", len(events))
		}
	}
	// It lacks its first event, and is there all the same.
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
