// Package quotestore loads quotes from the log and carries out commands on them: it is where the
// pure aggregate of domain/quote meets internal/log/eventstore.
package quotestore

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"milepost/domain/quote"
	"milepost/internal/log/eventstore"
	"milepost/internal/log/seal"
	"milepost/internal/platform"
)

// streamPrefix begins the stream id of every quote.
const streamPrefix = "quote-"

// StreamID is the stream that holds a quote's events.
func StreamID(quoteID string) string { return streamPrefix + quoteID }

// QuoteID is the quote whose events a stream has; ok is false for any other stream.
func QuoteID(streamID string) (id string, ok bool) { return strings.CutPrefix(streamID, streamPrefix) }

// OfExecution is the quote that an execution works on; ok is false for one that works on none. The name of an execution
// begins with the quote's id.
func OfExecution(name string) (id string, ok bool) {
	if len(name) < ulid.EncodedSize {
		return "", false
	}
	id = name[:ulid.EncodedSize]
	_, err := ulid.ParseStrict(id)
	return id, err == nil
}

// Store loads quotes and executes commands on them. It seals the personal data in the events of a quote under the
// customer's key, from the first event on; a quote whose first event has nothing sealed stays as it is.
type Store struct {
	Log *eventstore.Store
	// Keys are those of the customers. A Store without them cannot create quotes, nor load those that have
	// something sealed.
	Keys *seal.Keys
	// Snapshots shorten the way to a quote as it is now. Nil means none.
	Snapshots *Snapshots
	// OfCustomer lists the newest quotes of a customer, at most 100. A Store that creates quotes asks it before it
	// makes a customer's first key: a customer whose quotes are sealed under a key that is not here gets no other key.
	// Nil means that no customer has quotes.
	OfCustomer func(ctx context.Context, customerID string) (quoteIDs []string, err error)
}

// Order is a command with its context.
type Order struct {
	// ID identifies the command; a repeated command has the same one and changes nothing. KeyedID makes those of
	// commands that are given under an idempotency key.
	ID string
	// Actor, CorrelationID and CausationID go into the metadata of the events.
	Actor, CorrelationID, CausationID string
	// At is when the command was given.
	At      time.Time
	Command quote.Command
	// IfVersion is the version that the quote must have, 0 for any.
	IfVersion int
	// Permit has the last word on the command's events, before they are appended; its error refuses the command. It is
	// not called for a command that changes nothing or was carried out before, and may be called again if others wrote
	// meanwhile. Nil permits everything.
	Permit func(ctx context.Context, q quote.Quote, decided []quote.Event) error
}

// VersionMismatch refuses an order whose IfVersion the quote does not have.
type VersionMismatch struct{ Want, Have int }

func (e *VersionMismatch) Error() string {
	return fmt.Sprintf("the quote is at version %d, not %d", e.Have, e.Want)
}

// NotFound refuses an order about a quote that has no events.
type NotFound struct{ QuoteID string }

func (e *NotFound) Error() string { return "there is no quote " + e.QuoteID }

// History is a quote with its log.
type History struct {
	Quote quote.Quote
	// Events are those that made it. Latest leaves out the older ones of a long log.
	Events []eventstore.Event
	// Erased reports whether personal data is missing because the customer's key was erased.
	Erased bool
	// base is the snapshot from which the quote was made, nil if it was made from all events.
	base *snapshot
	// damaged reports whether there is a snapshot that cannot be read.
	damaged bool
	// decoded are the events as the domain knows them, nil if only the cache may have them.
	decoded []quote.Event
}

// Subject is what the last event of the history is about, for the log.
func (h History) Subject() platform.Subject {
	s := platform.Subject{QuoteID: h.Quote.ID, Version: h.Quote.Version}
	if len(h.Events) > 0 {
		s.EventType = h.Events[len(h.Events)-1].Type
	}
	return s
}

// Whole reports whether Events has all events of the quote.
func (h History) Whole() bool { return h.base == nil }

// RequestedAt is when the quote was requested.
func (h History) RequestedAt() time.Time {
	if h.base != nil {
		return h.base.RequestedAt
	}
	return h.Events[0].OccurredAt
}

// Option is what a read does otherwise than its name says.
type Option int

// Impersonal leaves personal data sealed, so that a read needs no key: for callers that need the state of a quote but
// no personal data, which is then empty. Only an amended quote is unsealed nevertheless, because what still holds after
// an amendment depends on which people and cars stayed the same; and a snapshot always takes the key.
const Impersonal Option = 1

