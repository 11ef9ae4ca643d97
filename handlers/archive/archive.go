// Package archive is the function on the log's stream that keeps every event in the archive.
package archive

import (
	"context"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"milepost/internal/log/archive"
	"milepost/internal/log/eventstore"
	"milepost/internal/log/park"
	"milepost/internal/log/tamper"
	"milepost/internal/platform"
	"milepost/internal/platform/stored"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/wiring"
)

type handler struct {
	bucket archive.Bucket
	// parking has the records that cannot be read.
	parking *park.Lot
}

// New makes the handler. It needs what wiring.System.Archive and Parking need.
func New(env platform.Environment) (lambda.Handler, error) {
	s := wiring.Of(env)
	h := &handler{s.Archive(), s.Parking()}
	return platform.Handler(env, h.parking.Guard(h.archive)), s.Err()
}

// archive puts the events of a batch into an object for each of their days, and each change of an existing event into a
// separate one. It parks records that are not events.
func (h *handler) archive(ctx context.Context, batch events.DynamoDBEvent) (events.DynamoDBEventResponse, error) {
	var days archive.Days
	var answer events.DynamoDBEventResponse
	var changes []archive.Object
	for _, record := range batch.Records {
		if c, changed := tamper.Of(record); changed {
			key, body, err := c.Object()
			if err != nil {
				return answer, err
			}
			changes = append(changes, archive.Object{Key: key, Body: body})
			continue
		}
		e, err := eventstore.EventOf(stored.Image(record.Change.NewImage))
		if err == nil {
			platform.Note(ctx, subject(e))
			err = days.Add(e, record.Change.SequenceNumber)
		}
		if err != nil {
			if err := h.parking.Park(ctx, record, err); err != nil {
				return answer, err
			}
		}
	}
	for _, object := range append(changes, days.Take()...) {
		if err := h.bucket.Arrive(ctx, object, time.Now()); err != nil {
			return events.DynamoDBEventResponse{}, err
		}
	}
	return answer, nil
}

// subject is what an event is about, for the log.
func subject(e eventstore.Event) platform.Subject {
	quoteID, _ := quotestore.QuoteID(e.StreamID)
	return platform.Subject{
		QuoteID: quoteID, CorrelationID: e.Metadata.CorrelationID, EventType: e.Type, Version: e.Version, Actor: e.Metadata.Actor,
	}
}
