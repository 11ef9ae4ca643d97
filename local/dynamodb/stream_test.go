package dynamodb_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"milepost/local/dynamodb"
	"milepost/local/stream"
)

func streamARN(tb testing.TB, s *dynamodb.Service, table string) string {
	tb.Helper()
	return mustCall(tb, s, "DescribeTable", `{'TableName':'`+table+`'}`)["Table"].(map[string]any)["LatestStreamArn"].(string)
}

func openStream(tb testing.TB, s *dynamodb.Service, table string) stream.Reader {
	tb.Helper()
	r, err := s.OpenStream(streamARN(tb, s, table))
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// readAll returns what the stream holds now, shard by shard.
func readAll(tb testing.TB, r stream.Reader) []stream.Record {
	tb.Helper()
	var all []stream.Record
	for _, shard := range r.Shards() {
		last, after := r.Latest(shard), ""
		for after != last {
			records, err := r.Next(tb.Context(), shard, after, 3)
			if err != nil {
				tb.Fatal(err)
			}
			all = append(all, records...)
			after = records[len(records)-1].SequenceNumber
		}
	}
	return all
}

var volatile = regexp.MustCompile(`"eventID":"[0-9a-f]{32}"|"SequenceNumber":"\d{21}"|"ApproximateCreationDateTime":\d+`)

func TestStreamRecords(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	r := openStream(t, s, "Events")
	mustCall(t, s, "PutItem", `{'TableName':'Events','Item':{'pk':{'S':'a'},'sk':{'N':'1'},'x':{'S':'old'}}}`)
	mustCall(t, s, "PutItem", `{'TableName':'Events','Item':{'pk':{'S':'a'},'sk':{'N':'1.0'},'x':{'S':'old'}}}`)
	mustCall(t, s, "UpdateItem", `{'TableName':'Events','Key':{'pk':{'S':'a'},'sk':{'N':'1'}},'UpdateExpression':'SET x = :v','ExpressionAttributeValues':{':v':{'S':'new'}}}`)
	mustCall(t, s, "UpdateItem", `{'TableName':'Events','Key':{'pk':{'S':'a'},'sk':{'N':'1'}},'UpdateExpression':'SET x = :v','ExpressionAttributeValues':{':v':{'S':'new'}}}`)
	mustCall(t, s, "DeleteItem", `{'TableName':'Events','Key':{'pk':{'S':'a'},'sk':{'N':'1'}}}`)
	mustCall(t, s, "DeleteItem", `{'TableName':'Events','Key':{'pk':{'S':'a'},'sk':{'N':'1'}}}`)
	records := readAll(t, r)
	const head = `{"eventName":"%s","eventVersion":"1.1","eventSource":"aws:dynamodb","awsRegion":"us-east-1","dynamodb":{"Keys":{"pk":{"S":"a"},"sk":{"N":"1"}},%s,"StreamViewType":"NEW_AND_OLD_IMAGES"}}`
	const before, after = `{"pk":{"S":"a"},"sk":{"N":"1"},"x":{"S":"old"}}`, `{"pk":{"S":"a"},"sk":{"N":"1"},"x":{"S":"new"}}`
	want := []string{
		fmt.Sprintf(head, "INSERT", `"NewImage":`+before+`,"SizeBytes":18`),
		fmt.Sprintf(head, "MODIFY", `"NewImage":`+after+`,"OldImage":`+before+`,"SizeBytes":29`),
		fmt.Sprintf(head, "REMOVE", `"OldImage":`+after+`,"SizeBytes":18`),
	}
	if len(records) != len(want) {
		t.Fatalf("%d records, want %d", len(records), len(want))
	}
	for i, record := range records {
		if n := len(volatile.FindAll(record.JSON, -1)); n != 3 {
			t.Errorf("%s has %d of 3 changing members", record.JSON, n)
		}
		got := strings.NewReplacer("{,", "{", ",,", ",").Replace(volatile.ReplaceAllString(string(record.JSON), ""))
		if got != want[i] {
			t.Errorf("record %d\n%s, want\n%s", i, got, want[i])
		}
		if record.Key != "a" || !strings.Contains(string(record.JSON), `"SequenceNumber":"`+record.SequenceNumber+`"`) {
			t.Errorf("record %d: key %q, number %s", i, record.Key, record.SequenceNumber)
		}
	}
}

func TestStreamViewTypes(t *testing.T) {
	t.Parallel()
	for view, want := range map[string]string{"KEYS_ONLY": "", "NEW_IMAGE": "NewImage", "OLD_IMAGE": "OldImage"} {
		s := newService(t, nil)
		def := simple
		def.TableName, def.StreamViewType = "Viewed", view
		if _, err := s.CreateTable(def); err != nil {
			t.Fatal(err)
		}
		for _, n := range []string{"1", "2"} {
			mustCall(t, s, "PutItem", `{'TableName':'Viewed','Item':{'id':{'S':'a'},'n':{'N':'`+n+`'}}}`)
		}
		modified := string(readAll(t, openStream(t, s, "Viewed"))[1].JSON)
		for _, image := range []string{"NewImage", "OldImage"} {
			if got := strings.Contains(modified, image); got != (image == want) {
				t.Errorf("%s: %s is there: %t", view, image, got)
			}
		}
	}
}

func TestStreamKeepsTheOrderOfEachKeyUnderConcurrency(t *testing.T) {
	t.Parallel()
	s := newService(t, openStore(t, storePath(t)))
	r := openStream(t, s, "Events")
	const keys, versions = 16, 20
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var mu sync.Mutex
	seen := map[string][]string{}
	total := 0
	var readers, writers sync.WaitGroup
	for _, shard := range r.Shards() {
		readers.Go(func() {
			for after := ""; ; {
				records, err := r.Next(ctx, shard, after, 7)
				if err != nil {
					return
				}
				mu.Lock()
				for _, record := range records {
					if record.SequenceNumber <= after {
						t.Errorf("number %s after %s", record.SequenceNumber, after)
					}
					after = record.SequenceNumber
					var image struct {
						Dynamodb struct {
							Keys struct{ Sk struct{ N string } }
						}
					}
					if err := json.Unmarshal(record.JSON, &image); err != nil {
						t.Error(err)
					}
					seen[record.Key] = append(seen[record.Key], image.Dynamodb.Keys.Sk.N)
					total++
				}
				done := total == keys*versions
				mu.Unlock()
				if done {
					cancel()
				}
			}
		})
	}
	for k := range keys {
		writers.Go(func() {
			for v := range versions {
				mustCall(t, s, "PutItem", fmt.Sprintf(`{'TableName':'Events','Item':{'pk':{'S':'k%d'},'sk':{'N':'%d'}}}`, k, v))
			}
		})
	}
	writers.Wait()
	readers.Wait()
	for key, versions := range seen {
		for i, v := range versions {
			if v != fmt.Sprint(i) {
				t.Fatalf("%s: versions %v", key, versions)
			}
		}
	}
}

func TestReadersWaitForRecords(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, nil)
		r := openStream(t, s, "Events")
		ctx, cancel := context.WithCancelCause(t.Context())
		got := make(chan string)
		for _, shard := range r.Shards() {
			go func() {
				records, err := r.Next(ctx, shard, r.Latest(shard), 10)
				if err != nil {
					got <- err.Error()
					return
				}
				got <- records[0].Key
			}()
		}
		time.Sleep(5 * 365 * 24 * time.Hour)
		mustCall(t, s, "PutItem", `{'TableName':'Events','Item':{'pk':{'S':'a'},'sk':{'N':'1'}}}`)
		if key := <-got; key != "a" {
			t.Errorf("woken by %q", key)
		}
		cancel(errors.New("enough"))
		for range len(r.Shards()) - 1 {
			if why := <-got; why != "enough" {
				t.Errorf("ended by %q", why)
			}
		}
		_, err := r.Next(t.Context(), "none", "", 1)
		wantError(t, err, "ResourceNotFoundException", "Shard: none")
		_, err = s.OpenStream("none")
		wantError(t, err, "ResourceNotFoundException", "Stream: none")
	})
}

