package outbox

import (
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

// decode reads an item.
func decode(a attributes) (Item, error) {
	item := Item{
		Notification: notification.Notification{
			QuoteID: stringOf(a["quoteId"]), Kind: notification.Kind(stringOf(a["kind"])),
			About: stringOf(a["about"]), OfKind: notification.Kind(stringOf(a["ofKind"])),
		},
		Status: Status(stringOf(a["status"])), Channel: notification.Channel(stringOf(a["channel"])),
		MessageID: stringOf(a["messageId"]), Problem: stringOf(a["problem"]), claim: stringOf(a["claim"]),
		kept: kept(a),
	}
	fail := func(name string, err error) (Item, error) {
		return item, fmt.Errorf("notification %s of quote %s: %s: %w", stringOf(a["key"]), item.QuoteID, name, err)
	}
	for name, into := range map[string]*int{"revision": &item.Revision, "version": &item.Version, "reversal": &item.Since, "round": &item.Round, "attempts": &item.Attempts} {
		n, ok := a[name].(*types.AttributeValueMemberN)
		if !ok && name == "round" { // an item from before anything could be sent again
			continue
		}
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
	var err error
	if item.Decisions, err = decisionsOf(a); err != nil {
		return fail("decisions", err)
	}
	return item, nil
}
