package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/internal/log/seal"
	"milepost/internal/platform/stored"
)

// Letter is the exact text, and whom it was sent to. It is personal data.
type Letter struct {
	To      string `json:"to,omitempty"`
	Subject string `json:"subject,omitempty"`
	Body    string `json:"body"`
}

// Kept is a letter as the table has it. The zero Kept is no letter.
type Kept struct {
	// Sealed has the letter as JSON, sealed for a customer unless CustomerID is "".
	seal.Sealed
}

// Seal makes a letter of an item ready to be kept: sealed for the customer of the quote. The error is *seal.Erased if
// the customer was erased. An alert to staff names no person and is not sealed, nor is a letter to a customer without a
// key, whose quotes are all from before anything was sealed.
func (s *Store) Seal(ctx context.Context, item Item, customerID string, l Letter) (Kept, error) {
	text, err := json.Marshal(l)
	if err != nil || item.Kind.ForStaff() {
		return Kept{seal.Sealed{Text: text}}, err
	}
	sealed, err := s.Keys.Seal(ctx, customerID, aad(item), text)
	if none, ok := errors.AsType[*seal.NoKey](err); ok && !none.Awaited {
		return Kept{seal.Sealed{Text: text}}, nil
	}
	return Kept{sealed}, err
}

// Letter returns the letter of an item, the zero Letter if none was written. The error is *seal.Erased if the customer
// was erased.
func (s *Store) Letter(ctx context.Context, item Item) (l Letter, err error) {
	text := item.kept.Text
	if item.kept.CustomerID != "" {
		text, err = s.Keys.Unseal(ctx, item.kept.Sealed, aad(item))
	}
	if err == nil && text != nil {
		err = json.Unmarshal(text, &l)
	}
	if err != nil {
		return Letter{}, fmt.Errorf("notification %s of quote %s: letter: %w", item.Key(), item.QuoteID, err)
	}
	return l, nil
}

// aad binds a letter to its item, so that it cannot be moved to another.
func aad(item Item) []byte { return []byte("letter\n" + item.QuoteID + "\n" + item.Key()) }

// set adds the letter to the attributes that an item gets.
func (k Kept) set(a stored.Item) {
	switch {
	case k.Text == nil:
	case k.CustomerID == "":
		a["letter"] = stored.Text(string(k.Text))
	default:
		a["letter"], a["sealedFor"], a["keyId"] = stored.Bytes(k.Text), stored.Text(k.CustomerID), stored.Text(k.KeyID)
	}
}

// kept reads what set wrote.
func kept(r stored.Reader) Kept {
	k := Kept{seal.Sealed{CustomerID: r.OptionalText("sealedFor"), KeyID: r.OptionalText("keyId")}}
	switch {
	case !r.Has("letter"):
	case k.CustomerID == "":
		k.Text = []byte(r.Text("letter"))
	default:
		k.Text = r.Bytes("letter")
	}
	return k
}

// Written reports whether an item has, or had until it was erased, a letter.
func (i Item) Written() bool { return i.kept.Text != nil || i.kept.CustomerID != "" }

// InClear reports whether an item has a letter to a customer that is not sealed, as all were once.
func (i Item) InClear() bool {
	return i.kept.Text != nil && i.kept.CustomerID == "" && !i.Kind.ForStaff()
}

// EraseNotes removes the notes from the decisions on an item, for a customer who was erased, and reports whether there
// were any.
func (s *Store) EraseNotes(ctx context.Context, item Item) (bool, error) {
	var set []string
	for i, d := range item.Decisions {
		if d.Note != "" {
			set = append(set, fmt.Sprintf("decisions[%d].#note = :none", i))
		}
	}
	if set == nil {
		return false, nil
	}
	// Decisions are only ever added at the end.
	_, err := s.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.Table, Key: keyOf(item.QuoteID, item.Key()), UpdateExpression: aws.String("SET " + strings.Join(set, ", ")),
		ConditionExpression: aws.String("attribute_exists(decisions)"), ExpressionAttributeNames: map[string]string{"#note": "note"},
		ExpressionAttributeValues: stored.Item{":none": stored.Text("")},
	})
	if err != nil {
		return false, fmt.Errorf("erase the notes on notification %s of quote %s: %w", item.Key(), item.QuoteID, err)
	}
	return true, nil
}

// EraseLetter takes the letter out of an item that is Open, for a customer who was erased. The item reads as if it had
// been sealed.
func (s *Store) EraseLetter(ctx context.Context, item Item, customerID string) error {
	_, err := s.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.Table, Key: keyOf(item.QuoteID, item.Key()),
		UpdateExpression:          aws.String("SET sealedFor = :customer REMOVE letter"),
		ConditionExpression:       aws.String("attribute_exists(letter) AND attribute_not_exists(sealedFor)"),
		ExpressionAttributeValues: stored.Item{":customer": stored.Text(customerID)},
	})
	if _, done := errors.AsType[*types.ConditionalCheckFailedException](err); err == nil || done {
		return nil
	}
	return fmt.Errorf("erase the letter of notification %s of quote %s: %w", item.Key(), item.QuoteID, err)
}
