package outbox

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/domain/notification"
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

// attribute is the letter as it is kept. All that is personal in an item is in this one attribute.
func (l Letter) attribute() (types.AttributeValue, error) {
	blob, err := json.Marshal(l)
	return text(string(blob)), err
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
	if letter := stringOf(a["letter"]); letter != "" {
		if err := json.Unmarshal([]byte(letter), &item.Letter); err != nil {
			return fail("letter", err)
		}
	}
	return item, nil
}
