// Package outbox keeps in DynamoDB the notifications to customers and staff that are due, being sent and sent. It is
// the proof of what was sent: the exact text, to whom, how and when.
//
// An item is one notification, under the quote and the notification's key. Its status only moves along the
// transitions, each a conditional write. In short:
//
//	DUE ──claim──► CLAIMED ──begin──► SENDING ──confirm──► SENT
//	 ▲                │ lease over        │ refused: surely not sent
//	 └────────────────┴───────────────────┘
//
// One process sends, the one that came from CLAIMED to SENDING. An item that stays in SENDING longer than any process
// works on it was left by a crash: it is uncertain whether it was sent. It becomes UNKNOWN, for a person to look at,
// and is not sent again unless that person says so.
//
// The letter is sealed under the customer's key, so that erasing the key leaves the proof that something was sent,
// and not what.
package outbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/domain/notification"
	"milepost/internal/log/seal"
	"milepost/internal/platform/stored"
)

// Status is how far a notification is.
type Status string

// The statuses. Due, Claimed and Sending are on their way; the others are final, except for what Put and Decide say.
const (
	Due     Status = "DUE"
	Claimed Status = "CLAIMED"
	Sending Status = "SENDING"
	Sent    Status = "SENT"
	// Unknown: the process that sent it was cut off; it may or may not have been sent.
	Unknown Status = "UNKNOWN"
	// Failed: the provider refused it, or refused it too often. It was not sent.
	Failed Status = "FAILED"
	// Obsolete: it was no longer true when it was to be sent.
	Obsolete Status = "OBSOLETE"
	// Paper: the law requires it, and the customer did not agree to e-mail. A person has to print it.
	Paper Status = "PAPER"
	// NoContact and NoConsent: there was nobody to send it to.
	NoContact Status = "NO_CONTACT"
	NoConsent Status = "NO_CONSENT"
	// Unconfirmed: the customer wants texts to a phone that is not confirmed.
	Unconfirmed Status = "UNCONFIRMED"
	// Erased: the customer was erased before it was sent.
	Erased Status = "ERASED"
	// NotSent: a person found that it was not sent, and it will not be.
	NotSent Status = "NOT_SENT"
)

var statuses = []Status{Due, Claimed, Sending, Sent, Unknown, Failed, Obsolete, Paper, NoContact, NoConsent, Unconfirmed, Erased, NotSent}

// Settled reports whether a notification is final and needs no attention.
func (s Status) Settled() bool {
	return slices.Contains([]Status{Sent, Obsolete, NoContact, NoConsent, Unconfirmed, Erased, NotSent}, s)
}

// Item is a notification and its state.
type Item struct {
	notification.Notification
	Status Status
	// DueAt is when to send it; while a process works on it, when its lease ends.
	DueAt     time.Time
	CreatedAt time.Time
	// Attempts counts how often a process began to send it.
	Attempts int
	Channel  notification.Channel
	// SentAt and MessageID are when the provider took it, and its id there.
	SentAt    time.Time
	MessageID string
	// Problem says why it was not sent. It names no person.
	Problem string
	// Decisions are those of people about it, the oldest first.
	Decisions []Decision

	// claim is the claim under which the item was read.
	claim string
	// kept is what was sent, or was about to be.
	kept Kept
}

// Alert tells staff what happened to an item, once for each time that it was given up.
func (i Item) Alert(kind notification.Kind) notification.Notification {
	return i.Notification.Alert(kind, i.resent())
}

// Store is the table.
type Store struct {
	DB    *dynamodb.Client
	Table string
	// Keys are those of the customers. Who neither writes nor reads letters needs none.
	Keys *seal.Keys
}

// onTheWay is the value of the attribute pending, the key of the index by-due, of all that is on its way. What
// is settled has no such attribute.
const onTheWay = "1"

