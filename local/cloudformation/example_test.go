package cloudformation_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudformation"

	"milepost/local/awsapi"
	"milepost/local/cloudformation"
	"milepost/local/template"
)

// A program finds a queue by an output of the stack.
func Example() {
	const text = `
Resources:
  Parcels: {Type: AWS::SQS::Queue}
Outputs:
  ParcelsQueueName: {Value: !GetAtt Parcels.QueueName}
`
	stack, err := template.Parse("template.yaml", []byte(text), template.Options{StackName: "depot"})
	if err != nil {
		log.Fatal(err)
	}
	server := awsapi.NewServer()
	runsAll := func(string) string { return "" }
	server.HandleQuery(cloudformation.Version, cloudformation.Namespace, cloudformation.New(stack, time.Now(), runsAll))
	client := sdk.NewFromConfig(aws.Config{
		Region: awsapi.Region, Credentials: aws.AnonymousCredentials{},
		HTTPClient: &awsapi.Transport{Server: server, Caller: &awsapi.Caller{}},
	})
	found, err := client.DescribeStacks(context.Background(), &sdk.DescribeStacksInput{StackName: aws.String("depot")})
	if err != nil {
		log.Fatal(err)
	}
	for _, o := range found.Stacks[0].Outputs {
		fmt.Println(*o.OutputKey, "is", *o.OutputValue)
	}
	// Output: ParcelsQueueName is depot-Parcels
}
