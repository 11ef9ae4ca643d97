// Package draft keeps quotes in the making: what a customer has entered so far, before they ask for a quote.
//
// Nothing was asked of the insurer yet, so a draft is no event. It is sealed as a whole under its customer's key, and
// so it is erased with them; and it is gone thirty days after it was last changed. Each change makes a new tag, and a
// change of anything but the draft with the expected tag fails, so that of two windows neither overwrites the other.
package draft

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/oklog/ulid/v2"

	"milepost/internal/log/seal"
	"milepost/internal/platform/stored"
)

const (
	// Lifetime is how long a draft is kept after its last change.
	Lifetime = 30 * 24 * time.Hour
	// Most is how many drafts a customer may have.
	Most = 10
)

// Draft is a quote in the making.
type Draft struct {
	ID string
	Content
	// Tag changes with each change of the draft.
	Tag                  string
	UpdatedAt, ExpiresAt time.Time
}

// Content is what the customer entered.
type Content struct {
	// Step is where the customer is in a form.
	Step string `json:"step"`
	// Request is a JSON object, as much of a quote request as there is.
	Request json.RawMessage `json:"request"`
}

// Changed is the error of a change to a draft that has another tag than was expected, or is gone.
type Changed struct{}

func (e *Changed) Error() string { return "the draft was changed, or is gone" }

// TooMany is the error of a new draft of a customer who has Most.
type TooMany struct{ Most int }

func (e *TooMany) Error() string { return fmt.Sprintf("the customer has %d drafts", e.Most) }

// Damaged is the error of a draft that cannot be read.
type Damaged struct {
	ID  string
	Err error
}

func (e *Damaged) Error() string { return "draft " + e.ID + ": " + e.Err.Error() }
func (e *Damaged) Unwrap() error { return e.Err }

// Store is the table of drafts. It is safe for concurrent use.
type Store struct {
	DB    *dynamodb.Client
	Table string
	Keys  *seal.Keys
	// MakeKey makes the key of a customer who has none yet. Only Put needs it.
	MakeKey func(ctx context.Context, customerID string) error
}

// Any is the tag that every draft matches.
const Any = "*"

// Put stores a draft of a customer in place of the one with the tag: "" if there is none yet, Any if any is. The error
// is *Changed if that is not so, *TooMany if there is no room for a new one, and *seal.Erased or *seal.NoKey if nothing
// can be sealed for the customer.
func (s *Store) Put(ctx context.Context, customerID, id string, c Content, tag string, now time.Time) (Draft, error) {
	d := Draft{ID: id, Content: c, Tag: ulid.Make().String(), UpdatedAt: now.UTC(), ExpiresAt: now.UTC().Add(Lifetime).Truncate(time.Second)}
	text, err := json.Marshal(c)
	if err != nil {
		return d, err
	}
	if err := s.MakeKey(ctx, customerID); err != nil {
		return d, err
	}
	sealed, err := s.Keys.Seal(ctx, customerID, d.aad(customerID), text)
	if err != nil {
		return d, err
	}
	in := &dynamodb.PutItemInput{TableName: &s.Table, Item: key(customerID, id)}
	in.Item["content"], in.Item["keyId"], in.Item["tag"] = stored.Bytes(sealed.Text), stored.Text(sealed.KeyID), stored.Text(d.Tag)
	in.Item["updatedAt"] = stored.Text(d.UpdatedAt.Format(time.RFC3339Nano))
	in.Item["expiresAt"] = stored.Number(int(d.ExpiresAt.Unix()))
	in.ExpressionAttributeValues = stored.Item{":now": stored.Number(int(now.Unix()))}
	switch tag {
	case "": // one that has expired may still be there
		in.ConditionExpression = aws.String("attribute_not_exists(draftId) OR expiresAt <= :now")
	case Any:
		in.ConditionExpression = aws.String("expiresAt > :now")
	default:
		in.ConditionExpression = aws.String("expiresAt > :now AND tag = :tag")
		in.ExpressionAttributeValues[":tag"] = stored.Text(tag)
	}
	_, err = s.DB.PutItem(ctx, in)
	if _, lost := errors.AsType[*types.ConditionalCheckFailedException](err); lost {
		return d, &Changed{}
	}
	if err != nil {
		return d, fmt.Errorf("keep draft %s: %w", id, err)
	}
	if tag == "" {
		return d, s.checkRoom(ctx, customerID, d, now)
	}
	return d, nil
}

// checkRoom deletes a new draft again if the customer has too many. Counting afterwards keeps the bound also between
// drafts that are made at the same time.
func (s *Store) checkRoom(ctx context.Context, customerID string, d Draft, now time.Time) error {
	items, err := s.items(ctx, customerID, now, "draftId, expiresAt")
	if err != nil || len(items) <= Most {
		return err
	}
	_, err = s.DB.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: &s.Table, Key: key(customerID, d.ID), ConditionExpression: aws.String("tag = :tag"),
		ExpressionAttributeValues: stored.Item{":tag": stored.Text(d.Tag)},
	})
	if _, changed := errors.AsType[*types.ConditionalCheckFailedException](err); err != nil && !changed {
		return fmt.Errorf("delete draft %s, for which there is no room: %w", d.ID, err)
	}
	return &TooMany{Most}
}

