package main

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
)

// workflow is a state machine of the stack that does a command's work there.
type workflow struct {
	client *sfn.Client
	name   string
	arn    string
}

// workflow is the state machine whose ARN a variable has.
func (st *stack) workflow(variable string) (*workflow, error) {
	w := &workflow{client: sfn.NewFromConfig(st.aws), arn: st.get(variable)}
	w.name = nameIn(w.arn)
	return w, st.err()
}

// begin starts an execution with an input, or joins the one that runs with the same. One that runs with another
// input is in the way. same compares the inputs as far as they have to be the same.
func begin[Input any](ctx context.Context, w *workflow, input Input, same func(a, b Input) bool) (arn string, err error) {
	for pages := sfn.NewListExecutionsPaginator(w.client, &sfn.ListExecutionsInput{
		StateMachineArn: &w.arn, StatusFilter: types.ExecutionStatusRunning,
	}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return "", plainly(err)
		}
		for _, e := range page.Executions {
			running, err := w.client.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: e.ExecutionArn})
			if err != nil {
				return "", plainly(err)
			}
			var of Input
			if err := json.Unmarshal([]byte(aws.ToString(running.Input)), &of); err != nil || !same(of, input) {
				return "", fmt.Errorf("%s already does something else: wait for the end of its execution %s, or stop that", w.name, *e.Name)
			}
			return *e.ExecutionArn, nil
		}
	}
	text, err := json.Marshal(input)
	if err != nil {
		return "", err
	}
	// Two that start at the same moment with the same input start one execution.
	started, err := w.client.StartExecution(ctx, &sfn.StartExecutionInput{
		StateMachineArn: &w.arn, Input: aws.String(string(text)), Name: aws.String(time.Now().UTC().Format("20060102T150405Z")),
	})
	if err != nil {
		return "", plainly(err)
	}
	return *started.ExecutionArn, nil
}

// equal compares two inputs in all that they have.
func equal[Input any](a, b Input) bool { return reflect.DeepEqual(a, b) }

// pollInterval is how often a workflow is asked how far it is. AWS answers 15 such calls in a second.
const pollInterval = 2 * time.Second

// follow waits for the end of an execution and decodes its output. Meanwhile it calls show.
func (w *workflow) follow(ctx context.Context, arn string, show func() error, output any) error {
	for {
		e, err := w.client.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: &arn})
		if err == nil {
			err = show()
		}
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("the workflow goes on: the same command follows it again, and aws stepfunctions stop-execution --execution-arn %s stops it", arn)
		case err != nil:
			return plainly(err)
		case e.Status == types.ExecutionStatusSucceeded:
			return json.Unmarshal([]byte(*e.Output), output)
		case e.Status != types.ExecutionStatusRunning:
			return fmt.Errorf("the workflow %s: %s; begin anew with the same command, or let it go on where it was with aws stepfunctions redrive-execution --execution-arn %s",
				e.Status, reason(e), arn)
		}
		select {
		case <-time.After(pollInterval):
		case <-ctx.Done():
		}
	}
}

// reason says in one line why an execution ended.
func reason(e *sfn.DescribeExecutionOutput) string {
	text := aws.ToString(e.Error)
	if cause := aws.ToString(e.Cause); cause != "" {
		text += ": " + strings.Join(strings.Fields(cause), " ")
	}
	if text == "" {
		return "it gave no reason"
	}
	return text
}
