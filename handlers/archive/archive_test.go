package archive_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	function "milepost/handlers/archive"
	"milepost/internal/log/archive"
	"milepost/internal/log/eventstore"
	"milepost/internal/log/tamper"
	"milepost/internal/stacktest"
)

// newHandler makes the handler, and returns the bucket for reading.
func newHandler(t *testing.T) (lambda.Handler, archive.Bucket) {
	t.Helper()
	stack := stacktest.Open(t, nil)
	env := stack.Environment("archive")
	h, err := function.New(env)
	if err != nil {
		t.Fatal(err)
	}
	return h, archive.Bucket{S3: s3.NewFromConfig(stack.Config()), Name: env.Getenv("ARCHIVE_BUCKET_NAME")}
}

// record is the stream record of an event of a day in May 2026; its place in the stream is 100 and more.
func record(place, day int) events.DynamoDBEventRecord {
	text := events.NewStringAttribute
	return events.DynamoDBEventRecord{EventName: "INSERT", Change: events.DynamoDBStreamRecord{
		SequenceNumber: fmt.Sprint(100 + place), NewImage: map[string]events.DynamoDBAttributeValue{
			"streamId": text(fmt.Sprint("quote-", place)), "version": events.NewNumberAttribute("1"), "eventId": text(fmt.Sprint("event-", place)),
			"eventType": text("QuoteRequested"), "schemaVersion": events.NewNumberAttribute("1"),
			"occurredAt": text(fmt.Sprintf("2026-05-%02dT12:00:00.000000001Z", day)), "data": text(`{"a":1}`), "previousHash": text(""),
			"timeBucket": text("2026-05-01#3"), "timeKey": text("x"),
			"metadata": events.NewMapAttribute(map[string]events.DynamoDBAttributeValue{
				"commandId": text("c"), "correlationId": text("r"), "causationId": text(""), "actor": text("ada"), "traceHeader": text("Root=1"),
			}),
		},
	}}
}

// event is what the record is of.
func event(place, day int) eventstore.Event {
	return eventstore.Event{ID: fmt.Sprint("event-", place), Type: "QuoteRequested", SchemaVersion: 1, StreamID: fmt.Sprint("quote-", place), Version: 1,
		OccurredAt: time.Date(2026, 5, day, 12, 0, 0, 1, time.UTC), Data: []byte(`{"a":1}`),
		Metadata: eventstore.Metadata{CommandID: "c", CorrelationID: "r", Actor: "ada", TraceHeader: "Root=1"}}
}

// invoke hands a batch over and returns the failed records.
func invoke(t *testing.T, h lambda.Handler, records ...events.DynamoDBEventRecord) (failed []string, err error) {
	t.Helper()
	payload, err := json.Marshal(events.DynamoDBEvent{Records: records})
	if err != nil {
		t.Fatal(err)
	}
	out, err := h.Invoke(t.Context(), payload)
	if err != nil {
		return nil, err
	}
	var answer events.DynamoDBEventResponse
	if err := json.Unmarshal(out, &answer); err != nil {
		t.Fatal(err)
	}
	for _, f := range answer.BatchItemFailures {
		failed = append(failed, f.ItemIdentifier)
	}
	return failed, nil
}

// contents returns the objects' keys, and all events in their order.
func contents(t *testing.T, b archive.Bucket) (keys []string, all []eventstore.Event) {
	t.Helper()
	objects, err := b.Objects(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		keys = append(keys, o.Name)
	}
	for some, err := range (&archive.Reader{Source: b}).Events(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, some...)
	}
	return keys, all
}

