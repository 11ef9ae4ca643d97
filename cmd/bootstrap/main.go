// Command bootstrap is the one binary of all Lambda functions. It starts the handler that _HANDLER,
// the function's Handler property, names.
package main

import (
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"milepost/handlers"
	"milepost/internal/platform"
)

func main() {
	env := platform.FromProcess()
	h, err := handlers.New(env)
	if err != nil {
		env.Logger.Error("the function cannot start", "error", err)
		os.Exit(1)
	}
	lambda.Start(h)
}
