package eventstore

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/internal/platform/stored"
)

// HasAfter reports whether a stream has an event after a version. It sees every event whose Append has returned. If
// there is none, it costs one request unit, however long the stream is.
func (s *Store) HasAfter(ctx context.Context, stream string, version int) (bool, error) {
	out, err := s.DB.Query(ctx, &dynamodb.QueryInput{
		TableName: &s.Table, ConsistentRead: aws.Bool(true), Select: types.SelectCount, Limit: aws.Int32(1),
		KeyConditionExpression:   aws.String("streamId = :stream AND #version > :version"),
		ExpressionAttributeNames: map[string]string{"#version": "version"},
		ExpressionAttributeValues: stored.Item{
			":stream": stored.Text(stream), ":version": stored.Number(version),
		},
	})
	if err != nil {
		return false, fmt.Errorf("look for the head of stream %s: %w", stream, err)
	}
	return out.Count > 0, nil
}

// Grown returns those of up to 100 streams that have an event after the version given for each. Like HasAfter it sees
// every event whose Append has returned, and costs one request unit for each stream that has none.
func (s *Store) Grown(ctx context.Context, versions map[string]int) (map[string]bool, error) {
	if len(versions) > maxBatchGet {
		return nil, fmt.Errorf("%d streams requested at once, at most %d are allowed", len(versions), maxBatchGet)
	}
	var keys []stored.Item
	for stream, version := range versions {
		keys = append(keys, stored.Item{"streamId": stored.Text(stream), "version": stored.Number(version + 1)})
	}
	grown := map[string]bool{}
	for len(keys) > 0 {
		out, err := s.DB.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{
			s.Table: {Keys: keys, ConsistentRead: aws.Bool(true), ProjectionExpression: aws.String("streamId")},
		}})
		if err != nil {
			return nil, fmt.Errorf("look for the heads of %d streams: %w", len(versions), err)
		}
		for _, item := range out.Responses[s.Table] {
			grown[stored.Read(item).Text("streamId")] = true
		}
		keys = out.UnprocessedKeys[s.Table].Keys
	}
	return grown, nil
}