// Put adds notifications that are due from a moment on. Existing ones stay as they are, with two exceptions, which
// become due again: what was obsolete, because it may be true again, and what could not be sent to a customer who has
// amended the request since, perhaps in the contact.
func (s *Store) Put(ctx context.Context, dueAt time.Time, all ...notification.Notification) error {
	for _, n := range all {
		values := stored.Item{
			":kind": stored.Text(string(n.Kind)), ":revision": stored.Number(n.Revision), ":version": stored.Number(n.Version), ":reversal": stored.Number(n.Since),
			":about": stored.Text(n.About), ":ofKind": stored.Text(string(n.OfKind)), ":round": stored.Number(n.Round), ":due": stored.Text(string(Due)), ":dueAt": moment(dueAt),
			":pending": stored.Text(onTheWay), ":now": moment(time.Now()), ":zero": stored.Number(0),
		}
		condition := among(transitions[Hear].from, values) + " OR " + among(transitions[Amend].from, values) + " AND revision < :revision"
		_, err := s.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
			TableName: &s.Table, Key: keyOf(n.QuoteID, n.Key()),
			UpdateExpression: aws.String("SET kind = :kind, revision = :revision, version = :version, reversal = :reversal, about = :about, ofKind = :ofKind, " +
				"round = :round, #status = :due, dueAt = :dueAt, pending = :pending, " +
				"createdAt = if_not_exists(createdAt, :now), attempts = if_not_exists(attempts, :zero)"),
			ConditionExpression: &condition, ExpressionAttributeNames: map[string]string{"#status": "status"}, ExpressionAttributeValues: values,
		})
		if _, there := errors.AsType[*types.ConditionalCheckFailedException](err); err != nil && !there {
			return fmt.Errorf("put notification %s of quote %s: %w", n.Key(), n.QuoteID, err)
		}
	}
	return nil
}

// Claim takes an item that is due for as long as the lease; ok is false if there is nothing to do: it is not due yet,
// another process has it, or it is settled.
func (s *Store) Claim(ctx context.Context, quoteID, key, claim string, now time.Time, lease time.Duration) (item Item, ok bool, err error) {
	step := Step{What: Claim, At: now, DueAt: now.Add(lease), claim: claim}
	return s.move(ctx, Ref{quoteID, key}, step, transitions[Claim].from)
}

// Abandoned reports whether the process that was sending an item has been gone for longer than its lease.
func (i Item) Abandoned(now time.Time) bool { return i.Status == Sending && !i.DueAt.After(now) }

// Ref names an item.
type Ref struct{ QuoteID, Key string }

// DueBy returns the items that are due by a moment, and those whose lease has ended by then, the oldest first. What was
// put a moment ago may be missing.
func (s *Store) DueBy(ctx context.Context, now time.Time) ([]Ref, error) {
	var refs []Ref
	err := s.each(ctx, &dynamodb.QueryInput{
		TableName: &s.Table, IndexName: aws.String("by-due"),
		KeyConditionExpression:    aws.String("pending = :pending AND dueAt <= :now"),
		ExpressionAttributeValues: stored.Item{":pending": stored.Text(onTheWay), ":now": moment(now)},
	}, func(item stored.Item) {
		r := stored.Read(item)
		refs = append(refs, Ref{r.Text("quoteId"), r.Text("key")})
	})
	return refs, err
}

// OfQuote returns all items of a quote, in the order of their keys, but those that cannot be read: these are *Damaged,
// among the faults.
func (s *Store) OfQuote(ctx context.Context, quoteID string) (items []Item, faults []error, err error) {
	err = s.each(ctx, &dynamodb.QueryInput{
		TableName: &s.Table, ConsistentRead: aws.Bool(true), KeyConditionExpression: aws.String("quoteId = :quote"),
		ExpressionAttributeValues: stored.Item{":quote": stored.Text(quoteID)},
	}, func(a stored.Item) {
		if item, err := decode(a); err != nil {
			faults = append(faults, err)
		} else {
			items = append(items, item)
		}
	})
	return items, faults, err
}

// All calls fn with every item, or with the *Damaged of one that cannot be read. It reads the whole table, so it is for
// people and not for functions.
func (s *Store) All(ctx context.Context, fn func(Item, error)) error {
	pages := dynamodb.NewScanPaginator(s.DB, &dynamodb.ScanInput{TableName: &s.Table})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("read the notifications: %w", err)
		}
		for _, a := range page.Items {
			fn(decode(a))
		}
	}
	return nil
}

// Get returns one item; ok is false when there is none.
func (s *Store) Get(ctx context.Context, quoteID, key string) (item Item, ok bool, err error) {
	out, err := s.DB.GetItem(ctx, &dynamodb.GetItemInput{TableName: &s.Table, Key: keyOf(quoteID, key), ConsistentRead: aws.Bool(true)})
	if err != nil {
		return item, false, fmt.Errorf("read notification %s of quote %s: %w", key, quoteID, err)
	}
	if out.Item == nil {
		return item, false, nil
	}
	item, err = decode(out.Item)
	return item, true, err
}

func (s *Store) each(ctx context.Context, in *dynamodb.QueryInput, fn func(stored.Item)) error {
	pages := dynamodb.NewQueryPaginator(s.DB, in)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("read the notifications: %w", err)
		}
		for _, item := range page.Items {
			fn(item)
		}
	}
	return nil
}