// Load reads all events of a quote and unseals their personal data, which are empty if the customer was erased. A quote
// without events is the zero Quote. It costs a request for each megabyte of the log.
func (s *Store) Load(ctx context.Context, quoteID string, options ...Option) (History, error) {
	return s.load(ctx, quoteID, s.unsealer(options))
}

// Latest is Load for callers that need the quote as it is now, and not its older events: it reads the newest events,
// and of a long log the newest snapshot instead of the older ones. That is two requests; there is a third, for the
// whole log, if the snapshot is missing, is late, is in another form, or is no longer valid because something was
// undone since. A Store without Snapshots always reads the whole log.
func (s *Store) Latest(ctx context.Context, quoteID string, options ...Option) (History, error) {
	if s.Snapshots == nil {
		return s.Load(ctx, quoteID, options...)
	}
	return s.latest(ctx, quoteID, s.unsealer(options))
}

// HistoryOf is Load for a caller that has read the events, all of a quote's in the order of the log, and reads streams
// that are not needed again soon: it makes no request, and does not cache what was decoded. It unseals events in place.
func (s *Store) HistoryOf(ctx context.Context, events []eventstore.Event, options ...Option) (History, error) {
	erased, err := s.unsealer(options)(ctx, events)
	if err != nil {
		return History{}, err
	}
	decoded, err := decodeAll(events, decode)
	return History{Quote: quote.Fold(decoded...), Events: events, Erased: erased, decoded: decoded}, err
}

// unsealer is Unseal or unsealAmended.
type unsealer func(context.Context, []eventstore.Event) (erased bool, err error)

func (s *Store) unsealer(options []Option) unsealer {
	if slices.Contains(options, Impersonal) {
		return s.unsealAmended
	}
	return s.Unseal
}

// unsealAmended is Unseal for a quote that was amended, and does nothing with any other.
func (s *Store) unsealAmended(ctx context.Context, events []eventstore.Event) (erased bool, err error) {
	if !slices.ContainsFunc(events, func(e eventstore.Event) bool { return e.Type == quote.TypeQuoteAmended }) {
		return false, nil
	}
	return s.Unseal(ctx, events)
}

func (s *Store) load(ctx context.Context, quoteID string, unseal unsealer) (History, error) {
	events, err := s.Log.Load(ctx, StreamID(quoteID), 0)
	if err != nil {
		return History{}, err
	}
	return historyOf(ctx, events, unseal)
}

// historyOf is what all events of a quote make.
func historyOf(ctx context.Context, events []eventstore.Event, unseal unsealer) (History, error) {
	erased, err := unseal(ctx, events)
	if err != nil {
		return History{}, err
	}
	q, err := Fold(events)
	return History{Quote: q, Events: events, Erased: erased}, err
}

// AsOf returns the history as it was at an instant.
func (h History) AsOf(at time.Time) (History, error) {
	return h.until(func(e eventstore.Event) bool { return !e.OccurredAt.After(at) })
}

// AtVersion returns the history as it was at a version.
func (h History) AtVersion(version int) (History, error) {
	return h.until(func(e eventstore.Event) bool { return e.Version <= version })
}

// until returns the history before the first event that was not there yet.
func (h History) until(there func(eventstore.Event) bool) (History, error) {
	n := slices.IndexFunc(h.Events, func(e eventstore.Event) bool { return !there(e) })
	if n < 0 {
		return h, nil
	}
	return h.first(n)
}

// first is the history as it was after n events.
func (h History) first(n int) (History, error) {
	if n == len(h.Events) {
		return h, nil
	}
	q, err := Fold(h.Events[:n])
	q.Erasure = h.Quote.Erasure // it includes the past
	return History{Quote: q, Events: h.Events[:n:n], Erased: h.Erased}, err
}

// Fold returns the quote that a stream's events make, all of them from the first on.
func Fold(events []eventstore.Event) (quote.Quote, error) {
	decoded, err := decodeAll(events, recalled)
	return quote.Fold(decoded...), err
}

// Decoded returns the events of the history as the domain knows them.
func (h History) Decoded() ([]quote.Event, error) {
	if h.decoded != nil {
		return h.decoded, nil
	}
	return decodeAll(h.Events, recalled)
}

// with is the history after further events. What they undo must be found in all of it.
func (h History) with(events []eventstore.Event) (History, error) {
	all := slices.Concat(h.Events, events)
	if slices.ContainsFunc(events, undoes) {
		q, err := Fold(all)
		return History{Quote: q, Events: all, Erased: h.Erased}, err
	}
	decoded, err := decodeAll(events, recalled)
	q := h.Quote
	for _, e := range decoded {
		q = quote.Evolve(q, e)
	}
	return History{Quote: q, Events: all, Erased: h.Erased, base: h.base}, err
}

