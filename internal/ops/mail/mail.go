// Package mail reads the notifications to customers and staff, and carries out people's decisions about them.
package mail

import (
	"cmp"
	"context"
	"slices"
	"time"

	"milepost/internal/notify/outbox"
	"milepost/internal/platform/stored"
)

// List reads the notifications of a quote, or all, the oldest first, and names those that cannot be read.
func List(ctx context.Context, store *outbox.Store, quoteID string) (items []outbox.Item, faults stored.Faults, err error) {
	take := func(i outbox.Item, err error) {
		if err != nil {
			faults.Add(err)
		} else {
			items = append(items, i)
		}
	}
	if quoteID != "" {
		var bad []error
		items, bad, err = store.OfQuote(ctx, quoteID)
		for _, fault := range bad {
			faults.Add(fault)
		}
	} else {
		err = store.All(ctx, take)
	}
	slices.SortFunc(items, func(a, b outbox.Item) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.QuoteID, b.QuoteID), cmp.Compare(a.Key(), b.Key()))
	})
	return items, faults, err
}

// NotFound is the error of a notification that a quote does not have.
type NotFound struct{ QuoteID, Key string }

func (e *NotFound) Error() string { return "quote " + e.QuoteID + " has no notification " + e.Key }

// Decide carries out a decision about a notification now, and returns the notification.
func Decide(ctx context.Context, store *outbox.Store, quoteID, key string, d outbox.Decision) (outbox.Item, error) {
	item, there, err := store.Get(ctx, quoteID, key)
	if err != nil {
		return item, err
	}
	if !there {
		return item, &NotFound{quoteID, key}
	}
	d.At = time.Now().UTC()
	return store.Decide(ctx, item, d)
}
