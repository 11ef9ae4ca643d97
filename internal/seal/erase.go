package seal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Erasure is the record that stands where a key was.
type Erasure struct {
	CustomerID string    `json:"customerId"`
	At         time.Time `json:"erasedAt"`
	// By is who erased the key, ReasonCode why. Neither is about the customer.
	By         string `json:"by"`
	ReasonCode string `json:"reasonCode"`
}

// State says how it stands with a customer's key.
type State struct {
	// Exists tells that there is a key. Erasure is the record of its erasure, nil where there was none.
	Exists  bool
	Erasure *Erasure
}

// State tells how it stands with the key of a customer, without decrypting it.
func (k *Keys) State(ctx context.Context, customerID string) (State, error) {
	item, err := k.item(ctx, customerID)
	if err != nil || item == nil {
		return State{}, err
	}
	if erasure, ok := erasureOf(customerID, item); ok {
		return State{Erasure: &erasure}, nil
	}
	return State{Exists: true}, nil
}

// Erase puts a record in the place of a customer's key, for good. Where one stands already, it stays and is
// given back: the first erasure counts. A record that does not tell who and why is refused, since nobody could
// add that later.
func (k *Keys) Erase(ctx context.Context, e Erasure) (Erasure, error) {
	if e.By == "" || e.ReasonCode == "" {
		return e, fmt.Errorf("erase the key of customer %s: the record has to tell who erases it, and why", e.CustomerID)
	}
	item := itemKey(e.CustomerID)
	item["erasedAt"] = text(e.At.UTC().Format(time.RFC3339Nano))
	item["erasedBy"] = text(e.By)
	item["reasonCode"] = text(e.ReasonCode)
	_, err := k.DB.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &k.Table, Item: item, ConditionExpression: aws.String("attribute_not_exists(erasedAt)"),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	if twice, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		if first, ok := erasureOf(e.CustomerID, twice.Item); ok {
			return first, nil
		}
	}
	if err != nil {
		return e, fmt.Errorf("erase the key of customer %s: %w", e.CustomerID, err)
	}
	return e, nil
}

// erasureOf reads the record of an erasure; ok is false where the item is a key.
func erasureOf(customerID string, item map[string]types.AttributeValue) (e Erasure, ok bool) {
	read := func(name string) string {
		v, _ := item[name].(*types.AttributeValueMemberS)
		if v == nil {
			return ""
		}
		return v.Value
	}
	at := read("erasedAt")
	if at == "" {
		return e, false
	}
	e = Erasure{CustomerID: customerID, By: read("erasedBy"), ReasonCode: read("reasonCode")}
	e.At, _ = time.Parse(time.RFC3339Nano, at) // Erase wrote it
	return e, true
}
