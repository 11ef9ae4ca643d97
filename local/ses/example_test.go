package ses_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sesv2"
	"github.com/aws/aws-sdk-go-v2/service/sesv2/types"
	"github.com/aws/smithy-go"

	"milepost/local/awsapi"
	"milepost/local/mailbox"
	"milepost/local/ses"
)

// E-mail is sent from the known identities, and goes into a mailbox.
func Example() {
	box, err := mailbox.Open("") // in memory
	if err != nil {
		log.Fatal(err)
	}
	service := ses.New(box)
	if err := service.CreateEmailIdentity("shop.example"); err != nil {
		log.Fatal(err)
	}
	server := awsapi.NewServer()
	server.HandleREST("/v2/email/", service)
	client := sesv2.NewFromConfig(aws.Config{
		Region: awsapi.Region, Credentials: aws.AnonymousCredentials{},
		HTTPClient: &awsapi.Transport{Server: server, Caller: &awsapi.Caller{}},
	})

	for _, from := range []string{"orders@shop.example", "somebody@else.example"} {
		_, err := client.SendEmail(context.Background(), &sesv2.SendEmailInput{
			FromEmailAddress: &from, Destination: &types.Destination{ToAddresses: []string{"ada@customer.example"}},
			Content: &types.EmailContent{Simple: &types.Message{
				Subject: &types.Content{Data: aws.String("Your order")},
				Body:    &types.Body{Text: &types.Content{Data: aws.String("It is on its way.")}},
			}},
		})
		if refused, ok := errors.AsType[smithy.APIError](err); ok {
			fmt.Println(refused.ErrorCode())
		}
	}
	messages, err := box.Messages()
	fmt.Println(len(messages), err)
	// Output:
	// MessageRejected
	// 1 <nil>
}
