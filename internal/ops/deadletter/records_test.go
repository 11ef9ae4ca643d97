package deadletter

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	streamtypes "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"milepost/internal/stacktest"
)

func TestStreamRecordsAreTheInsertionsOfTheirRange(t *testing.T) {
	t.Parallel()
	s := stacktest.Open(t, nil)
	db, table := dynamodb.NewFromConfig(s.Config()), aws.String("milepost-events")
	item := func(version string) map[string]dbtypes.AttributeValue {
		return map[string]dbtypes.AttributeValue{
			"streamId": &dbtypes.AttributeValueMemberS{Value: "one"}, "version": &dbtypes.AttributeValueMemberN{Value: version},
		}
	}
	for _, version := range []string{"1", "2", "3"} {
		if _, err := db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: table, Item: item(version)}); err != nil {
			t.Fatal(err)
		}
		if version == "2" {
			if _, err := db.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: table, Key: item("1")}); err != nil {
				t.Fatal(err)
			}
		}
	}
	r := &Redriver{Streams: dynamodbstreams.NewFromConfig(s.Config())}
	at, sequence := shardWithRecords(t, r.Streams)
	if len(sequence) != 4 {
		t.Fatalf("%d records, want 4", len(sequence))
	}
	for _, row := range []struct {
		first, last int
		versions    string
	}{{0, 3, "[1 2 3]"}, {0, 2, "[1 2]"}, {1, 1, "[2]"}, {2, 2, "[]"}} {
		at.StartSequenceNumber, at.EndSequenceNumber = sequence[row.first], sequence[row.last]
		records, err := r.records(t.Context(), at)
		versions := []string{}
		for _, record := range records {
			versions = append(versions, record.Change.NewImage["version"].Number())
		}
		if err != nil || fmt.Sprint(versions) != row.versions {
			t.Errorf("from record %d to %d: versions %v, %v, want %s", row.first, row.last, versions, err, row.versions)
		}
	}
	at.StartSequenceNumber, at.EndSequenceNumber = sequence[0], "1"
	if records, err := r.records(t.Context(), at); err != nil || len(records) != 0 {
		t.Errorf("up to a record before the first: %d records, %v", len(records), err)
	}
	at.EndSequenceNumber = "2" + sequence[3]
	if _, err := r.records(t.Context(), at); err == nil || !strings.HasSuffix(err.Error(), "has no record 2"+sequence[3]) {
		t.Errorf("up to a record that never was: %v", err)
	}
}

// shardWithRecords finds the only shard of the log's stream that has records, and their numbers.
func shardWithRecords(t *testing.T, client *dynamodbstreams.Client) (*Records, []string) {
	t.Helper()
	listed, err := client.ListStreams(t.Context(), &dynamodbstreams.ListStreamsInput{TableName: aws.String("milepost-events")})
	if err != nil {
		t.Fatal(err)
	}
	arn := listed.Streams[0].StreamArn
	described, err := client.DescribeStream(t.Context(), &dynamodbstreams.DescribeStreamInput{StreamArn: arn})
	if err != nil {
		t.Fatal(err)
	}
	for _, shard := range described.StreamDescription.Shards {
		begin, err := client.GetShardIterator(t.Context(), &dynamodbstreams.GetShardIteratorInput{
			StreamArn: arn, ShardId: shard.ShardId, ShardIteratorType: streamtypes.ShardIteratorTypeTrimHorizon,
		})
		if err != nil {
			t.Fatal(err)
		}
		page, err := client.GetRecords(t.Context(), &dynamodbstreams.GetRecordsInput{ShardIterator: begin.ShardIterator})
		if err != nil {
			t.Fatal(err)
		}
		var sequence []string
		for _, r := range page.Records {
			sequence = append(sequence, *r.Dynamodb.SequenceNumber)
		}
		if len(sequence) > 0 {
			return &Records{StreamArn: *arn, ShardID: *shard.ShardId}, sequence
		}
	}
	t.Fatal("no shard has records")
	return nil, nil
}

func TestStreamValuesAreThoseThatLambdaHandsOver(t *testing.T) {
	t.Parallel()
	value := &streamtypes.AttributeValueMemberM{Value: map[string]streamtypes.AttributeValue{
		"s":    &streamtypes.AttributeValueMemberS{Value: "text"},
		"n":    &streamtypes.AttributeValueMemberN{Value: "1.50"},
		"b":    &streamtypes.AttributeValueMemberB{Value: []byte{1, 2}},
		"yes":  &streamtypes.AttributeValueMemberBOOL{Value: true},
		"null": &streamtypes.AttributeValueMemberNULL{Value: true},
		"ss":   &streamtypes.AttributeValueMemberSS{Value: []string{"a", "b"}},
		"ns":   &streamtypes.AttributeValueMemberNS{Value: []string{"1", "2"}},
		"bs":   &streamtypes.AttributeValueMemberBS{Value: [][]byte{{3}}},
		"list": &streamtypes.AttributeValueMemberL{Value: []streamtypes.AttributeValue{
			&streamtypes.AttributeValueMemberS{Value: ""}, &streamtypes.AttributeValueMemberM{Value: map[string]streamtypes.AttributeValue{}},
		}},
	}}
	got, err := json.Marshal(map[string]events.DynamoDBAttributeValue{"v": lambdaValue(value)})
	const want = `{"v":{"M":{"b":{"B":"AQI="},"bs":{"BS":["Aw=="]},"list":{"L":[{"S":""},{"M":{}}]},"n":{"N":"1.50"},` +
		`"ns":{"NS":["1","2"]},"null":{"NULL":true},"s":{"S":"text"},"ss":{"SS":["a","b"]},"yes":{"BOOL":true}}}}`
	if err != nil || string(got) != want {
		t.Errorf("value=%s, %v, want %s", got, err, want)
	}
}

func TestSequenceNumbersAreComparedAsNumbers(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		a, b string
		want int
	}{{"9", "10", -1}, {"100", "99", 1}, {"41", "42", -1}, {"42", "42", 0}} {
		if got := compareSequence(row.a, row.b); got != row.want {
			t.Errorf("compareSequence(%s, %s)=%d, want %d", row.a, row.b, got, row.want)
		}
	}
}