// decodeAll decodes events up to the first that it cannot read; then the error is *eventstore.Unreadable.
func decodeAll(events []eventstore.Event, read func(eventstore.Event) (quote.Event, error)) ([]quote.Event, error) {
	decoded := make([]quote.Event, 0, len(events))
	for _, stored := range events {
		e, err := read(stored)
		if err != nil {
			return decoded, &eventstore.Unreadable{StreamID: stored.StreamID, Version: stored.Version, Err: err}
		}
		decoded = append(decoded, e)
	}
	return decoded, nil
}

// maxRaces is how often a command starts over when others keep appending to the same quote.
const maxRaces = 20

// Execute carries out a command on a quote: it loads, decides and appends, and starts over if another process appended
// meanwhile. It returns the quote as the command leaves it. A command that was carried out before changes nothing and
// returns the quote as it was left then.
func (s *Store) Execute(ctx context.Context, quoteID string, order Order) (History, error) {
	h, err := s.loadFor(ctx, quoteID, order.Command)
	if err != nil {
		return History{}, err
	}
	if h.Quote.Version == 0 {
		return h, &NotFound{QuoteID: quoteID}
	}
	return s.ExecuteOn(ctx, h, order)
}

// loadFor reads what a command is decided on: only a reversal has to know all events.
func (s *Store) loadFor(ctx context.Context, quoteID string, c quote.Command) (History, error) {
	if _, reversal := c.(quote.ReverseEvent); reversal {
		return s.Load(ctx, quoteID)
	}
	if quote.Impersonal(c) {
		return s.Latest(ctx, quoteID, Impersonal)
	}
	return s.Latest(ctx, quoteID)
}

// ExecuteOn is Execute for a caller that has read the quote and seen that it has events. For a reversal the History
// must be complete. A command that needs the personal data of a customer who was erased is refused with *quote.Erased.
func (s *Store) ExecuteOn(ctx context.Context, h History, order Order) (History, error) {
	for race := 0; ; race++ {
		if then, done, err := s.after(ctx, h, order.ID); done || err != nil {
			return then, err
		}
		if order.IfVersion != 0 && order.IfVersion != h.Quote.Version {
			return h, &VersionMismatch{Want: order.IfVersion, Have: h.Quote.Version}
		}
		if !quote.Impersonal(order.Command) && slices.ContainsFunc(h.Events, eventstore.Event.IsSealed) {
			if h.Erased {
				return h, &quote.Erased{QuoteID: h.Quote.ID}
			}
			return h, fmt.Errorf("quote %s was loaded without the personal data that the command needs", h.Quote.ID)
		}
		after, err := s.decideAndAppend(ctx, h.Quote.ID, h, order)
		if _, lost := errors.AsType[*eventstore.VersionConflict](err); !lost || race == maxRaces {
			return after, err
		}
		if h, err = s.loadFor(ctx, h.Quote.ID, order.Command); err != nil {
			return History{}, err
		}
	}
}

// Create carries out the first command on a quote without reading first: one request, if everything is new. If the
// quote exists already, the error is a *eventstore.VersionConflict with its first event. A customer's first quote makes
// the customer's key; one who was erased gets none, and the error is *seal.Erased.
func (s *Store) Create(ctx context.Context, quoteID string, order Order) (History, error) {
	h, err := s.decideAndAppend(ctx, quoteID, History{}, order)
	if conflict, ok := errors.AsType[*eventstore.VersionConflict](err); ok {
		existing := []eventstore.Event{conflict.Existing}
		erased, err := s.Unseal(ctx, existing)
		if err != nil {
			return h, err
		}
		if erased {
			return h, &quote.Erased{QuoteID: quoteID}
		}
		conflict.Existing = existing[0]
	}
	return h, err
}

func (s *Store) decideAndAppend(ctx context.Context, quoteID string, h History, order Order) (History, error) {
	decided, err := quote.Decide(h.Quote, order.Command)
	if err != nil {
		return h, err
	}
	if order.Permit != nil && len(decided) > 0 {
		if err := order.Permit(ctx, h.Quote, decided); err != nil {
			return h, err
		}
	}
	sealing := len(h.Events) == 0 || h.sealed()
	customer := customerOf(h.Quote, decided)
	if len(h.Events) == 0 {
		if s.Keys == nil {
			return h, errNoKeys
		}
		if err := s.MakeKey(ctx, customer); err != nil {
			return h, err
		}
	}
	events := make([]eventstore.Event, len(decided))
	for i, e := range decided {
		if events[i], err = eventOf(ctx, quoteID, order, i, e); err != nil {
			return h, err
		}
		if sealing {
			err := s.seal(ctx, customer, &events[i])
			if _, erased := errors.AsType[*seal.Erased](err); erased && len(h.Events) > 0 {
				err = &quote.Erased{QuoteID: quoteID} // since it was loaded
			}
			if err != nil {
				return h, err
			}
		}
	}
	if len(events) > 0 && len(h.Events) > 0 {
		events[0].PreviousHash = h.Events[len(h.Events)-1].Hash()
	}
	if err := s.Log.Append(ctx, StreamID(quoteID), h.Quote.Version, events); err != nil {
		return h, err
	}
	// What the log has counts: the events of a repeated command may say otherwise than those decided now.
	erased, err := s.Unseal(ctx, events)
	if err != nil {
		return h, err
	}
	h.Erased = h.Erased || erased
	return h.with(events)
}