func TestRecordsAreTrimmedAfterADay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, nil)
		r := openStream(t, s, "Events")
		put := func(v int) {
			mustCall(t, s, "PutItem", fmt.Sprintf(`{'TableName':'Events','Item':{'pk':{'S':'a'},'sk':{'N':'%d'}}}`, v))
		}
		put(1)
		time.Sleep(23 * time.Hour)
		put(2)
		if n := len(readAll(t, r)); n != 2 {
			t.Errorf("%d records after 23 hours, want 2", n)
		}
		time.Sleep(2 * time.Hour)
		put(3)
		if n := len(readAll(t, r)); n != 2 {
			t.Errorf("%d records after 25 hours, want 2", n)
		}
	})
}

func TestRecordsThatEveryReaderHasPassedAreBounded(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	_, c := clients(s)
	arn := streamARN(t, s, "Events")
	n := 0
	put := func(count int) {
		for range count {
			n++
			mustCall(t, s, "PutItem", fmt.Sprintf(`{'TableName':'Events','Item':{'pk':{'S':'a'},'sk':{'N':'%d'}}}`, n))
		}
	}
	put(1)
	r := openStream(t, s, "Events")
	first := readAll(t, r)[0].SequenceNumber
	shard := slices.IndexFunc(r.Shards(), func(id string) bool { return r.Latest(id) != "" })
	id := r.Shards()[shard]
	if _, err := r.Next(t.Context(), id, "", 1); err != nil {
		t.Fatal(err)
	}
	put(10_100)
	records, err := r.Next(t.Context(), id, first, 20_000)
	if err != nil || len(records) != 10_100 {
		t.Fatalf("a reader at the beginning finds %d records, %v, want 10100", len(records), err)
	}
	// It continues after the second to last: after the last it would wait.
	if _, err := r.Next(t.Context(), id, records[len(records)-2].SequenceNumber, 1); err != nil {
		t.Fatal(err)
	}
	put(1)
	if records, err := r.Next(t.Context(), id, "", 20_000); err != nil || len(records) > 10_001 {
		t.Errorf("%d records are kept, %v, want 10001 at most", len(records), err)
	}
	_, err = c.GetShardIterator(t.Context(), &dynamodbstreams.GetShardIteratorInput{StreamArn: &arn, ShardId: &id, ShardIteratorType: "AT_SEQUENCE_NUMBER", SequenceNumber: &first})
	if _, ok := errors.AsType[*types.TrimmedDataAccessException](err); !ok {
		t.Errorf("iterator at a trimmed record: %v", err)
	}
}

