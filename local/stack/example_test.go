package stack_test

import (
	"context"
	"fmt"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/aws/aws-lambda-go/events"
	handlers "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/local/lambda"
	"milepost/local/stack"
)

const notes = `
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Resources:
  Notes:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: notes
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
  Write:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: provided.al2023
      Handler: write
      CodeUri: .
      Environment: {Variables: {TABLE: !Ref Notes}}
      Policies:
        - Version: "2012-10-17"
          Statement: [{Effect: Allow, Action: dynamodb:PutItem, Resource: !GetAtt Notes.Arn}]
      Events:
        Post: {Type: HttpApi, Properties: {Method: POST, Path: "/notes/{id}"}}
`

// A running template: its API calls a function, which writes to a table and may do nothing else.
func Example() {
	dir, err := os.MkdirTemp("", "stack")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "template.yaml")
	if err := os.WriteFile(file, []byte(notes), 0o600); err != nil {
		log.Fatal(err)
	}
	stack, err := stack.Open(stack.Options{Template: file, Functions: func(f stack.Function) (lambda.Handler, error) {
		db, table := dynamodb.NewFromConfig(f.AWS), f.Environment["TABLE"]
		return handlers.NewHandler(func(ctx context.Context, r events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
			item := map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: r.PathParameters["id"]}}
			if _, err := db.PutItem(ctx, &dynamodb.PutItemInput{TableName: &table, Item: item}); err != nil {
				return events.APIGatewayV2HTTPResponse{}, err
			}
			_, err := db.Scan(ctx, &dynamodb.ScanInput{TableName: &table})
			return events.APIGatewayV2HTTPResponse{StatusCode: 201, Body: fmt.Sprint("may scan: ", err == nil)}, nil
		}), nil
	}})
	if err != nil {
		log.Fatal(err)
	}
	defer stack.Close()
	if err := stack.Start(); err != nil {
		log.Fatal(err)
	}

	answer := httptest.NewRecorder()
	stack.API().ServeHTTP(answer, httptest.NewRequest("POST", "/notes/1", nil))
	fmt.Println(answer.Code, answer.Body)
	found, err := dynamodb.NewFromConfig(stack.Config()).Scan(context.Background(), &dynamodb.ScanInput{TableName: aws.String("notes")})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(found.Count)
	// Output:
	// 201 may scan: false
	// 1
}