// eventOf is the event that an order leads to, at its place among those of the order.
func eventOf(ctx context.Context, quoteID string, order Order, place int, e quote.Event) (eventstore.Event, error) {
	data, err := encode(e)
	if err != nil {
		return eventstore.Event{}, err
	}
	return eventstore.Event{
		ID: uuid.NewSHA1(eventIDs, fmt.Appendf(nil, "%s/%d", order.ID, place)).String(), StreamID: StreamID(quoteID),
		Type: e.EventType(), SchemaVersion: quote.SchemaVersion(e.EventType()), OccurredAt: order.At, Data: data,
		Metadata: eventstore.Metadata{
			CommandID: order.ID, CorrelationID: order.CorrelationID, CausationID: order.CausationID,
			Actor: order.Actor, TraceHeader: platform.TraceHeader(ctx),
		},
	}, nil
}

// MakeKey makes the key of a customer who has none yet. The errors are those of seal.Keys.Make.
func (s *Store) MakeKey(ctx context.Context, customerID string) error {
	return s.Keys.Make(ctx, customerID, s.sealedBefore(customerID))
}

// sealedBefore is what Make calls for a customer without a key, nil if unknown.
func (s *Store) sealedBefore(customerID string) func(context.Context) (bool, error) {
	if s.OfCustomer == nil {
		return nil
	}
	return func(ctx context.Context) (bool, error) { return s.hasSealed(ctx, customerID) }
}

// encode writes the data of an event. Unlike json.Marshal it leaves "<", ">" and "&" as they are: an event is not part
// of a web page, the trace of a premium is full of arrows, and those are read again and again.
func encode(e quote.Event) (json.RawMessage, error) {
	text, err := marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", e.EventType(), err)
	}
	return text, nil
}

// eventIDs is the name space of event ids: the id of an event is made of its command's id and its
// place among the command's events.
var eventIDs = uuid.MustParse("6f1c1d3e-6d0b-5b0e-9a58-3c2f7b1f5a10")

// KeyReused refuses an order under an idempotency key that another one was carried out under.
type KeyReused struct{ QuoteID string }

func (e *KeyReused) Error() string {
	return "the idempotency key belongs to another command on quote " + e.QuoteID
}

// keyedPrefix begins the ids of commands that were given under an idempotency key.
const keyedPrefix = "command/"

// KeyedID is the id of a command that is given under an idempotency key, derived from the key's scope and the command's
// content. Both are hashed: the id is stored with each event, and the texts of callers may be long.
func KeyedID(key string, wanted []byte) string {
	return fmt.Sprintf("%s%x/%x", keyedPrefix, sha256.Sum256([]byte(key)), sha256.Sum256(wanted))
}

// keyOf is what the ids of all commands under an idempotency key begin with; of another command it is the id.
func keyOf(commandID string) string {
	if i := strings.LastIndexByte(commandID, '/'); i >= len(keyedPrefix) && strings.HasPrefix(commandID, keyedPrefix) {
		return commandID[:i+1]
	}
	return commandID
}

// after is the history as a command left it; done is false when it has left no event. The error is *KeyReused if its
// key belongs to another command. A snapshot only says whether it is worth while to look in the whole log.
func (s *Store) after(ctx context.Context, h History, commandID string) (then History, done bool, err error) {
	if marks, all := h.commands(); !h.Whole() && (!all || slices.Contains(marks, markOf(commandID))) {
		if h, err = s.Load(ctx, h.Quote.ID); err != nil {
			return h, false, err
		}
	}
	for i, e := range slices.Backward(h.Events) {
		switch {
		case e.Metadata.CommandID == commandID:
			then, err = h.first(i + 1)
			return then, true, err
		case keyOf(e.Metadata.CommandID) == keyOf(commandID):
			return h, false, &KeyReused{QuoteID: h.Quote.ID}
		}
	}
	return History{}, false, nil
}
