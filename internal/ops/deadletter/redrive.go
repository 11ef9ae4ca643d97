package deadletter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
)

// Redriver has letters handled again.
type Redriver struct {
	Functions  *lambda.Client
	Streams    *dynamodbstreams.Client
	Executions *sfn.Client
	// DryRun only asks whether a redrive would be accepted.
	DryRun bool
}

// Run redrives the letters of a place that have the ids, or all that are there if no ids are given, each once. Those
// that arrive meanwhile are not among them: they may be what it has redriven, failed again. It calls tell with each
// letter and the reason why it was not redriven, nil if it was. It returns the ids that no letter had.
func (r *Redriver) Run(ctx context.Context, p Place, ids []string, tell func(*Letter, error)) (notFound []string, err error) {
	notFound = slices.Clone(ids)
	began, err := p.now(ctx)
	if err != nil {
		return notFound, err
	}
	const second = time.Second // the precision of began
	again := map[string]bool{} // what was redriven
	for l, err := range p.Letters(ctx) {
		if err != nil {
			return notFound, err
		}
		switch later := l.Sent.Sub(began); {
		case len(ids) > 0 && !slices.Contains(ids, l.ID):
			continue
		case len(ids) == 0 && !began.IsZero() && (later > second || later >= 0 && again[l.what()]):
			continue
		}
		err := r.redrive(ctx, l)
		if err == nil && !r.DryRun {
			again[l.what()] = true
			err = p.delete(ctx, l)
		}
		tell(l, err)
		notFound = slices.DeleteFunc(notFound, func(id string) bool { return id == l.ID })
		if len(ids) > 0 && len(notFound) == 0 {
			break
		}
	}
	return notFound, nil
}

// redrive is done when the function has accepted the event of a message, or processed its records, or when the
// execution continues. In a dry run the function is only asked whether it could be called.
func (r *Redriver) redrive(ctx context.Context, l *Letter) error {
	if l.Execution != "" {
		return r.again(ctx, l.Execution)
	}
	if at, err := arn.Parse(l.Function); l.Kind != Unknown && (err != nil || at.Service != "lambda") {
		return fmt.Errorf("its target is not a function but %s; send it there by hand", l.Function)
	}
	switch {
	case l.Records != nil:
		return r.process(ctx, l)
	case l.Event != nil:
		_, err := r.invoke(ctx, l.Function, types.InvocationTypeEvent, l.Event)
		return err
	}
	return errors.New("it is not a message of EventBridge or Lambda, and cannot be redriven")
}

func (r *Redriver) invoke(ctx context.Context, function string, how types.InvocationType, payload []byte) (*lambda.InvokeOutput, error) {
	if r.DryRun {
		how = types.InvocationTypeDryRun
	}
	return r.Functions.Invoke(ctx, &lambda.InvokeInput{FunctionName: &function, InvocationType: how, Payload: payload})
}

// maxRecords is how many records a function gets at a time.
const maxRecords = 100

// slack is how far apart an event's own time and its arrival in the stream may be.
const slack = 5 * time.Second

// process has a function process records of its stream, and waits for its answer: only that says
// whether it was all of them.
func (r *Redriver) process(ctx context.Context, l *Letter) error {
	records, err := r.records(ctx, l.Records)
	if gone(err) {
		return &Gone{l.Function, l.Records.ApproximateArrivalOfFirstRecord.Add(-slack), l.Records.ApproximateArrivalOfLastRecord.Add(slack)}
	}
	if err != nil {
		return err
	}
	for batch := range slices.Chunk(records, maxRecords) {
		payload, err := json.Marshal(events.DynamoDBEvent{Records: batch})
		if err != nil {
			return err
		}
		out, err := r.invoke(ctx, l.Function, types.InvocationTypeRequestResponse, payload)
		if err != nil {
			return err
		}
		if out.FunctionError != nil {
			return fmt.Errorf("it failed again: %s", functionError(out.Payload))
		}
		var answer events.DynamoDBEventResponse
		if len(out.Payload) > 0 && json.Unmarshal(out.Payload, &answer) != nil {
			return fmt.Errorf("it answered %s", out.Payload)
		}
		if len(answer.BatchItemFailures) > 0 {
			return fmt.Errorf("it failed again from record %s on", aws.ToString(&answer.BatchItemFailures[0].ItemIdentifier))
		}
	}
	return nil
}

// Gone is the error of stream records that the stream no longer has. The log has them: they are about events of between
// two instants.
type Gone struct {
	// Function is the ARN of the one that was to process them.
	Function     string
	Since, Until time.Time
}

func (e *Gone) Error() string {
	return fmt.Sprintf("the stream no longer has these records; the log has them, from %s to %s", e.Since.UTC().Format(time.RFC3339), e.Until.UTC().Format(time.RFC3339))
}
