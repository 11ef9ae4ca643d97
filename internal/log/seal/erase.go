package seal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/internal/platform/stored"
)

// Erasure is the record that replaces a customer's keys.
type Erasure struct {
	CustomerID string    `json:"customerId"`
	At         time.Time `json:"erasedAt"`
	// By is who erased the keys, ReasonCode why. Neither is about the customer.
	By string `json:"by"`
	// RequestedBy is who asked for it, "" if one person did both.
	RequestedBy string `json:"requestedBy,omitempty"`
	ReasonCode  string `json:"reasonCode"`
}

// Erase replaces all keys of a customer by a record, forever. If there is a record already, it stays and is returned:
// the first erasure counts. A record that does not say who and why is refused, because that cannot be added later.
func (k *Keys) Erase(ctx context.Context, e Erasure) (Erasure, error) {
	if e.By == "" || e.ReasonCode == "" {
		return e, fmt.Errorf("erase the keys of customer %s: the record must say who erases them, and why", e.CustomerID)
	}
	_, err := k.DB.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &k.Table, Item: Holder{CustomerID: e.CustomerID, Erasure: &e}.item(),
		ConditionExpression:                 aws.String("attribute_not_exists(" + erasedAtAttribute + ")"),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	if twice, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		first, err := holderOf(e.CustomerID, twice.Item)
		if err == nil {
			return *first.Erasure, nil
		}
		return e, err
	}
	if err != nil {
		return e, fmt.Errorf("erase the keys of customer %s: %w", e.CustomerID, err)
	}
	return e, nil
}

// erasureOf reads the record of an erasure.
func erasureOf(customerID string, r stored.Reader) Erasure {
	return Erasure{
		CustomerID: customerID, At: r.Time(erasedAtAttribute, time.RFC3339Nano), By: r.Text("erasedBy"),
		RequestedBy: r.OptionalText("requestedBy"), ReasonCode: r.Text("reasonCode"),
	}
}
