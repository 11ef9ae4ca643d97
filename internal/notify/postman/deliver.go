package postman

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"milepost/domain/notification"
	"milepost/domain/quote"
	"milepost/internal/effects"
	"milepost/internal/effects/messenger"
	"milepost/internal/log/seal"
	"milepost/internal/notify/outbox"
	"milepost/internal/platform"
	"milepost/internal/quotes/quotestore"
)

// deliver sends one notification, if it is due, still true, and no other process has it.
//
// The claim comes before the quote is read. So when an event has been undone, and its retraction finds that its
// notification was not claimed, the notification can no longer go out: a later claim reads the reversal.
func (p *Postman) deliver(ctx context.Context, quoteID, key string) error {
	platform.Note(ctx, platform.Subject{QuoteID: quoteID})
	if effects.Replaying(ctx) {
		return nil
	}
	d := delivery{now: time.Now()}
	var mine bool
	var err error
	if d.item, mine, err = p.outbox.Claim(ctx, quoteID, key, uuid.NewString(), d.now, lease); err != nil {
		return err
	}
	if !mine {
		return p.checkAbandoned(ctx, quoteID, key, d.now)
	}
	next, err := p.prepare(ctx, &d)
	switch {
	case err != nil:
		return err
	case next.What == outbox.Begin:
		return p.send(ctx, d, next)
	case next.To == outbox.Paper:
		return p.leave(ctx, d.item, notification.PaperNeeded, next)
	}
	return p.move(ctx, d.item, next)
}

// move makes a step of an item, if it has not moved on since.
func (p *Postman) move(ctx context.Context, item outbox.Item, step outbox.Step) error {
	_, err := p.outbox.Move(ctx, item, step)
	return err
}

// checkAbandoned looks at a notification that cannot be claimed, and gives it up if its sender is gone.
func (p *Postman) checkAbandoned(ctx context.Context, quoteID, key string, now time.Time) error {
	item, there, err := p.outbox.Get(ctx, quoteID, key)
	if err != nil || !there || !item.Abandoned(now) {
		return err
	}
	step := outbox.Step{What: outbox.Abandon, At: now, Problem: "the process that sent it was cut off"}
	return p.leave(ctx, item, notification.NotSent, step)
}

// delivery is the path of one notification from its claim to the provider.
type delivery struct {
	item    outbox.Item
	now     time.Time
	history quotestore.History
	events  []quote.Event
	// legal: the law wants it sent.
	legal   bool
	channel notification.Channel
	letter  outbox.Letter
	kept    outbox.Kept
}

// prepare decides whether to send a notification, and writes its letter. It returns the next step: Begin if it shall be
// sent now, otherwise the first one that applies.
func (p *Postman) prepare(ctx context.Context, d *delivery) (outbox.Step, error) {
	for _, look := range []func(context.Context, *delivery) (outbox.Step, error){
		p.read, p.checkImported, p.checkAbout, p.write, p.seal,
	} {
		if step, err := look(ctx, d); step.What != "" || err != nil {
			return step, err
		}
	}
	return outbox.Step{What: outbox.Begin, Channel: d.channel, Letter: d.kept}, nil
}

func end(status outbox.Status, why string) outbox.Step {
	return outbox.Step{What: outbox.End, To: status, Problem: why}
}

// erased ends a notification to a customer who was erased: there is nobody left to tell.
func erased() outbox.Step { return end(outbox.Erased, "the customer was erased") }

// read reads the quote as it is now.
func (p *Postman) read(ctx context.Context, d *delivery) (none outbox.Step, err error) {
	if d.history, err = p.quotes.Load(ctx, d.item.QuoteID); err != nil {
		return none, err
	}
	q := d.history.Quote
	if !d.item.Kind.ForStaff() && (d.history.Erased || q.Erasure != nil) {
		return erased(), nil
	}
	if !notification.Stands(q, d.item.Notification, q.Request.Today(d.now)) {
		return end(outbox.Obsolete, "the quote has gone on"), nil
	}
	d.legal = notification.Legal(q, d.item.Notification)
	d.events, err = d.history.Decoded()
	return none, err
}

// checkImported ends notifications about the end of an imported outcome: this system has not announced it.
func (p *Postman) checkImported(ctx context.Context, d *delivery) (none outbox.Step, err error) {
	if d.item.Kind != notification.Expiring && d.item.Kind != notification.Expired {
		return none, nil
	}
	begun, err := p.begun(ctx, d.events, d.history.Quote.Grounds.Outcome)
	if err != nil || begun {
		return none, err
	}
	return end(outbox.Obsolete, "the outcome came with an import"), nil
}

// begun reports whether the outcome at a version of a quote was announced here. An imported one was not.
func (p *Postman) begun(ctx context.Context, events []quote.Event, outcome int) (bool, error) {
	for _, n := range notification.For(events, outcome) {
		if _, there, err := p.outbox.Get(ctx, n.QuoteID, n.Key()); err != nil || there {
			return there, err
		}
	}
	return false, nil
}

