package park

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/aws/aws-lambda-go/events"
)

// Panic is the error of a function that panicked.
type Panic struct {
	What  string
	Stack []byte
}

func (e *Panic) Error() string { return "panic: " + e.What }

// Stream is a function on a stream.
type Stream func(context.Context, events.DynamoDBEvent) (events.DynamoDBEventResponse, error)

// Guard is a function on a stream that parks a record on which the given one panics, with the panic and its stack in
// the log. After a panic the records of the batch are handled one by one, in order, so the others are handled as usual.
func (l *Lot) Guard(stream Stream) Stream {
	return func(ctx context.Context, batch events.DynamoDBEvent) (events.DynamoDBEventResponse, error) {
		response, err := stream.try(ctx, batch)
		if _, panicked := errors.AsType[*Panic](err); !panicked {
			return response, err
		}
		for i, record := range batch.Records {
			response, err := stream.try(ctx, events.DynamoDBEvent{Records: []events.DynamoDBEventRecord{record}})
			if p, panicked := errors.AsType[*Panic](err); panicked {
				l.Logger.ErrorContext(ctx, "panic", "record", record.Change.SequenceNumber, "error", p.Error(), "stack", string(p.Stack))
				err = l.Park(ctx, record, p)
			}
			if err != nil && i == 0 {
				return response, err
			}
			if err != nil || len(response.BatchItemFailures) > 0 {
				failed := events.DynamoDBBatchItemFailure{ItemIdentifier: record.Change.SequenceNumber}
				return events.DynamoDBEventResponse{BatchItemFailures: []events.DynamoDBBatchItemFailure{failed}}, nil
			}
		}
		return events.DynamoDBEventResponse{}, nil
	}
}

// try calls the function. A panic is a *Panic, which repeats no value but what the Go runtime says: it may be personal.
func (s Stream) try(ctx context.Context, batch events.DynamoDBEvent) (response events.DynamoDBEventResponse, err error) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case runtime.Error:
			err = &Panic{v.Error(), debug.Stack()}
		default:
			err = &Panic{fmt.Sprintf("a value of type %T", v), debug.Stack()}
		}
	}()
	return s(ctx, batch)
}
