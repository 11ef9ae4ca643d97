package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/domain/notification"
	"milepost/internal/seal"
)

type attributes = map[string]types.AttributeValue

func keyOf(quoteID, key string) attributes {
	return attributes{"quoteId": text(quoteID), "key": text(key)}
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number(n int) types.AttributeValue { return &types.AttributeValueMemberN{Value: strconv.Itoa(n)} }

// timeLayout writes instants so that their texts sort as the instants do.
const timeLayout = "2006-01-02T15:04:05.000000000Z"

func moment(t time.Time) types.AttributeValue { return text(t.UTC().Format(timeLayout)) }

func stringOf(v types.AttributeValue) string {
	s, _ := v.(*types.AttributeValueMemberS)
	if s == nil {
		return ""
	}
	return s.Value
}

// attributes are the letter as it is kept. All that is personal in an item is in it, sealed for its customer.
func (s *Store) attributes(ctx context.Context, item Item, l Letter) (attributes, error) {
	plain, err := json.Marshal(l)
	if err != nil || l.Customer == "" {
		return attributes{"letter": text(string(plain))}, err
	}
	sealed, err := s.Keys.Seal(ctx, l.Customer, aad(item), plain)
	return attributes{"letter": &types.AttributeValueMemberB{Value: sealed}, "sealedFor": text(l.Customer)}, err
}

// aad binds a letter to its item.
func aad(i Item) []byte { return []byte(i.QuoteID + "\n" + i.Key() + "\nletter") }

// OpenLetter puts the letter into an item that has it sealed. Where it was erased with its customer the item says so,
// and the letter stays empty.
func (s *Store) OpenLetter(ctx context.Context, item *Item) error {
	if item.sealed == nil {
		return nil
	}
	plain, err := s.Keys.Open(ctx, item.sealedFor, aad(*item), item.sealed)
	if _, item.Erased = errors.AsType[*seal.Erased](err); item.Erased {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(plain, &item.Letter)
	}
	if err != nil {
		return fmt.Errorf("open notification %s of quote %s: %w", item.Key(), item.QuoteID, err)
	}
	return nil
}

// decode reads an item.
func decode(a attributes) (Item, error) {
	item := Item{
		Notification: notification.Notification{
			QuoteID: stringOf(a["quoteId"]), Kind: notification.Kind(stringOf(a["kind"])),
			About: stringOf(a["about"]), OfKind: notification.Kind(stringOf(a["ofKind"])),
		},
		Status: Status(stringOf(a["status"])), Channel: notification.Channel(stringOf(a["channel"])),
		MessageID: stringOf(a["messageId"]), Problem: stringOf(a["problem"]), claim: stringOf(a["claim"]),
	}
	fail := func(name string, err error) (Item, error) {
		return item, fmt.Errorf("notification %s of quote %s: %s: %w", stringOf(a["key"]), item.QuoteID, name, err)
	}
	for name, into := range map[string]*int{"revision": &item.Revision, "version": &item.Version, "since": &item.Since, "attempts": &item.Attempts} {
		n, ok := a[name].(*types.AttributeValueMemberN)
		if !ok {
			return fail(name, strconv.ErrSyntax)
		}
		var err error
		if *into, err = strconv.Atoi(n.Value); err != nil {
			return fail(name, err)
		}
	}
	for name, into := range map[string]*time.Time{"dueAt": &item.DueAt, "createdAt": &item.CreatedAt, "sentAt": &item.SentAt} {
		written := stringOf(a[name])
		if written == "" && name == "sentAt" {
			continue
		}
		var err error
		if *into, err = time.Parse(timeLayout, written); err != nil {
			return fail(name, err)
		}
	}
	switch letter := a["letter"].(type) {
	case *types.AttributeValueMemberB:
		item.sealed, item.sealedFor = letter.Value, stringOf(a["sealedFor"])
	case *types.AttributeValueMemberS:
		if err := json.Unmarshal([]byte(letter.Value), &item.Letter); err != nil {
			return fail("letter", err)
		}
	}
	return item, nil
}
