package eventbridge_test

import (
	"context"
	"fmt"
	"log"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"milepost/local/awsapi"
	"milepost/local/eventbridge"
)

// printer is a target that prints what it gets.
type printer struct{}

func (printer) Deliver(_ context.Context, d eventbridge.Delivery) error {
	fmt.Printf("%s: %s\n", d.TargetID, d.Payload)
	return nil
}

// A bus with one rule, whose target gets a part of each event that matches.
func Example() {
	ctx := context.Background()
	service, err := eventbridge.New(eventbridge.Config{Targets: printer{}})
	if err != nil {
		log.Fatal(err)
	}
	defer service.Close()
	rule := eventbridge.Rule{Name: "large", EventPattern: `{"detail": {"total": [{"numeric": [">", 100]}]}}`}
	if _, err := service.PutRule(rule); err != nil {
		log.Fatal(err)
	}
	target := eventbridge.Target{ID: "printer", ARN: "arn:aws:lambda:us-east-1:000000000000:function:print", InputPath: "$.detail.total"}
	if err := service.PutTargets("default", "large", target); err != nil {
		log.Fatal(err)
	}
	service.Start()

	server := awsapi.NewServer()
	server.Handle("AWSEvents", "", service)
	bus := sdk.NewFromConfig(aws.Config{
		Region: awsapi.Region, Credentials: aws.AnonymousCredentials{},
		HTTPClient: &awsapi.Transport{Server: server, Caller: &awsapi.Caller{}},
	})
	event := func(detail string) types.PutEventsRequestEntry {
		return types.PutEventsRequestEntry{Source: aws.String("shop"), DetailType: aws.String("Ordered"), Detail: &detail}
	}
	_, err = bus.PutEvents(ctx, &sdk.PutEventsInput{Entries: []types.PutEventsRequestEntry{event(`{"total": 250}`), event(`{"total": 9}`)}})
	if err != nil {
		log.Fatal(err)
	}
	if err := service.Idle(ctx); err != nil {
		log.Fatal(err)
	}
	// Output: printer: 250
}
