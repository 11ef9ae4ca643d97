package lambda_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	runtime "github.com/aws/aws-lambda-go/lambda"

	"milepost/local/lambda"
)

// Functions run in process, and fail as on Lambda, with an error document.
func Example() {
	ctx := context.Background()
	service, err := lambda.New(lambda.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer service.Close()
	for name, handler := range map[string]runtime.Handler{
		"greet": runtime.NewHandler(func(name string) (string, error) { return "Hello " + name, nil }),
		"fail":  runtime.NewHandler(func() error { return errors.New("no ink") }),
	} {
		if err := service.CreateFunction(lambda.Function{Name: name, Handler: handler}); err != nil {
			log.Fatal(err)
		}
	}
	if err := service.Start(); err != nil {
		log.Fatal(err)
	}
	for _, name := range []string{"greet", "fail"} {
		result, err := service.Invoke(ctx, name, []byte(`"Ada"`))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s failed: %q, answer: %s\n", name, result.FunctionError, result.Payload)
	}
	// Output:
	// greet failed: "", answer: "Hello Ada"
	// fail failed: "Unhandled", answer: {"errorMessage":"no ink","errorType":"errorString"}
}
