package eventstore

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"milepost/internal/platform/stored"
)

// Page returns the events of a stream after a version, in order: up to limit of them, and no more once their stored
// data reach maxBytes. more reports whether others follow.
func (s *Store) Page(ctx context.Context, stream string, after, limit, maxBytes int) (events []Event, more bool, err error) {
	pages := dynamodb.NewQueryPaginator(s.DB, &dynamodb.QueryInput{
		TableName: &s.Table, ConsistentRead: aws.Bool(true), Limit: aws.Int32(int32(limit + 1)),
		KeyConditionExpression:   aws.String("streamId = :stream AND #version > :after"),
		ExpressionAttributeNames: map[string]string{"#version": "version"},
		ExpressionAttributeValues: stored.Item{
			":stream": stored.Text(stream), ":after": stored.Number(after),
		},
	})
	size := 0
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, false, fmt.Errorf("load a page of stream %s: %w", stream, err)
		}
		for _, item := range page.Items {
			if len(events) == limit || size >= maxBytes {
				return events, true, nil
			}
			e, err := EventOf(item)
			if err != nil {
				return nil, false, err
			}
			size += len(e.Data) + len(e.Sealed)
			events = append(events, e)
		}
	}
	return events, false, nil
}

// OfTypes returns those events of a stream that are of one of some types, in order. It reads the whole stream, and
// transfers no others.
func (s *Store) OfTypes(ctx context.Context, stream string, eventTypes ...string) ([]Event, error) {
	values := stored.Item{":stream": stored.Text(stream)}
	var names []string
	for i, t := range eventTypes {
		name := fmt.Sprint(":type", i)
		names, values[name] = append(names, name), stored.Text(t)
	}
	pages := dynamodb.NewQueryPaginator(s.DB, &dynamodb.QueryInput{
		TableName: &s.Table, ConsistentRead: aws.Bool(true),
		KeyConditionExpression:    aws.String("streamId = :stream"),
		FilterExpression:          aws.String("eventType IN (" + strings.Join(names, ", ") + ")"),
		ExpressionAttributeValues: values,
	})
	var events []Event
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("look through stream %s: %w", stream, err)
		}
		for _, item := range page.Items {
			e, err := EventOf(item)
			if err != nil {
				return nil, err
			}
			events = append(events, e)
		}
	}
	return events, nil
}
