// Package postman takes notifications through the outbox: it puts in what an event gives rise to, and sends
// what is due, each once.
package postman

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/govalues/decimal"

	"milepost/domain/notification"
	"milepost/domain/quote"
	"milepost/internal/effects"
	"milepost/internal/effects/messenger"
	"milepost/internal/log/seal"
	"milepost/internal/notify/link"
	"milepost/internal/notify/outbox"
	"milepost/internal/platform"
	"milepost/internal/quotes/quotestore"
)

// Postman sends what customers and staff are to be told.
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
	// lease is how long one notification may take whoever sends it. It is longer than any function that does
	// no more than that runs.
	lease = 5 * time.Minute
	// maxAttempts is how often a notification is offered to a provider that refuses it, at growing intervals.
	maxAttempts = 5
	retryAfter  = 15 * time.Minute
	// linkLife is how long the link in a message is good.
	linkLife = 30 * 24 * time.Hour
)

// New makes a Postman. It needs the variables of quotestore.New, NOTIFICATIONS_TABLE_NAME, MAIL_FROM, ALERTS_TOPIC_ARN,
// LINK_BASE_URL, LINK_KEY, PREMIUM_ALERT_ABOVE in dollars and REFERRAL_ALERT_HOURS.
func New(env platform.Environment) (*Postman, error) {
	vars := env.Variables()
	quotes := quotestore.New(env, vars)
	p := &Postman{
		quotes: quotes, outbox: outbox.New(env, vars, quotes.Keys),
		messenger: messenger.New(env.AWS, vars.Required("MAIL_FROM"), vars.Required("ALERTS_TOPIC_ARN")),
		links:     link.Signer{Base: vars.Required("LINK_BASE_URL"), Keys: link.Keys(vars.Required("LINK_KEY"), "")},
	}
	premium, hours := vars.Required("PREMIUM_ALERT_ABOVE"), vars.Required("REFERRAL_ALERT_HOURS")
	if err := vars.Err(); err != nil {
		return nil, err
	}
	var err error
	if p.thresholds.Premium, err = decimal.Parse(premium); err != nil {
		return nil, fmt.Errorf("PREMIUM_ALERT_ABOVE is no amount: %w", err)
	}
	n, err := strconv.Atoi(hours)
	if err != nil {
		return nil, fmt.Errorf("REFERRAL_ALERT_HOURS is no number: %w", err)
	}
	p.patience = time.Duration(n) * time.Hour
	return p, nil
}

// Announce puts what the event at a version of a quote's history gives rise to into the outbox, and sends what
// of it is due.
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
	return p.send(ctx, now, all...)
}

// send puts notifications in that are due now, and delivers them.
func (p *Postman) send(ctx context.Context, now time.Time, all ...notification.Notification) error {
	if err := p.outbox.Put(ctx, now, all...); err != nil {
		return err
	}
	var errs []error
	for _, n := range all {
		errs = append(errs, p.Deliver(ctx, n.QuoteID, n.Key()))
	}
	return errors.Join(errs...)
}

// workers is how many notifications DeliverDue has under way at a time.
const workers = 8

// DeliverDue delivers everything that is due, and tells how many notifications that were. One that fails does
// not hold up the others; the next run finds it again.
func (p *Postman) DeliverDue(ctx context.Context) (int, error) {
	refs, err := p.outbox.DueBy(ctx, time.Now())
	if err != nil {
		return 0, err
	}
	return len(refs), platform.Each(refs, workers, func(r outbox.Ref) error { return p.Deliver(ctx, r.QuoteID, r.Key) })
}

