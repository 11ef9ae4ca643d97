package mail_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"milepost/domain/notification"
	"milepost/internal/notify/outbox"
	"milepost/internal/ops/mail"
	"milepost/internal/platform/stored"
	"milepost/internal/stacktest"
)

// onOutbox runs a test with an outbox in which two quotes have three notifications.
func onOutbox(t *testing.T, test func(t *testing.T, store *outbox.Store)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { test(t, open(t)) })
}

func open(t *testing.T) *outbox.Store {
	t.Helper()
	store := stacktest.Open(t, nil).Parts().Outbox()
	for _, n := range []notification.Notification{
		{QuoteID: "b", Kind: notification.QuoteReady, Revision: 1, Version: 4}, {QuoteID: "a", Kind: notification.QuoteReady, Revision: 1, Version: 4},
		{QuoteID: "a", Kind: notification.Expiring, Revision: 1, Version: 4},
	} {
		if err := store.Put(t.Context(), time.Now(), n); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second) // so that one is older than the other
	}
	return store
}

// set changes the status of a claimed notification.
func set(ctx context.Context, store *outbox.Store, i outbox.Item, status string) error {
	_, err := store.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &store.Table, UpdateExpression: aws.String("SET #s = :s, claim = :s REMOVE pending"), ExpressionAttributeNames: map[string]string{"#s": "status"},
		Key: stored.Item{
			"quoteId": stored.Text(i.QuoteID), "key": stored.Text(i.Key()),
		},
		ExpressionAttributeValues: stored.Item{":s": stored.Text(status)},
	})
	return err
}

func TestNotificationsAreListedOldestFirst(t *testing.T) {
	onOutbox(t, func(t *testing.T, store *outbox.Store) {
		list := func(quoteID string) (quotes []string, first outbox.Item, faults int) {
			t.Helper()
			items, bad, err := mail.List(t.Context(), store, quoteID)
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range items {
				quotes = append(quotes, i.QuoteID)
			}
			return quotes, items[0], bad.Count()
		}
		quotes, first, faults := list("")
		if !slices.Equal(quotes, []string{"b", "a", "a"}) || faults > 0 {
			t.Errorf("%v with %d faults", quotes, faults)
		}
		if quotes, _, faults := list("a"); !slices.Equal(quotes, []string{"a", "a"}) || faults > 0 {
			t.Errorf("of a quote: %v with %d faults", quotes, faults)
		}
		if err := set(t.Context(), store, first, "NO STATUS"); err != nil {
			t.Fatal(err)
		}
		if quotes, _, faults := list(""); !slices.Equal(quotes, []string{"a", "a"}) || faults != 1 {
			t.Errorf("with a damaged one: %v with %d faults, want it named", quotes, faults)
		}
	})
}

func TestADecisionIsCarriedOutOnce(t *testing.T) {
	onOutbox(t, func(t *testing.T, store *outbox.Store) {
		items, _, err := mail.List(t.Context(), store, "b")
		if err != nil {
			t.Fatal(err)
		}
		key := items[0].Key()
		if err := set(t.Context(), store, items[0], string(outbox.Failed)); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		item, err := mail.Decide(t.Context(), store, "b", key, outbox.Decision{Verdict: outbox.AsPaperSent, By: "eve", Note: "First class"})
		if err != nil || item.Status != outbox.Sent || len(item.Decisions) != 1 || item.Decisions[0].By != "eve" || item.Decisions[0].At.Before(began) {
			t.Errorf("%+v, %v", item, err)
		}
		_, err = mail.Decide(t.Context(), store, "b", key, outbox.Decision{Verdict: outbox.Resend, By: "eve"})
		if _, ok := errors.AsType[*outbox.NotToDecide](err); !ok {
			t.Errorf("of one that is settled: %v", err)
		}
		_, err = mail.Decide(t.Context(), store, "a", "nothing", outbox.Decision{Verdict: outbox.Resend, By: "eve"})
		if none, ok := errors.AsType[*mail.NotFound](err); !ok || *none != (mail.NotFound{QuoteID: "a", Key: "nothing"}) {
			t.Errorf("of one that is not there: %v", err)
		}
	})
}