func TestTheStreamsAPI(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, nil)
		_, c := clients(s)
		for v := range 5 {
			mustCall(t, s, "PutItem", fmt.Sprintf(`{'TableName':'Events','Item':{'pk':{'S':'a'},'sk':{'N':'%d'}}}`, v))
		}
		streams, err := c.ListStreams(t.Context(), &dynamodbstreams.ListStreamsInput{TableName: aws.String("Events")})
		if err != nil || len(streams.Streams) != 1 {
			t.Fatalf("streams = %v, %v", streams, err)
		}
		arn := streams.Streams[0].StreamArn
		described, err := c.DescribeStream(t.Context(), &dynamodbstreams.DescribeStreamInput{StreamArn: arn})
		if err != nil {
			t.Fatal(err)
		}
		if d := described.StreamDescription; len(d.Shards) != 4 || d.StreamStatus != "ENABLED" || d.StreamViewType != "NEW_AND_OLD_IMAGES" || !d.CreationRequestDateTime.Equal(time.Now()) {
			t.Errorf("description = %+v", d)
		}
		get := func(iterator *string, limit int32) (*dynamodbstreams.GetRecordsOutput, error) {
			return c.GetRecords(t.Context(), &dynamodbstreams.GetRecordsInput{ShardIterator: iterator, Limit: &limit})
		}
		var all []types.Record
		var full *string
		for _, shard := range described.StreamDescription.Shards {
			it, err := c.GetShardIterator(t.Context(), &dynamodbstreams.GetShardIteratorInput{StreamArn: arn, ShardId: shard.ShardId, ShardIteratorType: "TRIM_HORIZON"})
			if err != nil {
				t.Fatal(err)
			}
			for next := it.ShardIterator; ; {
				out, err := get(next, 2)
				if err != nil {
					t.Fatal(err)
				}
				if next = out.NextShardIterator; len(out.Records) == 0 {
					break
				}
				full = shard.ShardId
				all = append(all, out.Records...)
			}
		}
		if len(all) != 5 {
			t.Fatalf("%d records, want 5", len(all))
		}
		for kind, want := range map[types.ShardIteratorType]int{"AT_SEQUENCE_NUMBER": 4, "AFTER_SEQUENCE_NUMBER": 3, "LATEST": 0} {
			in := &dynamodbstreams.GetShardIteratorInput{StreamArn: arn, ShardId: full, ShardIteratorType: kind}
			if kind != "LATEST" {
				in.SequenceNumber = all[1].Dynamodb.SequenceNumber
			}
			it, err := c.GetShardIterator(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			if out, err := get(it.ShardIterator, 100); err != nil || len(out.Records) != want {
				t.Errorf("%s: %d records, %v, want %d", kind, len(out.Records), err, want)
			}
			time.Sleep(16 * time.Minute)
			_, err = get(it.ShardIterator, 100)
			if _, ok := errors.AsType[*types.ExpiredIteratorException](err); !ok {
				t.Errorf("old iterator: %v", err)
			}
		}
		_, err = call(s.Streams(), "UpdateStream", `{}`)
		wantError(t, err, "NotImplemented", "UpdateStream")
	})
}

