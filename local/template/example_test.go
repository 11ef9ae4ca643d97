package template_test

import (
	"fmt"
	"log"

	"milepost/local/template"
)

// A template becomes plain CloudFormation: SAM's types are expanded, and references resolved.
func ExampleParse() {
	text := []byte(`
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Parameters:
  Limit: {Type: Number, Default: 10}
Resources:
  Letters:
    Type: AWS::SQS::Queue
  Count:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: provided.al2023
      Handler: count
      CodeUri: .
      Environment: {Variables: {LIMIT: !Ref Limit, QUEUE: !GetAtt Letters.Arn}}
`)
	t, err := template.Parse("template.yaml", text, template.Options{StackName: "shop", Parameters: map[string]string{"Limit": "3"}})
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range t.Resources {
		fmt.Println(r.LogicalID, r.Type, r.PhysicalID)
	}
	fmt.Println(t.Resource("Count").Properties["Environment"])

	_, err = template.Parse("template.yaml", []byte("Resources:\n  Topic: {Type: AWS::SNS::Topic, Properties: {Colour: red}}\n"), template.Options{})
	fmt.Println(err)
	// Output:
	// Letters AWS::SQS::Queue https://sqs.us-east-1.amazonaws.com/000000000000/shop-Letters
	// Count AWS::Lambda::Function shop-Count
	// CountRole AWS::IAM::Role shop-CountRole
	// map[Variables:map[LIMIT:3 QUEUE:arn:aws:sqs:us-east-1:000000000000:shop-Letters]]
	// template.yaml:2: Resources.Topic.Properties.Colour: AWS::SNS::Topic has no Colour that the local runtime knows
}
