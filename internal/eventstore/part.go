package eventstore

import (
	"context"
	"fmt"
	"iter"
	"math"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Part is one of so many parts of the log. No stream is in two parts, and each is in one.
type Part struct{ Number, Of int }

// Whole gives the streams of a part, each with all its events and each once, behind the stream after, or
// all with "". The order is always the same, and says nothing. What is appended meanwhile may be missing.
// No more than some pages and one stream are held at a time.
func (s *Store) Whole(ctx context.Context, part Part, after string) iter.Seq2[[]Event, error] {
	return func(yield func([]Event, error) bool) {
		var stream []Event
		for e, err := range s.scan(ctx, part, after) {
			if err != nil {
				yield(nil, err)
				return
			}
			if len(stream) > 0 && stream[0].StreamID != e.StreamID {
				if !yield(s.complete(ctx, stream)) {
					return
				}
				stream = nil
			}
			stream = append(stream, e)
		}
		if len(stream) > 0 {
			yield(s.complete(ctx, stream))
		}
	}
}

// scan gives the events of a part as the table keeps them: those of a stream in their order, and together.
func (s *Store) scan(ctx context.Context, part Part, after string) iter.Seq2[Event, error] {
	in := &dynamodb.ScanInput{
		TableName: &s.Table, ConsistentRead: aws.Bool(true),
		Segment: aws.Int32(int32(part.Number)), TotalSegments: aws.Int32(int32(part.Of)),
	}
	if after != "" { // behind all versions that the stream may have
		in.ExclusiveStartKey = map[string]types.AttributeValue{"streamId": text(after), "version": number(math.MaxInt32)}
	}
	return func(yield func(Event, error) bool) {
		for pages := dynamodb.NewScanPaginator(s.DB, in); pages.HasMorePages(); {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(Event{}, fmt.Errorf("read part %d of %d of the log: %w", part.Number, part.Of, err))
				return
			}
			for _, item := range page.Items {
				e, err := EventOf(item)
				if !yield(e, err) || err != nil {
					return
				}
			}
		}
	}
}

// complete loads a stream that the scan gave with gaps, as it may when events are appended to it.
func (s *Store) complete(ctx context.Context, events []Event) ([]Event, error) {
	if events[0].Version == 1 && events[len(events)-1].Version == len(events) {
		return events, nil
	}
	return s.Load(ctx, events[0].StreamID, 0)
}

// Count is about how many events the log has. DynamoDB counts them every six hours.
func (s *Store) Count(ctx context.Context) (int, error) {
	out, err := s.DB.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &s.Table})
	if err != nil {
		return 0, fmt.Errorf("count the events: %w", err)
	}
	return int(aws.ToInt64(out.Table.ItemCount)), nil
}

// Absent gives those of up to 100 streams that have no event.
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
		events, err := s.Load(ctx, stream, 0)
		if err != nil {
			return nil, err
		}
		if len(events) == 0 {
			absent = append(absent, stream)
		}
	}
	return absent, nil
}

// haveFirst tells which of up to 100 streams have a first event.
func (s *Store) haveFirst(ctx context.Context, streams []string) (map[string]bool, error) {
	if len(streams) > maxBatchGet {
		return nil, fmt.Errorf("%d streams asked for at once, at most %d are looked for", len(streams), maxBatchGet)
	}
	keys := make([]map[string]types.AttributeValue, len(streams))
	for i, stream := range streams {
		keys[i] = map[string]types.AttributeValue{"streamId": text(stream), "version": number(1)}
	}
	request := map[string]types.KeysAndAttributes{s.Table: {
		Keys: keys, ConsistentRead: aws.Bool(true), ProjectionExpression: aws.String("streamId"),
	}}
	there := map[string]bool{}
	for len(keys) > 0 && len(request) > 0 {
		out, err := s.DB.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: request})
		if err != nil {
			return nil, fmt.Errorf("look for %d streams: %w", len(streams), err)
		}
		for _, item := range out.Responses[s.Table] {
			r := reader{item: item}
			if there[r.text("streamId")] = true; r.err != nil {
				return nil, r.err
			}
		}
		request = out.UnprocessedKeys
	}
	return there, nil
}