func TestExpiredItemsAreDeleted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, nil)
		_, c := clients(s)
		put := func(pk string, expires int64) {
			mustCall(t, s, "PutItem", fmt.Sprintf(`{'TableName':'Events','Item':{'pk':{'S':'%s'},'sk':{'N':'1'},'expires':{'N':'%d'}}}`, pk, expires))
		}
		left := func() string {
			all := strings.Fields(sorts(mustCall(t, s, "Scan", `{'TableName':'Events'}`)))
			slices.Sort(all)
			return strings.Join(all, " ")
		}
		now := time.Now().Unix()
		put("soon", now+10)
		put("later", now+3600)
		put("ancient", now-6*365*24*3600)
		put("renewed", now+20)
		put("never", 0)
		time.Sleep(15 * time.Second)
		synctest.Wait()
		if got := left(); got != "ancient1 later1 never1 renewed1" {
			t.Errorf("after 15 seconds: %s", got)
		}
		put("renewed", now+7200)
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := left(); got != "ancient1 never1 renewed1" {
			t.Errorf("after an hour: %s", got)
		}
		mustCall(t, s, "UpdateTimeToLive", `{'TableName':'Events','TimeToLiveSpecification':{'AttributeName':'expires','Enabled':false}}`)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if got := left(); got != "ancient1 never1 renewed1" {
			t.Errorf("with expiry disabled: %s", got)
		}
		mustCall(t, s, "UpdateTimeToLive", `{'TableName':'Events','TimeToLiveSpecification':{'AttributeName':'expires','Enabled':true}}`)
		synctest.Wait()
		if got := left(); got != "ancient1 never1" {
			t.Errorf("with expiry enabled again: %s", got)
		}

		removed := 0
		for _, record := range readAll(t, openStream(t, s, "Events")) {
			if strings.Contains(string(record.JSON), `"REMOVE"`) {
				removed++
				if !strings.HasSuffix(string(record.JSON), `"userIdentity":{"type":"Service","principalId":"dynamodb.amazonaws.com"}}`) {
					t.Errorf("record %s", record.JSON)
				}
			}
		}
		if removed != 3 {
			t.Errorf("%d REMOVE records, want 3", removed)
		}
		arn := streamARN(t, s, "Events")
		described, err := c.DescribeStream(t.Context(), &dynamodbstreams.DescribeStreamInput{StreamArn: &arn})
		if err != nil {
			t.Fatal(err)
		}
		for _, shard := range described.StreamDescription.Shards {
			it, err := c.GetShardIterator(t.Context(), &dynamodbstreams.GetShardIteratorInput{StreamArn: &arn, ShardId: shard.ShardId, ShardIteratorType: "TRIM_HORIZON"})
			if err != nil {
				t.Fatal(err)
			}
			out, err := c.GetRecords(t.Context(), &dynamodbstreams.GetRecordsInput{ShardIterator: it.ShardIterator})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range out.Records {
				if r.EventName == "REMOVE" && (r.UserIdentity == nil || aws.ToString(r.UserIdentity.PrincipalId) != "dynamodb.amazonaws.com") {
					t.Errorf("GetRecords: userIdentity = %v", r.UserIdentity)
				}
			}
		}
	})
}
