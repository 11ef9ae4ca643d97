package iam_test

import (
	"fmt"
	"log"

	"milepost/local/iam"
)

// A role is asked what it may do, and remembers which grants were never used.
func ExampleRole_Authorize() {
	policy, err := iam.ParsePolicy("notes", []byte(`{"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Action": ["dynamodb:GetItem", "dynamodb:PutItem"], "Resource": "arn:aws:dynamodb:*:*:table/notes"},
		{"Effect": "Deny", "Action": "dynamodb:DeleteItem", "Resource": "*"}
	]}`))
	if err != nil {
		log.Fatal(err)
	}
	role := iam.NewRole("arn:aws:iam::000000000000:role/reader", "session", policy)
	const table = "arn:aws:dynamodb:us-east-1:000000000000:table/notes"
	fmt.Println(role.Authorize("dynamodb:GetItem", table))
	if err := role.Authorize("dynamodb:DeleteItem", table); err != nil {
		fmt.Println("denied")
	}
	for _, grant := range role.Unused() {
		fmt.Println(grant.Action, "was never used")
	}

	_, err = iam.ParsePolicy("odd", []byte(`{"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", "Condition": {"DateLessThan": {"aws:CurrentTime": "2030-01-01"}}}
	]}`))
	fmt.Println(err)
	// Output:
	// <nil>
	// denied
	// dynamodb:PutItem was never used
	// policy odd: statement 1: NotImplemented: the local runtime does not support the condition operator DateLessThan
}
