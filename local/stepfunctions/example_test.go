package stepfunctions_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"milepost/local/awsapi"
	"milepost/local/stepfunctions"
)

// doubler does every task by doubling a number.
type doubler struct{}

func (doubler) Run(_ context.Context, call stepfunctions.TaskCall) (json.RawMessage, error) {
	var n int
	if err := json.Unmarshal(call.Parameters, &n); err != nil {
		return nil, &stepfunctions.TaskError{Name: "NotANumber", Cause: err.Error()}
	}
	return json.Marshal(2 * n)
}

const definition = `{
	"StartAt": "Double",
	"States": {
		"Double": {
			"Type": "Task",
			"Resource": "arn:aws:lambda:us-east-1:000000000000:function:double",
			"InputPath": "$.number",
			"ResultPath": "$.doubled",
			"Catch": [{"ErrorEquals": ["NotANumber"], "ResultPath": null, "Next": "Give up"}],
			"End": true
		},
		"Give up": {"Type": "Fail", "Error": "NotANumber"}
	}
}`

// A state machine whose task the program does itself, started and awaited by the SDK.
func Example() {
	ctx := context.Background()
	service, err := stepfunctions.New(stepfunctions.Config{Tasks: doubler{}})
	if err != nil {
		log.Fatal(err)
	}
	defer service.Close()
	arn, err := service.CreateStateMachine(stepfunctions.StateMachine{Name: "double", Definition: definition})
	if err != nil {
		log.Fatal(err)
	}
	if err := service.Start(); err != nil {
		log.Fatal(err)
	}

	server := awsapi.NewServer()
	server.Handle("AWSStepFunctions", "", service)
	client := sfn.NewFromConfig(aws.Config{
		Region: awsapi.Region, Credentials: aws.AnonymousCredentials{},
		HTTPClient: &awsapi.Transport{Server: server, Caller: &awsapi.Caller{}},
	})
	for _, input := range []string{`{"number": 21}`, `{"number": "many"}`} {
		started, err := client.StartExecution(ctx, &sfn.StartExecutionInput{StateMachineArn: &arn, Input: &input})
		if err != nil {
			log.Fatal(err)
		}
		for {
			out, err := client.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: started.ExecutionArn})
			if err != nil {
				log.Fatal(err)
			}
			if out.Status != "RUNNING" {
				fmt.Println(out.Status, aws.ToString(out.Output)+aws.ToString(out.Error))
				break
			}
			time.Sleep(time.Millisecond) // as a client would
		}
	}
	// Output:
	// SUCCEEDED {"doubled":42,"number":21}
	// FAILED NotANumber
}