func TestABatchIsArchivedByDaysAndOnce(t *testing.T) {
	t.Parallel()
	h, bucket := newHandler(t)
	for range 3 {
		if failed, err := invoke(t, h, record(1, 1), record(2, 2), record(3, 1)); err != nil || failed != nil {
			t.Fatalf("failed=%v error=%v", failed, err)
		}
	}
	keys, got := contents(t, bucket)
	if len(keys) != 2 || !strings.HasPrefix(keys[0], "events/dt=2026-05-01/0000000000000000000000000000000000000101-") ||
		!strings.HasPrefix(keys[1], "events/dt=2026-05-02/0000000000000000000000000000000000000102-") {
		t.Errorf("keys=%v", keys)
	}
	if want := []eventstore.Event{event(1, 1), event(3, 1), event(2, 2)}; !reflect.DeepEqual(got, want) {
		t.Errorf("events=%+v\nwant %+v", got, want)
	}
	if _, err := invoke(t, h, record(2, 2), record(3, 1)); err != nil { // with another boundary
		t.Fatal(err)
	}
	if keys, _ := contents(t, bucket); len(keys) != 3 {
		t.Errorf("keys=%v, want one more, of the day whose events are fewer", keys)
	}
}

func TestARecordThatIsNoEventHoldsUpNone(t *testing.T) {
	t.Parallel()
	h, bucket := newHandler(t)
	poison := record(2, 1)
	delete(poison.Change.NewImage, "eventId")
	failed, err := invoke(t, h, poison, record(1, 1), poison, record(3, 1))
	if err != nil || len(failed) != 0 {
		t.Errorf("failed=%v error=%v", failed, err)
	}
	if _, got := contents(t, bucket); !reflect.DeepEqual(got, []eventstore.Event{event(1, 1), event(3, 1)}) {
		t.Errorf("events=%+v", got)
	}
}

func TestABucketThatIsAwayFailsTheBatch(t *testing.T) {
	t.Parallel()
	stack := stacktest.Open(t, nil)
	env := stack.Environment("archive")
	getenv := env.Getenv
	env.Getenv = func(name string) string { return getenv(name) + "-away" }
	h, err := function.New(env)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := invoke(t, h, record(1, 1)); err == nil || !strings.Contains(err.Error(), "put events/dt=2026-05-01/") {
		t.Errorf("error=%v", err)
	}
	if denied := stack.TakeDenied(); len(denied) != 1 || denied[0].Action != "s3:PutObject" {
		t.Errorf("denied: %v, want the one object", denied)
	}
	env.Getenv = func(string) string { return "" }
	if _, err := function.New(env); err == nil || !strings.Contains(err.Error(), "ARCHIVE_BUCKET_NAME") {
		t.Errorf("error=%v, want one that names ARCHIVE_BUCKET_NAME", err)
	}
}

// TestAChangeIsKept: the item as it was, with every attribute, and once however often it is delivered.
func TestAChangeIsKept(t *testing.T) {
	t.Parallel()
	h, bucket := newHandler(t)
	r := record(2, 1)
	r.EventName, r.Change.OldImage = "REMOVE", r.Change.NewImage
	r.Change.NewImage = nil
	r.Change.Keys = map[string]events.DynamoDBAttributeValue{"streamId": r.Change.OldImage["streamId"], "version": r.Change.OldImage["version"]}
	r.Change.OldImage["odd"] = events.NewNumberSetAttribute([]string{"1", "2"})
	for range 2 {
		if failed, err := invoke(t, h, record(1, 1), r, record(3, 1)); err != nil || failed != nil {
			t.Fatalf("failed=%v error=%v", failed, err)
		}
	}
	if _, got := contents(t, bucket); !reflect.DeepEqual(got, []eventstore.Event{event(1, 1), event(3, 1)}) {
		t.Errorf("events=%+v, want those around it", got)
	}
	kept, err := bucket.List(t.Context(), tamper.Prefix, tamper.Suffix)
	if err != nil || len(kept) != 1 {
		t.Fatalf("kept %v, %v; want one", kept, err)
	}
	body, err := bucket.File(t.Context(), kept[0].Name)
	if err != nil {
		t.Fatal(err)
	}
	c, err := tamper.Parse(kept[0].Name, body)
	if err != nil || c.StreamID != "quote-2" || c.Version != 1 || c.New != nil || !reflect.DeepEqual(c.Old, r.Change.OldImage) {
		t.Errorf("%+v, %v; want the item as it was", c, err)
	}
	if _, err := tamper.Parse(kept[0].Name, append(body, ' ')); err == nil {
		t.Error("another body is read under the same name")
	}
}
