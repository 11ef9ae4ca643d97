package outbox

import (
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/domain/notification"
	"milepost/internal/platform/stored"
)

func keyOf(quoteID, key string) stored.Item {
	return stored.Item{"quoteId": stored.Text(quoteID), "key": stored.Text(key)}
}

// timeLayout writes instants so that their texts sort as the instants do.
const timeLayout = "2006-01-02T15:04:05.000000000Z"

func moment(t time.Time) types.AttributeValue { return stored.Text(t.UTC().Format(timeLayout)) }

// Damaged is the error of a notification that cannot be read.
type Damaged struct {
	QuoteID, Key string
	Err          error
}

func (e *Damaged) Error() string {
	return fmt.Sprintf("notification %s of quote %s cannot be read: %v", e.Key, e.QuoteID, e.Err)
}

func (e *Damaged) Unwrap() error { return e.Err }

// decode reads an item. The error is *Damaged.
func decode(a stored.Item) (Item, error) {
	r := stored.Read(a)
	item := Item{
		Notification: notification.Notification{
			QuoteID: r.Text("quoteId"), Kind: notification.Kind(r.Text("kind")), Revision: r.Number("revision"), Version: r.Number("version"),
			Since: r.Number("reversal"), About: r.Text("about"), OfKind: notification.Kind(r.Text("ofKind")),
			Round: r.OptionalNumber("round"), // an item may be from before anything could be sent again
		},
		Status: Status(r.Text("status")), DueAt: r.Time("dueAt", timeLayout), CreatedAt: r.Time("createdAt", timeLayout),
		Attempts: r.Number("attempts"), Channel: notification.Channel(r.OptionalText("channel")),
		MessageID: r.OptionalText("messageId"), Problem: r.OptionalText("problem"), Decisions: decisionsOf(r),
		claim: r.OptionalText("claim"), kept: kept(r),
	}
	if r.Has("sentAt") {
		item.SentAt = r.Time("sentAt", timeLayout)
	}
	if !slices.Contains(statuses, item.Status) {
		r.Fail("status", "a status of this program")
	}
	if !item.Kind.Known() || item.Key() != r.Text("key") {
		r.Fail("kind", "that of the key, in this program")
	}
	if r.Err() != nil {
		return Item{}, &Damaged{r.Text("quoteId"), r.Text("key"), r.Err()} // which are the table's keys
	}
	return item, nil
}