// checkAbout looks at what a notification is about. A retraction waits until it is known whether the other went out,
// and is obsolete if it did not; an alert is if the other needs no look any more.
func (p *Postman) checkAbout(ctx context.Context, d *delivery) (none outbox.Step, err error) {
	if d.item.About == "" {
		return none, nil
	}
	about, there, err := p.outbox.Get(ctx, d.item.QuoteID, d.item.About)
	if err != nil {
		return none, err
	}
	// What was sent on paper is retracted on paper, if it cannot be by e-mail.
	d.legal = d.legal || about.Status == outbox.Paper || about.Channel == notification.Paper
	if d.item.Kind != notification.Retracted {
		if about.Status.Settled() {
			return end(outbox.Obsolete, "it needs no look any more"), nil
		}
		return none, nil
	}
	switch {
	case there && about.Told():
		return none, nil
	case about.Status == outbox.Claimed || about.Status == outbox.Sending:
		return outbox.Step{What: outbox.Postpone, DueAt: d.now.Add(lease)}, nil
	}
	return end(outbox.Obsolete, "what it takes back was never sent"), nil
}

// write chooses the channel and writes the letter for it, unless there is no permitted channel, or not at this hour.
func (p *Postman) write(_ context.Context, d *delivery) (none outbox.Step, err error) {
	q := d.history.Quote
	links, err := p.linksFor(q, d.now.Add(linkLife), d.legal)
	if err != nil {
		return none, err
	}
	m := notification.Compose(d.events, d.item.Notification, links)
	d.letter = outbox.Letter{Subject: m.Subject, Body: m.Body}
	if d.item.Kind.ForStaff() {
		d.channel = notification.Staff
		return none, nil
	}
	d.channel = notification.Via(q, d.legal)
	switch d.channel {
	case notification.NoContact, notification.NoConsent, notification.Unconfirmed:
		return end(outbox.Status(d.channel), ""), nil
	case notification.Email:
		d.letter.To = q.Request.Contact.Email
	case notification.Text:
		d.letter = outbox.Letter{To: q.Request.Contact.Phone, Body: m.Text}
	case notification.Paper:
		return none, nil // at any hour
	}
	if at := notification.SendAt(d.now, q.Request.Zones()); at.After(d.now) {
		return outbox.Step{What: outbox.Postpone, DueAt: at}, nil
	}
	return none, nil
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

// seal makes the letter ready to be stored, which is all there is to do for one on paper.
func (p *Postman) seal(ctx context.Context, d *delivery) (none outbox.Step, err error) {
	d.kept, err = p.outbox.Seal(ctx, d.item, d.history.Quote.CustomerID, d.letter)
	if _, gone := errors.AsType[*seal.Erased](err); gone {
		return erased(), nil
	}
	if err != nil || d.channel != notification.Paper {
		return none, err
	}
	paper := end(outbox.Paper, "")
	paper.Letter = d.kept
	return paper, nil
}

// send passes a letter to the provider, if this process is the one that may, and notes what came of it.
func (p *Postman) send(ctx context.Context, d delivery, begin outbox.Step) error {
	if begun, err := p.outbox.Move(ctx, d.item, begin); err != nil || !begun {
		return err
	}
	id, err := p.hand(ctx, d)
	refused, wasRefused := errors.AsType[*messenger.Refused](err)
	unclear, isUnclear := errors.AsType[*messenger.Unclear](err)
	now := time.Now()
	switch {
	case err == nil:
		return p.move(ctx, d.item, outbox.Step{What: outbox.Confirm, At: now, MessageID: id})
	case wasRefused && d.item.Attempts+1 < maxAttempts:
		again := now.Add(retryAfter << d.item.Attempts)
		return p.move(ctx, d.item, outbox.Step{What: outbox.Refuse, DueAt: again, Problem: refused.Error()})
	case wasRefused:
		return p.leave(ctx, d.item, notification.NotSent, outbox.Step{What: outbox.Fail, Problem: refused.Error()})
	case isUnclear:
		return p.leave(ctx, d.item, notification.NotSent, outbox.Step{What: outbox.Doubt, Problem: unclear.Error()})
	}
	return err
}

// hand passes a letter to the provider, and returns its id there.
func (p *Postman) hand(ctx context.Context, d delivery) (id string, err error) {
	switch d.channel {
	case notification.Email:
		return p.messenger.Email(ctx, d.letter.To, d.letter.Subject, d.letter.Body)
	case notification.Text:
		return p.messenger.Text(ctx, d.letter.To, d.letter.Body)
	case notification.Staff:
		return p.messenger.Alert(ctx, d.letter.Subject, d.letter.Body)
	}
	return "", fmt.Errorf("nothing is sent by %s", d.channel)
}

// leave leaves a notification to a person by a step, and alerts staff to it. The alert is added first, so that no crash
// can lose it. An alert that itself fails causes no other alert.
func (p *Postman) leave(ctx context.Context, item outbox.Item, kind notification.Kind, step outbox.Step) error {
	if item.Kind.ForStaff() {
		return p.move(ctx, item, step)
	}
	alert := item.Alert(kind)
	if err := p.outbox.Put(ctx, time.Now(), alert); err != nil {
		return err
	}
	if err := p.move(ctx, item, step); err != nil {
		return err
	}
	return p.deliver(ctx, alert.QuoteID, alert.Key())
}
