package dynamodb_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"milepost/local/awsapi"
	"milepost/local/dynamodb"
)

// A table, and an SDK client that reaches it in memory.
func Example() {
	ctx := context.Background()
	service, err := dynamodb.New(dynamodb.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer service.Close()
	server := awsapi.NewServer()
	server.Handle("DynamoDB_20120810", "com.amazonaws.dynamodb.v20120810", service)
	db := sdk.NewFromConfig(aws.Config{
		Region: awsapi.Region, Credentials: aws.AnonymousCredentials{},
		HTTPClient: &awsapi.Transport{Server: server, Caller: &awsapi.Caller{}},
	})

	_, err = db.CreateTable(ctx, &sdk.CreateTableInput{
		TableName: aws.String("notes"), BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: "S"}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: types.KeyTypeHash}},
	})
	if err != nil {
		log.Fatal(err)
	}
	put := &sdk.PutItemInput{
		TableName: aws.String("notes"), ConditionExpression: aws.String("attribute_not_exists(id)"),
		Item: map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: "1"}},
	}
	for range 2 {
		_, err := db.PutItem(ctx, put)
		if refused, ok := errors.AsType[smithy.APIError](err); ok {
			fmt.Println(refused.ErrorCode(), refused.ErrorMessage())
		}
	}
	_, err = db.ListBackups(ctx, &sdk.ListBackupsInput{})
	if refused, ok := errors.AsType[smithy.APIError](err); ok {
		fmt.Println(refused.ErrorMessage())
	}
	// Output:
	// ConditionalCheckFailedException The conditional request failed
	// the local runtime does not support the DynamoDB operation ListBackups
}
