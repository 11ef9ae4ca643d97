package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
)

// redriver does once more what a message is about.
type redriver struct {
	functions  *lambda.Client
	streams    *dynamodbstreams.Client
	executions *sfn.Client
	archive    string // the ARN of the function that keeps events in the archive; others announce them
	dryRun     bool
}

// redrive is done when the function has accepted the event of a message, or processed its records, or when the
// execution goes on. In a dry run the function is only asked whether it could be called.
func (r *redriver) redrive(ctx context.Context, l *letter) error {
	if l.Execution != "" {
		return r.again(ctx, l.Execution)
	}
	if at, err := arn.Parse(l.Function); l.Kind != unknownLetter && (err != nil || at.Service != "lambda") {
		return fmt.Errorf("its target is not a function but %s; send it there by hand", l.Function)
	}
	switch {
	case l.Records != nil:
		return r.process(ctx, l)
	case l.Event != nil:
		_, err := r.invoke(ctx, l.Function, types.InvocationTypeEvent, l.Event)
		return err
	}
	return errors.New("it is no message of EventBridge or Lambda, and nobody knows what to do with it")
}

func (r *redriver) invoke(ctx context.Context, function string, how types.InvocationType, payload []byte) (*lambda.InvokeOutput, error) {
	if r.dryRun {
		how = types.InvocationTypeDryRun
	}
	return r.functions.Invoke(ctx, &lambda.InvokeInput{FunctionName: &function, InvocationType: how, Payload: payload})
}

// maxRecords is how many records a function gets at a time.
const maxRecords = 100

// slack is how far apart an event's own time and its arrival in the stream may be.
const slack = 5 * time.Second

// process has a function process records of its stream, and waits for its answer: only that says
// whether it was all of them.
func (r *redriver) process(ctx context.Context, l *letter) error {
	records, err := r.records(ctx, l.Records)
	if gone(err) {
		from, to := clock(l.Records.ApproximateArrivalOfFirstRecord.Add(-slack)), clock(l.Records.ApproximateArrivalOfLastRecord.Add(slack))
		again := "milepost log play --new"
		if l.Function == r.archive || strings.HasPrefix(l.Function, r.archive+":") { // with a version or an alias
			again = "milepost log export s3://BUCKET/ (the archive's)"
		}
		return fmt.Errorf("the stream no longer has these records; the log has them: %s --since %s --until %s", again, from, to)
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
