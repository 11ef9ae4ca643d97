package sns_test

import (
	"context"
	"fmt"
	"log"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sns"

	"milepost/local/awsapi"
	"milepost/local/mailbox"
	"milepost/local/sns"
)

// What is published goes nowhere: it is in a mailbox.
func Example() {
	box, err := mailbox.Open("") // in memory
	if err != nil {
		log.Fatal(err)
	}
	service := sns.New(box)
	topic, err := service.CreateTopic("alerts")
	if err != nil {
		log.Fatal(err)
	}
	server := awsapi.NewServer()
	server.HandleQuery(sns.Version, sns.Namespace, service)
	client := sdk.NewFromConfig(aws.Config{
		Region: awsapi.Region, Credentials: aws.AnonymousCredentials{},
		HTTPClient: &awsapi.Transport{Server: server, Caller: &awsapi.Caller{}},
	})

	if _, err := client.Publish(context.Background(), &sdk.PublishInput{TopicArn: &topic, Message: aws.String("It rains.")}); err != nil {
		log.Fatal(err)
	}
	messages, err := box.Messages()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(messages), messages[0].Form)
	// Output: 1 txt
}
