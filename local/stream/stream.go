// Package stream describes how a table's change stream is read: the seam between the local
// DynamoDB, which writes streams, and the local Lambda, whose event source mappings read them.
package stream

import (
	"context"
	"encoding/json"
)

// Record is one change of one item.
type Record struct {
	// SequenceNumber orders the records of a shard; decimal digits, always of the same length.
	SequenceNumber string
	// Key identifies the item's partition key; records of one Key are in one shard, in write order.
	Key string
	// JSON is the record as GetRecords answers it, in the shape that a Lambda function receives
	// (eventID, eventName, eventVersion, eventSource, awsRegion, dynamodb{...}) but without eventSourceARN.
	JSON json.RawMessage
}

// Reader reads one stream.
type Reader interface {
	// Shards names the stream's shards. The set does not change while the stream exists.
	Shards() []string
	// Next returns up to limit records of shard that follow the sequence number after ("" begins at the oldest). It
	// waits until there is at least one; it fails only if ctx is done, or if the shard is unknown.
	Next(ctx context.Context, shard, after string, limit int) ([]Record, error)
	// Latest is the sequence number of the newest record of shard, "" when it is empty.
	Latest(shard string) string
}
