package erase

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/internal/log/seal"
	"milepost/internal/platform/stored"
)

// Request is an employee's request to erase a customer. Another employee has to confirm it.
type Request struct {
	ID, CustomerID, RequestedBy, ReasonCode string
	RequestedAt                             time.Time
	// ConfirmedBy is "" as long as nobody has confirmed it.
	ConfirmedBy string
	ConfirmedAt time.Time
	// Progress is how far the erasure was when it was last reported, nil before the keys were erased.
	Progress *Progress
	why      seal.Sealed
}

// Progress is how far an erasure is.
type Progress struct {
	Step Step    `json:"step"`
	Did  Erasure `json:"did"`
}

// Order returns what a confirmed request orders.
func (r Request) Order() Order {
	return Order{CustomerID: r.CustomerID, By: r.ConfirmedBy, RequestedBy: r.RequestedBy, ReasonCode: r.ReasonCode}
}

// Changed is the error of a change to a request that is not as it was expected: another was made, or it was confirmed
// or taken back meanwhile.
type Changed struct{}

func (*Changed) Error() string { return "the request to erase is not as it was expected" }

// Requests is the table of requests: one for a customer. It is safe for concurrent use. Its items name no customer but
// by the id; why somebody asked is sealed under the customer's key and so erased as well.
type Requests struct {
	DB    *dynamodb.Client
	Table string
	Keys  *seal.Keys
}

// Ask stores a new request with the words why, and returns it as it is stored. It fails with *Changed if there is one, with *seal.Erased if the customer
// was erased and with *seal.NoKey if the customer has no key.
func (s *Requests) Ask(ctx context.Context, r Request, why string) (Request, error) {
	var err error
	if r.why, err = s.Keys.Seal(ctx, r.CustomerID, r.aad(), []byte(why)); err != nil {
		return r, err
	}
	item := requestKey(r.CustomerID)
	item["requestId"], item["requestedBy"], item["reasonCode"] = stored.Text(r.ID), stored.Text(r.RequestedBy), stored.Text(r.ReasonCode)
	item["requestedAt"] = stored.Text(r.RequestedAt.UTC().Format(time.RFC3339Nano))
	item["why"], item["keyId"] = stored.Bytes(r.why.Text), stored.Text(r.why.KeyID)
	_, err = s.DB.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &s.Table, Item: item, ConditionExpression: aws.String("attribute_not_exists(customerId)"),
	})
	return r, changed(err, "store the request to erase")
}

// Get returns the request for a customer; ok is false if there is none.
func (s *Requests) Get(ctx context.Context, customerID string) (r Request, ok bool, err error) {
	out, err := s.DB.GetItem(ctx, &dynamodb.GetItemInput{TableName: &s.Table, Key: requestKey(customerID), ConsistentRead: aws.Bool(true)})
	if err != nil {
		return r, false, fmt.Errorf("read the request to erase: %w", err)
	}
	if len(out.Item) == 0 {
		return r, false, nil
	}
	in := stored.Read(out.Item)
	r = Request{
		ID: in.Text("requestId"), CustomerID: customerID, RequestedBy: in.Text("requestedBy"), ReasonCode: in.Text("reasonCode"),
		RequestedAt: in.Time("requestedAt", time.RFC3339Nano), ConfirmedBy: in.OptionalText("confirmedBy"),
		why: seal.Sealed{CustomerID: customerID, KeyID: in.Text("keyId"), Text: in.Bytes("why")},
	}
	if r.ConfirmedBy != "" {
		r.ConfirmedAt = in.Time("confirmedAt", time.RFC3339Nano)
	}
	progress := in.OptionalText("progress")
	if err := in.Err(); err != nil {
		return r, false, fmt.Errorf("the request to erase: %w", err)
	}
	if progress != "" {
		if err := json.Unmarshal([]byte(progress), &r.Progress); err != nil {
			return r, false, fmt.Errorf("the progress of the erasure: %w", err)
		}
	}
	return r, true, nil
}

// Why returns in the requester's words why they asked. It fails with *seal.Erased once the keys are erased.
func (s *Requests) Why(ctx context.Context, r Request) (string, error) {
	text, err := s.Keys.Unseal(ctx, r.why, r.aad())
	return string(text), err
}

// Confirm records who confirms a request. It fails with *Changed if it is not there any more, was confirmed, or is that
// person's own.
func (s *Requests) Confirm(ctx context.Context, r Request, by string, at time.Time) error {
	_, err := s.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.Table, Key: requestKey(r.CustomerID),
		UpdateExpression:    aws.String("SET confirmedBy = :by, confirmedAt = :at"),
		ConditionExpression: aws.String("requestId = :id AND requestedBy <> :by AND attribute_not_exists(confirmedBy)"),
		ExpressionAttributeValues: stored.Item{
			":by": stored.Text(by), ":at": stored.Text(at.UTC().Format(time.RFC3339Nano)), ":id": stored.Text(r.ID),
		},
	})
	return changed(err, "confirm the request to erase")
}

// TakeBack removes a request. It fails with *Changed if it was confirmed, or is another one by now.
func (s *Requests) TakeBack(ctx context.Context, r Request) error {
	_, err := s.DB.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: &s.Table, Key: requestKey(r.CustomerID),
		ConditionExpression:       aws.String("requestId = :id AND attribute_not_exists(confirmedBy)"),
		ExpressionAttributeValues: stored.Item{":id": stored.Text(r.ID)},
	})
	return changed(err, "take back the request to erase")
}

// Report records how far the erasure is. It fails with *Changed if nobody has confirmed it.
func (s *Requests) Report(ctx context.Context, t Task) error {
	progress, err := json.Marshal(Progress{t.Step, t.Did})
	if err != nil {
		return err
	}
	_, err = s.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.Table, Key: requestKey(t.Order.CustomerID), UpdateExpression: aws.String("SET progress = :progress"),
		ConditionExpression:       aws.String("confirmedBy = :by"),
		ExpressionAttributeValues: stored.Item{":progress": stored.Text(string(progress)), ":by": stored.Text(t.Order.By)},
	})
	return changed(err, "report the erasure")
}

// Confirmed reports whether the order of a task is one that was requested by one person and confirmed by another.
func (s *Requests) Confirmed(ctx context.Context, o Order) (bool, error) {
	r, ok, err := s.Get(ctx, o.CustomerID)
	return ok && r.ConfirmedBy != "" && r.ConfirmedBy != r.RequestedBy && r.Order() == o, err
}

// aad binds the words to the request, so that they open in no other.
func (r Request) aad() []byte { return fmt.Appendf(nil, "erasure\n%s\n%s", r.CustomerID, r.ID) }

func requestKey(customerID string) stored.Item {
	return stored.Item{"customerId": stored.Text(customerID)}
}

func changed(err error, what string) error {
	if _, lost := errors.AsType[*types.ConditionalCheckFailedException](err); lost {
		return &Changed{}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
