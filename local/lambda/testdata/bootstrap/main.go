// Command bootstrap is a function for the tests of the Runtime API: it does what its event says.
package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type event struct {
	Do    string
	Sleep time.Duration
}

type answer struct {
	PID       int
	RequestID string
	ARN       string
	Trace     string
	Env       map[string]string
}

type notPossible struct{ error }

func handle(ctx context.Context, e event) (answer, error) {
	time.Sleep(e.Sleep)
	switch e.Do {
	case "fail":
		return answer{}, notPossible{errors.New("it cannot be done")}
	case "panic":
		panic("boom")
	case "exit":
		os.Exit(7)
	}
	lc, _ := lambdacontext.FromContext(ctx)
	trace, _ := ctx.Value("x-amzn-trace-id").(string)
	env := map[string]string{}
	for _, name := range []string{"_HANDLER", "AWS_REGION", "AWS_LAMBDA_FUNCTION_NAME", "AWS_ACCESS_KEY_ID", "AWS_ENDPOINT_URL", "AWS_XRAY_DAEMON_ADDRESS", "TABLE", "HOME"} {
		env[name] = os.Getenv(name)
	}
	return answer{os.Getpid(), lc.AwsRequestID, lc.InvokedFunctionArn, trace, env}, nil
}

func main() {
	if os.Getenv("TABLE") == "" {
		os.Exit(3) // a function that cannot initialise
	}
	lambda.Start(handle)
}
