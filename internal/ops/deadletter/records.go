package deadletter

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
)

// maxEmpty is how many answers without records come before a stream is taken to have no more. While it
// looks for them, it may answer none although there are some.
const maxEmpty = 100

// records reads records from their stream: all insertions between the first and the last, because that is what the
// functions of the log's stream receive. There may be more of them than were in the batch, because a shard's records
// are handed out in several batches at a time.
func (r *Redriver) records(ctx context.Context, at *Records) ([]events.DynamoDBEventRecord, error) {
	if at.ShardID == "" {
		return r.parked(ctx, at)
	}
	first, err := r.Streams.GetShardIterator(ctx, &dynamodbstreams.GetShardIteratorInput{
		StreamArn: &at.StreamArn, ShardId: &at.ShardID,
		ShardIteratorType: types.ShardIteratorTypeAtSequenceNumber, SequenceNumber: &at.StartSequenceNumber,
	})
	if err != nil {
		return nil, err
	}
	var found []events.DynamoDBEventRecord
	iterator := first.ShardIterator
	for empty := 0; iterator != nil && empty < maxEmpty; empty++ {
		page, err := r.Streams.GetRecords(ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: iterator})
		if err != nil {
			return nil, err
		}
		for _, record := range page.Records {
			order := compareSequence(aws.ToString(record.Dynamodb.SequenceNumber), at.EndSequenceNumber)
			if order <= 0 && record.EventName == types.OperationTypeInsert {
				found = append(found, lambdaRecord(record, at.StreamArn))
			}
			if order >= 0 {
				return found, nil
			}
			empty = 0
		}
		iterator = page.NextShardIterator
	}
	return nil, fmt.Errorf("the shard %s has no record %s", at.ShardID, at.EndSequenceNumber)
}

// parked reads a record that a function has parked, in whichever shard it is.
func (r *Redriver) parked(ctx context.Context, at *Records) ([]events.DynamoDBEventRecord, error) {
	err := fmt.Errorf("the stream has no record %s", at.StartSequenceNumber)
	in := &dynamodbstreams.DescribeStreamInput{StreamArn: &at.StreamArn}
	for {
		out, describeErr := r.Streams.DescribeStream(ctx, in)
		if describeErr != nil {
			return nil, describeErr
		}
		for _, shard := range out.StreamDescription.Shards {
			here := *at
			here.ShardID = aws.ToString(shard.ShardId)
			var found []events.DynamoDBEventRecord
			found, shardErr := r.records(ctx, &here)
			if shardErr == nil && len(found) > 0 {
				return found, nil
			}
			if shardErr != nil {
				err = shardErr
			}
		}
		if in.ExclusiveStartShardId = out.StreamDescription.LastEvaluatedShardId; in.ExclusiveStartShardId == nil {
			return nil, err
		}
	}
}

// gone reports whether a stream says that it does not keep some records any longer.
func gone(err error) bool {
	_, trimmed := errors.AsType[*types.TrimmedDataAccessException](err)
	_, missing := errors.AsType[*types.ResourceNotFoundException](err) // a shard goes with its last record
	return trimmed || missing
}

// compareSequence compares sequence numbers, which have no leading zeros.
func compareSequence(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
}

// lambdaRecord is a record as Lambda hands it to a function.
func lambdaRecord(r types.Record, streamARN string) events.DynamoDBEventRecord {
	return events.DynamoDBEventRecord{
		AWSRegion: aws.ToString(r.AwsRegion), EventID: aws.ToString(r.EventID), EventName: string(r.EventName),
		EventSource: aws.ToString(r.EventSource), EventVersion: aws.ToString(r.EventVersion), EventSourceArn: streamARN,
		Change: events.DynamoDBStreamRecord{
			ApproximateCreationDateTime: events.SecondsEpochTime{Time: aws.ToTime(r.Dynamodb.ApproximateCreationDateTime)},
			Keys:                        lambdaImage(r.Dynamodb.Keys), NewImage: lambdaImage(r.Dynamodb.NewImage), OldImage: lambdaImage(r.Dynamodb.OldImage),
			SequenceNumber: aws.ToString(r.Dynamodb.SequenceNumber), SizeBytes: aws.ToInt64(r.Dynamodb.SizeBytes),
			StreamViewType: string(r.Dynamodb.StreamViewType),
		},
	}
}

func lambdaImage(image map[string]types.AttributeValue) map[string]events.DynamoDBAttributeValue {
	if image == nil {
		return nil
	}
	converted := make(map[string]events.DynamoDBAttributeValue, len(image))
	for name, v := range image {
		converted[name] = lambdaValue(v)
	}
	return converted
}

func lambdaValue(v types.AttributeValue) events.DynamoDBAttributeValue {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return events.NewStringAttribute(v.Value)
	case *types.AttributeValueMemberN:
		return events.NewNumberAttribute(v.Value)
	case *types.AttributeValueMemberB:
		return events.NewBinaryAttribute(v.Value)
	case *types.AttributeValueMemberBOOL:
		return events.NewBooleanAttribute(v.Value)
	case *types.AttributeValueMemberSS:
		return events.NewStringSetAttribute(v.Value)
	case *types.AttributeValueMemberNS:
		return events.NewNumberSetAttribute(v.Value)
	case *types.AttributeValueMemberBS:
		return events.NewBinarySetAttribute(v.Value)
	case *types.AttributeValueMemberM:
		return events.NewMapAttribute(lambdaImage(v.Value))
	case *types.AttributeValueMemberL:
		list := make([]events.DynamoDBAttributeValue, len(v.Value))
		for i := range v.Value {
			list[i] = lambdaValue(v.Value[i])
		}
		return events.NewListAttribute(list)
	}
	return events.NewNullAttribute()
}