// Deliver sends one notification, if it is due, still true, and nobody else is at it.
//
// The claim comes before the quote is read. So when an event has been undone, and its retraction finds that its
// notification was not claimed, the notification can no longer go out: who claims it reads the reversal.
func (p *Postman) Deliver(ctx context.Context, quoteID, key string) error {
	platform.Note(ctx, platform.Subject{QuoteID: quoteID})
	if effects.Replaying(ctx) {
		return nil
	}
	now := time.Now()
	item, mine, err := p.outbox.Claim(ctx, quoteID, key, uuid.NewString(), now, lease)
	if err != nil {
		return err
	}
	if !mine {
		return p.checkAbandoned(ctx, quoteID, key, now)
	}
	h, err := p.quotes.Load(ctx, quoteID)
	if err != nil {
		return err
	}
	q := h.Quote
	if !item.Kind.ForStaff() && (h.Erased || q.Erasure != nil) {
		return p.settleErased(ctx, item)
	}
	if !notification.Stands(q, item.Notification, q.Request.Today(now)) {
		return p.outbox.Settle(ctx, item, outbox.Obsolete, "the quote has gone on", outbox.Kept{})
	}
	events, err := h.Decoded()
	if err != nil {
		return err
	}
	if item.Kind == notification.Expiring || item.Kind == notification.Expired {
		begun, err := p.begun(ctx, events, q.Grounds.Outcome)
		if err != nil {
			return err
		}
		if !begun {
			return p.outbox.Settle(ctx, item, outbox.Obsolete, "the outcome came with an import", outbox.Kept{})
		}
	}
	legal := notification.Legal(q, item.Notification)
	if item.About != "" {
		about, ready, err := p.readyAbout(ctx, item, now)
		if err != nil || !ready {
			return err
		}
		// What was told on paper is taken back on paper, where it cannot be by e-mail.
		legal = legal || about.Status == outbox.Paper || about.Channel == notification.Paper
	}
	links, err := p.linksFor(q, now.Add(linkLife), legal)
	if err != nil {
		return err
	}
	message := notification.Compose(events, item.Notification, links)
	channel, letter := p.address(q, item.Kind, message, legal)
	switch channel {
	case notification.NoContact, notification.NoConsent, notification.Unconfirmed:
		return p.outbox.Settle(ctx, item, outbox.Status(channel), "", outbox.Kept{})
	case notification.Email, notification.Text:
		if at := notification.SendAt(now, q.Request.Zones()); at.After(now) {
			return p.outbox.Postpone(ctx, item, at, "")
		}
	}
	kept, err := p.outbox.Seal(ctx, item, q.CustomerID, letter)
	if _, erased := errors.AsType[*seal.Erased](err); erased {
		return p.settleErased(ctx, item)
	}
	if err != nil {
		return err
	}
	if channel == notification.Paper {
		return p.giveUp(ctx, item, notification.PaperNeeded, outbox.Paper, "", kept)
	}
	if mine, err := p.outbox.Begin(ctx, item, channel, kept); err != nil || !mine {
		return err
	}
	return p.hand(ctx, item, channel, letter)
}

// settleErased ends a notification to a customer who was erased: there is nobody left to tell.
func (p *Postman) settleErased(ctx context.Context, item outbox.Item) error {
	return p.outbox.Settle(ctx, item, outbox.Erased, "the customer was erased", outbox.Kept{})
}

// checkAbandoned looks at a notification that cannot be claimed, and gives it up if its sender is gone.
func (p *Postman) checkAbandoned(ctx context.Context, quoteID, key string, now time.Time) error {
	item, there, err := p.outbox.Get(ctx, quoteID, key)
	if err != nil || !there || !item.Abandoned(now) {
		return err
	}
	return p.alerting(ctx, item, notification.NotSent, func() error { return p.outbox.Abandon(ctx, item, now) })
}

// begun tells whether the outcome at a version of a quote was to be told of here. One that was imported was not, and
// nobody is told that it ends.
func (p *Postman) begun(ctx context.Context, events []quote.Event, outcome int) (bool, error) {
	for _, n := range notification.For(events, outcome) {
		if _, there, err := p.outbox.Get(ctx, n.QuoteID, n.Key()); err != nil || there {
			return there, err
		}
	}
	return false, nil
}

