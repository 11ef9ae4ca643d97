package s3_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"milepost/local/awsapi"
	"milepost/local/s3"
)

// A bucket, and an SDK client that reaches it in memory. An object is put only where there is none.
func Example() {
	ctx := context.Background()
	service := s3.New(s3.Config{})
	if err := service.CreateBucket("archive"); err != nil {
		log.Fatal(err)
	}
	server := awsapi.NewServer()
	server.HandleService("s3", service, s3.WriteError)
	client := sdk.NewFromConfig(aws.Config{
		Region: awsapi.Region, Credentials: aws.AnonymousCredentials{},
		HTTPClient: &awsapi.Transport{Server: server, Caller: &awsapi.Caller{}},
	})

	for _, text := range []string{"first", "second"} {
		_, err := client.PutObject(ctx, &sdk.PutObjectInput{
			Bucket: aws.String("archive"), Key: aws.String("a/b"), Body: strings.NewReader(text), IfNoneMatch: aws.String("*"),
		})
		if refused, ok := errors.AsType[smithy.APIError](err); ok {
			fmt.Println(refused.ErrorCode())
		}
	}
	out, err := client.GetObject(ctx, &sdk.GetObjectInput{Bucket: aws.String("archive"), Key: aws.String("a/b")})
	if err != nil {
		log.Fatal(err)
	}
	defer out.Body.Close()
	text, err := io.ReadAll(out.Body)
	fmt.Println(string(text), err)
	// Output:
	// PreconditionFailed
	// first <nil>
}