// Get returns a draft of a customer; ok is false if there is none. The error is *Damaged if it cannot be read, and
// *seal.Erased or *seal.NoKey if the customer's key is gone.
func (s *Store) Get(ctx context.Context, customerID, id string, now time.Time) (d Draft, ok bool, err error) {
	out, err := s.DB.GetItem(ctx, &dynamodb.GetItemInput{TableName: &s.Table, Key: key(customerID, id), ConsistentRead: aws.Bool(true)})
	if err != nil {
		return d, false, fmt.Errorf("read draft %s: %w", id, err)
	}
	if expired(out.Item, now) {
		return d, false, nil
	}
	d, err = s.read(ctx, customerID, out.Item)
	return d, err == nil, err
}

// List returns the drafts of a customer, the last changed one first, and those that cannot be read. The other errors
// are those of Get.
func (s *Store) List(ctx context.Context, customerID string, now time.Time) (drafts []Draft, damaged []*Damaged, err error) {
	items, err := s.items(ctx, customerID, now, "")
	if err != nil {
		return nil, nil, err
	}
	for _, item := range items {
		d, err := s.read(ctx, customerID, item)
		if bad, ok := errors.AsType[*Damaged](err); ok {
			damaged = append(damaged, bad)
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		drafts = append(drafts, d)
	}
	slices.SortFunc(drafts, func(a, b Draft) int { return b.UpdatedAt.Compare(a.UpdatedAt) })
	return drafts, damaged, nil
}

// Delete deletes a draft of a customer. One that is not there is no error.
func (s *Store) Delete(ctx context.Context, customerID, id string) error {
	if _, err := s.DB.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &s.Table, Key: key(customerID, id)}); err != nil {
		return fmt.Errorf("delete draft %s: %w", id, err)
	}
	return nil
}

// IDs are those of all drafts of a customer that are in the table, expired or not, and whether they can be read or not.
func (s *Store) IDs(ctx context.Context, customerID string) ([]string, error) {
	items, err := s.items(ctx, customerID, time.Time{}, "draftId, expiresAt")
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(items))
	for i, item := range items {
		ids[i] = stored.Read(item).Text("draftId")
	}
	return ids, nil
}

// items are the items of a customer's drafts that have not expired, with the attributes of a projection, "" for all.
func (s *Store) items(ctx context.Context, customerID string, now time.Time, projection string) ([]stored.Item, error) {
	in := &dynamodb.QueryInput{
		TableName: &s.Table, ConsistentRead: aws.Bool(true), KeyConditionExpression: aws.String("customerId = :customer"),
		ExpressionAttributeValues: stored.Item{":customer": stored.Text(customerID)},
	}
	if projection != "" {
		in.ProjectionExpression = &projection
	}
	var all []stored.Item
	for pages := dynamodb.NewQueryPaginator(s.DB, in); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list drafts: %w", err)
		}
		all = append(all, page.Items...)
	}
	return slices.DeleteFunc(all, func(item stored.Item) bool { return expired(item, now) }), nil
}

// expired reports whether there is no item, or one whose time is over: DynamoDB deletes it within days. One that does
// not say when has not expired.
func expired(item stored.Item, now time.Time) bool {
	r := stored.Read(item)
	at := r.Number("expiresAt")
	return len(item) == 0 || r.Err() == nil && int64(at) <= now.Unix()
}

func (s *Store) read(ctx context.Context, customerID string, item stored.Item) (Draft, error) {
	r := stored.Read(item)
	d := Draft{
		ID: r.Text("draftId"), Tag: r.Text("tag"), UpdatedAt: r.Time("updatedAt", time.RFC3339Nano),
		ExpiresAt: time.Unix(int64(r.Number("expiresAt")), 0).UTC(),
	}
	sealed := seal.Sealed{CustomerID: customerID, KeyID: r.Text("keyId"), Text: r.Bytes("content")}
	if err := r.Err(); err != nil {
		return d, &Damaged{d.ID, err}
	}
	text, err := s.Keys.Unseal(ctx, sealed, d.aad(customerID))
	_, damaged := errors.AsType[*seal.Damaged](err)
	_, badKey := errors.AsType[*seal.BadKey](err)
	if damaged || badKey {
		return d, &Damaged{d.ID, err}
	}
	if err != nil {
		return d, err
	}
	if err := json.Unmarshal(text, &d.Content); err != nil {
		return d, &Damaged{d.ID, err}
	}
	return d, nil
}

// aad binds what is sealed to the draft and its tag, so that it opens in no other place and as no other state.
func (d Draft) aad(customerID string) []byte {
	return fmt.Appendf(nil, "draft\n%s\n%s\n%s", customerID, d.ID, d.Tag)
}

func key(customerID, id string) stored.Item {
	return stored.Item{"customerId": stored.Text(customerID), "draftId": stored.Text(id)}
}
