package eventstore

import (
	"context"
	"fmt"
	"iter"
	"math"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/internal/platform/stored"
)

// Part is one of several parts of the log. No stream is in two parts, and each is in one.
type Part struct{ Number, Of int }

// Whole returns the streams of a part, each with all its events and each once, from the one after a stream on, or all
// with "". The order is always the same, and means nothing. An event that cannot be read does not end the sequence: its
// stream says so, and the next one follows. What is appended meanwhile may be missing. At most a few pages and one
// stream are in memory at a time.
func (s *Store) Whole(ctx context.Context, part Part, after string) iter.Seq2[Stream, error] {
	return func(yield func(Stream, error) bool) {
		var stream Stream
		for item, err := range s.scan(ctx, part, after) {
			if err != nil {
				yield(Stream{}, err)
				return
			}
			id := stored.Read(item).Text("streamId") // the table's key is always a string
			if stream.ID != "" && stream.ID != id {
				if !yield(s.complete(ctx, stream)) {
					return
				}
				stream = Stream{}
			}
			stream.ID = id
			stream.add(item)
		}
		if stream.ID != "" {
			yield(s.complete(ctx, stream))
		}
	}
}

// scan returns the items of a part as the table keeps them: those of a stream in their order, and together.
func (s *Store) scan(ctx context.Context, part Part, after string) iter.Seq2[stored.Item, error] {
	in := &dynamodb.ScanInput{
		TableName: &s.Table, ConsistentRead: aws.Bool(true),
		Segment: aws.Int32(int32(part.Number)), TotalSegments: aws.Int32(int32(part.Of)),
	}
	if after != "" { // after all versions that the stream may have
		in.ExclusiveStartKey = stored.Item{"streamId": stored.Text(after), "version": stored.Number(math.MaxInt32)}
	}
	return func(yield func(stored.Item, error) bool) {
		for pages := dynamodb.NewScanPaginator(s.DB, in); pages.HasMorePages(); {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(nil, fmt.Errorf("read part %d of %d of the log: %w", part.Number, part.Of, err))
				return
			}
			for _, item := range page.Items {
				if !yield(item, nil) {
					return
				}
			}
		}
	}
}

// complete loads a stream that the scan returned with gaps, as it may when events are appended to it.
func (s *Store) complete(ctx context.Context, read Stream) (Stream, error) {
	if n := len(read.Events); len(read.Unreadable) == 0 && read.Events[0].Version == 1 && read.Events[n-1].Version == n {
		return read, nil
	}
	return s.Stream(ctx, read.ID, 0)
}

// Count is about how many events the log has. DynamoDB counts them every six hours.
func (s *Store) Count(ctx context.Context) (int, error) {
	out, err := s.DB.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &s.Table})
	if err != nil {
		return 0, fmt.Errorf("count the events: %w", err)
	}
	return int(aws.ToInt64(out.Table.ItemCount)), nil
}

// Absent returns those of up to 100 streams that have no event.
func (s *Store) Absent(ctx context.Context, streams []string) ([]string, error) {
	there, err := s.haveFirst(ctx, streams)
	if err != nil {
		return nil, err
	}
	var absent []string
	for _, stream := range streams {
		if there[stream] {
			continue
		}
		// Only its first event may be missing.
		read, err := s.Stream(ctx, stream, 0)
		if err != nil {
			return nil, err
		}
		if len(read.Events)+len(read.Unreadable) == 0 {
			absent = append(absent, stream)
		}
	}
	return absent, nil
}

// SealedFor returns the customers for whom the first events of up to 100 streams are sealed, by stream. It omits those
// that are not sealed.
func (s *Store) SealedFor(ctx context.Context, streams []string) (map[string]string, error) {
	owners := map[string]string{}
	err := s.firsts(ctx, streams, "streamId, sealedFor", func(item stored.Item) {
		if r := stored.Read(item); r.Has("sealedFor") {
			owners[r.Text("streamId")] = r.Text("sealedFor")
		}
	})
	return owners, err
}

// haveFirst returns which of up to 100 streams have a first event.
func (s *Store) haveFirst(ctx context.Context, streams []string) (map[string]bool, error) {
	there := map[string]bool{}
	err := s.firsts(ctx, streams, "streamId", func(item stored.Item) {
		there[stored.Read(item).Text("streamId")] = true
	})
	return there, err
}

// firsts calls fn with the first event of each of up to 100 streams that has one, with the requested attributes.
func (s *Store) firsts(ctx context.Context, streams []string, projection string, fn func(stored.Item)) error {
	if len(streams) > maxBatchGet {
		return fmt.Errorf("%d streams requested at once, at most %d are allowed", len(streams), maxBatchGet)
	}
	keys := make([]stored.Item, len(streams))
	for i, stream := range streams {
		keys[i] = stored.Item{"streamId": stored.Text(stream), "version": stored.Number(1)}
	}
	request := map[string]types.KeysAndAttributes{s.Table: {
		Keys: keys, ConsistentRead: aws.Bool(true), ProjectionExpression: &projection,
	}}
	for len(keys) > 0 && len(request) > 0 {
		out, err := s.DB.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: request})
		if err != nil {
			return fmt.Errorf("look for %d streams: %w", len(streams), err)
		}
		for _, item := range out.Responses[s.Table] {
			fn(item)
		}
		request = out.UnprocessedKeys
	}
	return nil
}
