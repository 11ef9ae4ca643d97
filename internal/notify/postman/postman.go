// Package postman moves notifications through the outbox: it adds those that an event causes, and sends what is due,
// each once.
package postman

import (
	"context"
	"errors"
	"time"

	"milepost/domain/notification"
	"milepost/internal/effects"
	"milepost/internal/effects/messenger"
	"milepost/internal/notify/link"
	"milepost/internal/notify/outbox"
	"milepost/internal/platform"
	"milepost/internal/quotes/quotestore"
)

// Postman sends notifications to customers and staff.
type Postman struct {
	quotes     *quotestore.Store
	outbox     *outbox.Store
	messenger  *messenger.Messenger
	links      link.Signer
	thresholds notification.Thresholds
	// patience is how long a referral may wait before staff are alerted.
	patience time.Duration
}

const (
	// lease is how long a sender may take for one notification. It is longer than the timeout of any function that only
	// sends.
	lease = 5 * time.Minute
	// maxAttempts is how often a notification is offered to a provider that refuses it, at growing intervals.
	maxAttempts = 5
	retryAfter  = 15 * time.Minute
	// linkLife is how long the link in a message is good.
	linkLife = 30 * 24 * time.Hour
)

// New returns a Postman that reads quotes, keeps notifications in box, and links to offers. Offers above the thresholds
// are alerts to staff, and so are referrals that have waited for as long as patience.
func New(
	quotes *quotestore.Store, box *outbox.Store, m *messenger.Messenger, links link.Signer,
	thresholds notification.Thresholds, patience time.Duration,
) *Postman {
	return &Postman{quotes: quotes, outbox: box, messenger: m, links: links, thresholds: thresholds, patience: patience}
}

// Announce adds the notifications of the event at a version of a quote's history to the outbox, and sends those that
// are due.
func (p *Postman) Announce(ctx context.Context, h quotestore.History, version int) error {
	if effects.Replaying(ctx) {
		return nil
	}
	events, err := h.Decoded()
	if err != nil {
		return err
	}
	all := notification.For(events, version)
	now := time.Now()
	for _, n := range notification.Alerts(events, version, p.thresholds) {
		if n.Kind != notification.ReferralWaiting {
			all = append(all, n)
		} else if err := p.outbox.Put(ctx, h.Events[version-1].OccurredAt.Add(p.patience), n); err != nil {
			return err
		}
	}
	return p.deliverNow(ctx, now, all...)
}

// deliverNow puts notifications in that are due now, and delivers them.
func (p *Postman) deliverNow(ctx context.Context, now time.Time, all ...notification.Notification) error {
	if err := p.outbox.Put(ctx, now, all...); err != nil {
		return err
	}
	var errs []error
	for _, n := range all {
		errs = append(errs, p.deliver(ctx, n.QuoteID, n.Key()))
	}
	return errors.Join(errs...)
}

// workers is how many notifications DeliverDue has under way at a time.
const workers = 8

// DeliverDue delivers everything that is due, and returns how many notifications that were. One that fails does not
// delay the others; the next run finds it again.
func (p *Postman) DeliverDue(ctx context.Context) (int, error) {
	refs, err := p.outbox.DueBy(ctx, time.Now())
	if err != nil {
		return 0, err
	}
	return len(refs), platform.Each(refs, workers, func(r outbox.Ref) error { return p.deliver(ctx, r.QuoteID, r.Key) })
}
