package sqs_test

import (
	"context"
	"fmt"
	"log"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"

	"milepost/local/awsapi"
	"milepost/local/sqs"
)

// A queue, and an SDK client that reaches it in memory.
func Example() {
	ctx := context.Background()
	service, err := sqs.New(sqs.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer service.Close()
	server := awsapi.NewServer()
	server.Handle("AmazonSQS", "com.amazonaws.sqs", service)
	client := sdk.NewFromConfig(aws.Config{
		Region: awsapi.Region, Credentials: aws.AnonymousCredentials{},
		HTTPClient: &awsapi.Transport{Server: server, Caller: &awsapi.Caller{}},
	})

	queue, err := client.CreateQueue(ctx, &sdk.CreateQueueInput{QueueName: aws.String("letters")})
	if err != nil {
		log.Fatal(err)
	}
	_, err = client.SendMessage(ctx, &sdk.SendMessageInput{QueueUrl: queue.QueueUrl, MessageBody: aws.String("Dear Ada")})
	if err != nil {
		log.Fatal(err)
	}
	for range 2 { // a message that was received is hidden for a while
		out, err := client.ReceiveMessage(ctx, &sdk.ReceiveMessageInput{QueueUrl: queue.QueueUrl})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(len(out.Messages))
	}
	// Output:
	// 1
	// 0
}
