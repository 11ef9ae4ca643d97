package quotestore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"milepost/domain/quote"
	"milepost/internal/log/eventstore"
	"milepost/internal/log/seal"
	"milepost/schemas"
)

// errNoKeys says that a Store without Keys met personal data.
var errNoKeys = errors.New("personal data are sealed, and this store has no keys")

// sealed reports whether the quote's personal data are sealed, as its first event is. One that is not has no snapshot.
func (h History) sealed() bool { return !h.Whole() || h.Events[0].Sealed != nil }

// customerOf is the customer of a quote, before or after its first event.
func customerOf(q quote.Quote, decided []quote.Event) string {
	if q.Version == 0 && len(decided) > 0 {
		q = quote.Evolve(q, decided[0])
	}
	return q.CustomerID
}

// seal takes out of an event what is personal, and puts it there sealed for the customer.
func (s *Store) seal(ctx context.Context, customerID string, e *eventstore.Event) error {
	paths, err := schemas.Personal(e.Type, e.SchemaVersion)
	if err != nil {
		return err
	}
	rest, members := seal.Cut(e.Data, paths)
	if members == nil {
		return nil
	}
	if s.Keys == nil {
		return errNoKeys
	}
	sealed, err := s.Keys.Seal(ctx, customerID, aad(*e), members)
	if err != nil {
		return err
	}
	e.Stored, e.Sealed, e.SealedFor, e.KeyID = rest, sealed.Text, sealed.CustomerID, sealed.KeyID
	return nil
}

// Unseal puts the sealed members back into events as the log has them. It returns true if that cannot be done because
// the key was erased; the log's record of that counts too, if the key or its record is missing. The error is
// *eventstore.Unreadable if an event can never be unsealed.
func (s *Store) Unseal(ctx context.Context, events []eventstore.Event) (erased bool, err error) {
	if slices.ContainsFunc(events, func(e eventstore.Event) bool { return e.Type == quote.TypePersonalDataErased }) {
		return true, nil
	}
	for i := range events {
		e := &events[i]
		if !e.IsSealed() {
			continue
		}
		members, err := s.unseal(ctx, *e)
		if _, ok := errors.AsType[*seal.Erased](err); ok {
			return true, nil // a quote has one customer
		}
		_, noKey := errors.AsType[*seal.NoKey](err)
		_, damaged := errors.AsType[*seal.Damaged](err)
		_, badKey := errors.AsType[*seal.BadKey](err)
		if err != nil && !noKey && !damaged && !badKey {
			return false, fmt.Errorf("stream %s version %d: %w", e.StreamID, e.Version, err)
		}
		var whole []byte
		if err == nil {
			whole, err = seal.Join(e.Data, members)
		}
		if err != nil {
			return false, &eventstore.Unreadable{StreamID: e.StreamID, Version: e.Version, Err: err}
		}
		e.Data, e.Stored = whole, e.Data
	}
	return false, nil
}

// unseal decrypts what is sealed in an event.
func (s *Store) unseal(ctx context.Context, e eventstore.Event) ([]byte, error) {
	if s.Keys == nil {
		return nil, errNoKeys
	}
	return s.Keys.Unseal(ctx, seal.Sealed{CustomerID: e.SealedFor, KeyID: e.KeyID, Text: e.Sealed}, aad(e))
}

// CheckKey returns why the sealed data of an event cannot be opened, and nil if it can: *seal.Erased, *seal.NoKey,
// *seal.Damaged or *seal.BadKey, or why the keys cannot be read.
func (s *Store) CheckKey(ctx context.Context, e eventstore.Event) error {
	_, err := s.unseal(ctx, e)
	return err
}

// hasSealed reports whether an event of a customer's newest quotes is sealed.
func (s *Store) hasSealed(ctx context.Context, customerID string) (bool, error) {
	ids, err := s.OfCustomer(ctx, customerID)
	if err != nil {
		return false, err
	}
	streams := make([]string, len(ids))
	for i, id := range ids {
		streams[i] = StreamID(id)
	}
	owners, err := s.Log.SealedFor(ctx, streams)
	return len(owners) > 0, err
}

// InClear reports whether an event, as the log has it, contains personal data that is not sealed: it is from before
// sealing existed.
func InClear(events []eventstore.Event) (bool, error) {
	for _, e := range events {
		paths, err := schemas.Personal(e.Type, e.SchemaVersion)
		if err != nil {
			return false, err
		}
		data := e.Data
		if e.Stored != nil {
			data = e.Stored
		}
		if _, members := seal.Cut(data, paths); members != nil {
			return true, nil
		}
	}
	return false, nil
}

// aad binds what is sealed to its event, so that it cannot be moved to another.
func aad(e eventstore.Event) []byte { return []byte(e.StreamID + "\n" + e.ID) }
