package kms_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"

	"milepost/local/awsapi"
	"milepost/local/iam"
	"milepost/local/kms"
)

// A key makes a data key, which opens with the same encryption context only.
func Example() {
	ctx := context.Background()
	policy, err := iam.ParseResourcePolicy([]byte(`{"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Principal": {"AWS": "` + awsapi.Root + `"}, "Action": "kms:*", "Resource": "*"}
	]}`))
	if err != nil {
		log.Fatal(err)
	}
	service := kms.New(nil)
	const key = "11111111-2222-4333-8444-555555555555"
	if err := service.CreateKey(kms.Key{ID: key, Policy: policy}); err != nil {
		log.Fatal(err)
	}
	server := awsapi.NewServer()
	server.Handle("TrentService", "", service)
	client := sdk.NewFromConfig(aws.Config{
		Region: awsapi.Region, Credentials: aws.AnonymousCredentials{},
		HTTPClient: &awsapi.Transport{Server: server, Caller: &awsapi.Caller{}},
	})

	made, err := client.GenerateDataKey(ctx, &sdk.GenerateDataKeyInput{
		KeyId: aws.String(key), KeySpec: types.DataKeySpecAes256, EncryptionContext: map[string]string{"customer": "ada"},
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, customer := range []string{"ada", "bob"} {
		opened, err := client.Decrypt(ctx, &sdk.DecryptInput{
			CiphertextBlob: made.CiphertextBlob, EncryptionContext: map[string]string{"customer": customer},
		})
		if refused, ok := errors.AsType[smithy.APIError](err); ok {
			fmt.Println(customer, refused.ErrorCode())
			continue
		}
		fmt.Println(customer, bytes.Equal(opened.Plaintext, made.Plaintext))
	}
	// Output:
	// ada true
	// bob InvalidCiphertextException
}
