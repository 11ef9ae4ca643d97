// Package park puts aside records of a stream that their function cannot read, or panics on, so that they do not delay
// those after them for as long as a temporary failure is retried.
package park

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"milepost/internal/log/eventstore"
)

// Lot is the queue in which staff find them.
type Lot struct {
	SQS   *sqs.Client
	Queue string // its URL
	// Logger receives panics.
	Logger *slog.Logger
}

// The conditions that a message has.
const (
	Unreadable = "Unreadable"
	Panicked   = "Panicked"
)

// message is what Lambda itself writes of records that it gives up, without the shard, which a function does not know.
type message struct {
	Version            string    `json:"version"`
	Timestamp          time.Time `json:"timestamp"`
	RequestContext     request   `json:"requestContext"`
	ResponsePayload    failure   `json:"responsePayload"`
	DDBStreamBatchInfo batch     `json:"DDBStreamBatchInfo"`
}

type request struct {
	FunctionARN            string `json:"functionArn"`
	Condition              string `json:"condition"`
	ApproximateInvokeCount int    `json:"approximateInvokeCount"`
}

type failure struct {
	ErrorType    string `json:"errorType"`
	ErrorMessage string `json:"errorMessage"`
}

type batch struct {
	StreamARN      string    `json:"streamArn"`
	Start          string    `json:"startSequenceNumber"`
	End            string    `json:"endSequenceNumber"`
	BatchSize      int       `json:"batchSize"`
	FirstArrivedAt time.Time `json:"approximateArrivalOfFirstRecord"`
	LastArrivedAt  time.Time `json:"approximateArrivalOfLastRecord"`
}

// Park records which record cannot be read, and why, but not its content. An error that is neither an
// *eventstore.Unreadable nor a *Panic is returned: a retry may help.
func (l *Lot) Park(ctx context.Context, record events.DynamoDBEventRecord, why error) error {
	condition := Unreadable
	if _, panicked := errors.AsType[*Panic](why); panicked {
		condition = Panicked
	} else if _, unreadable := errors.AsType[*eventstore.Unreadable](why); !unreadable {
		return fmt.Errorf("stream record %s: %w", record.Change.SequenceNumber, why)
	}
	m := message{
		Version: "1.0", Timestamp: time.Now().UTC(),
		RequestContext:  request{Condition: condition, ApproximateInvokeCount: 1},
		ResponsePayload: failure{ErrorType: condition, ErrorMessage: why.Error()},
		DDBStreamBatchInfo: batch{
			StreamARN: record.EventSourceArn, Start: record.Change.SequenceNumber, End: record.Change.SequenceNumber, BatchSize: 1,
			FirstArrivedAt: record.Change.ApproximateCreationDateTime.UTC(), LastArrivedAt: record.Change.ApproximateCreationDateTime.UTC(),
		},
	}
	if call, ok := lambdacontext.FromContext(ctx); ok {
		m.RequestContext.FunctionARN = call.InvokedFunctionArn
	}
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if _, err := l.SQS.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &l.Queue, MessageBody: aws.String(string(text))}); err != nil {
		return fmt.Errorf("park stream record %s: %w", record.Change.SequenceNumber, err)
	}
	return nil
}
