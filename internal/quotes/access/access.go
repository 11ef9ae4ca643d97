// Package access records when an employee reveals the personal data of a quote: who, when and what for. It holds no
// personal data of the quote itself, and is only added to.
package access

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/oklog/ulid/v2"

	"milepost/internal/platform/stored"
)

// Access is one revealing.
type Access struct {
	At time.Time `json:"at"`
	// Actor is the employee, and Purpose what for: a code, since words may name somebody.
	Actor   string `json:"actor"`
	Purpose string `json:"purpose"`
}

// Most is how many a list has: the newest.
const Most = 100

// Store is the table of accesses.
type Store struct {
	DB    *dynamodb.Client
	Table string
	// Kept is for how long each is kept.
	Kept time.Duration
}

// Put records an access. It costs one write request unit.
func (s *Store) Put(ctx context.Context, quoteID string, a Access) error {
	at := a.At.UTC()
	_, err := s.DB.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &s.Table,
		Item: stored.Item{
			"quoteId": stored.Text(quoteID), "accessId": stored.Text(ulid.MustNew(ulid.Timestamp(at), ulid.DefaultEntropy()).String()),
			"at": stored.Text(at.Format(time.RFC3339Nano)), "actor": stored.Text(a.Actor), "purpose": stored.Text(a.Purpose),
			"expiresAt": stored.Number(int(at.Add(s.Kept).Unix())),
		},
		ConditionExpression: aws.String("attribute_not_exists(accessId)"),
	})
	if err != nil {
		return fmt.Errorf("record an access: %w", err)
	}
	return nil
}

// List returns the accesses of a quote, the newest first and at most Most. One that cannot be read is an error: nobody
// may believe that it was not there.
func (s *Store) List(ctx context.Context, quoteID string) ([]Access, error) {
	out, err := s.DB.Query(ctx, &dynamodb.QueryInput{
		TableName: &s.Table, KeyConditionExpression: aws.String("quoteId = :quote"), ConsistentRead: aws.Bool(true),
		ExpressionAttributeValues: stored.Item{":quote": stored.Text(quoteID)}, ScanIndexForward: aws.Bool(false), Limit: aws.Int32(Most),
	})
	if err != nil {
		return nil, fmt.Errorf("list accesses: %w", err)
	}
	all := make([]Access, len(out.Items))
	for i, item := range out.Items {
		r := stored.Read(item)
		all[i] = Access{At: r.Time("at", time.RFC3339Nano), Actor: r.Text("actor"), Purpose: r.Text("purpose")}
		if err := r.Err(); err != nil {
			return nil, fmt.Errorf("an access of quote %s: %w", quoteID, err)
		}
	}
	return all, nil
}