// readyAbout gives what a notification is about, and tells whether it can be sent. A retraction waits until it is
// known whether the other went out, and is obsolete where it did not; an alert is where the other needs no look
// any more.
func (p *Postman) readyAbout(ctx context.Context, item outbox.Item, now time.Time) (about outbox.Item, ready bool, err error) {
	about, there, err := p.outbox.Get(ctx, item.QuoteID, item.About)
	switch {
	case err != nil:
	case item.Kind != notification.Retracted && about.Status.Settled():
		err = p.outbox.Settle(ctx, item, outbox.Obsolete, "it needs no look any more", outbox.Kept{})
	case item.Kind != notification.Retracted || there && about.Told():
		ready = true
	case there && (about.Status == outbox.Claimed || about.Status == outbox.Sending):
		err = p.outbox.Postpone(ctx, item, now.Add(lease), "")
	default:
		err = p.outbox.Settle(ctx, item, outbox.Obsolete, "what it takes back was never sent", outbox.Kept{})
	}
	return about, ready, err
}

// linksFor makes the links of a message. That by which a phone is confirmed goes by e-mail only.
func (p *Postman) linksFor(q quote.Quote, until time.Time, legal bool) (links notification.Links, err error) {
	if links.Quote, err = p.links.Link(q.ID, until); err != nil {
		return links, err
	}
	if q.Texting() == quote.TextsUnconfirmed && notification.Via(q, legal) == notification.Email {
		links.Confirmation, err = p.links.Confirmation(q.ID, q.Request.Contact.Phone, until)
	}
	return links, err
}

// address chooses the channel and writes the letter for it.
func (p *Postman) address(q quote.Quote, kind notification.Kind, m notification.Message, legal bool) (notification.Channel, outbox.Letter) {
	letter := outbox.Letter{Subject: m.Subject, Body: m.Body}
	if kind.ForStaff() {
		return notification.Staff, letter
	}
	channel := notification.Via(q, legal)
	switch channel {
	case notification.Email:
		letter.To = q.Request.Contact.Email
	case notification.Text:
		letter = outbox.Letter{To: q.Request.Contact.Phone, Body: m.Text}
	}
	return channel, letter
}

// hand gives a letter to the provider and notes what came of it.
func (p *Postman) hand(ctx context.Context, item outbox.Item, channel notification.Channel, letter outbox.Letter) error {
	var id string
	var err error
	switch channel {
	case notification.Email:
		id, err = p.messenger.Email(ctx, letter.To, letter.Subject, letter.Body)
	case notification.Text:
		id, err = p.messenger.Text(ctx, letter.To, letter.Body)
	case notification.Staff:
		id, err = p.messenger.Alert(ctx, letter.Subject, letter.Body)
	}
	now := time.Now()
	if err == nil {
		return p.outbox.SentAs(ctx, item, id, now)
	}
	if refused, ok := errors.AsType[*messenger.Refused](err); ok {
		if item.Attempts+1 < maxAttempts {
			return p.outbox.Postpone(ctx, item, now.Add(retryAfter<<item.Attempts), refused.Error())
		}
		return p.giveUp(ctx, item, notification.NotSent, outbox.Failed, refused.Error(), outbox.Kept{})
	}
	if unclear, ok := errors.AsType[*messenger.Unclear](err); ok {
		return p.giveUp(ctx, item, notification.NotSent, outbox.Unknown, unclear.Error(), outbox.Kept{})
	}
	return err
}

// giveUp settles a notification that a person has to see to, and alerts staff.
func (p *Postman) giveUp(ctx context.Context, item outbox.Item, alert notification.Kind, status outbox.Status, problem string, letter outbox.Kept) error {
	return p.alerting(ctx, item, alert, func() error { return p.outbox.Settle(ctx, item, status, problem, letter) })
}

// alerting does what leaves a notification to a person, and alerts staff to it. The alert is put in first, so that no
// crash can swallow it. An alert that fails itself alerts nobody.
func (p *Postman) alerting(ctx context.Context, item outbox.Item, kind notification.Kind, do func() error) error {
	if item.Kind.ForStaff() {
		return do()
	}
	alert := item.Alert(kind)
	if err := p.outbox.Put(ctx, time.Now(), alert); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	return p.Deliver(ctx, alert.QuoteID, alert.Key())
}
