package keys

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"milepost/domain/quote"
	"milepost/internal/log/eventstore"
	"milepost/internal/log/seal"
	"milepost/internal/quotes/quotestore"
)

// Check opens one sealed event for each key of each customer. It is safe for concurrent use.
type Check struct {
	quotes *quotestore.Store

	mu    sync.Mutex
	under map[keyRef]*sealedUnder
	// customers are those of the streams that have something sealed; erased are the erasures that the streams record.
	customers map[string]string
	erased    map[string]quote.Erasure
}

// keyRef names a key. What was sealed before keys had ids may be sealed under any key of the customer, another one in
// each stream.
type keyRef struct{ customerID, keyID, streamID string }

// sealedUnder is what is sealed under a key.
type sealedUnder struct {
	sample eventstore.Event
	events int
	quotes map[string]bool
}

// Fault is what is wrong with a customer's keys.
type Fault struct {
	CustomerID string
	// KeyID is that of a key that does not open what is sealed under it, "" for events from before keys had ids.
	KeyID string
	// Events counts what is sealed under it, and Quotes the quotes that contain it.
	Events, Quotes int
	Err            error
}

// NewCheck begins to check the keys of quotes.
func NewCheck(quotes *quotestore.Store) *Check {
	return &Check{quotes: quotes, under: map[keyRef]*sealedUnder{}, customers: map[string]string{}, erased: map[string]quote.Erasure{}}
}

// Note records events as the log has them, those of a stream in order.
func (k *Check) Note(events []eventstore.Event) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, e := range events {
		if e.Type == quote.TypePersonalDataErased {
			var erased quote.PersonalDataErased
			if json.Unmarshal(e.Data, &erased) == nil { // log verify names one that cannot be read
				k.erased[e.StreamID] = erased.Erasure
			}
		}
		if !e.IsSealed() {
			continue
		}
		k.customers[e.StreamID] = e.SealedFor
		ref := keyRef{customerID: e.SealedFor, keyID: e.KeyID}
		if e.KeyID == "" {
			ref.streamID = e.StreamID
		}
		s := k.under[ref]
		if s == nil {
			s = &sealedUnder{sample: e, quotes: map[string]bool{}}
			k.under[ref] = s
		}
		s.events++
		s.quotes[e.StreamID] = true
	}
}

// erasures returns those that the streams record, by customer.
func (k *Check) erasures() map[string]seal.Erasure {
	by := map[string]seal.Erasure{}
	for stream, e := range k.erased {
		if customer := k.customers[stream]; customer != "" {
			by[customer] = seal.Erasure{CustomerID: customer, At: e.At, By: e.By, ReasonCode: e.ReasonCode}
		}
	}
	return by
}

// Faults tries every key, and looks whether those who were erased still have keys.
func (k *Check) Faults(ctx context.Context) ([]Fault, error) {
	faults := []Fault{}
	erased := k.erasures()
	for ref, s := range k.under {
		if _, ok := erased[ref.customerID]; ok {
			continue
		}
		err := k.quotes.CheckKey(ctx, s.sample)
		_, gone := errors.AsType[*seal.Erased](err)
		_, missing := errors.AsType[*seal.NoKey](err)
		_, damaged := errors.AsType[*seal.Damaged](err)
		switch {
		case err == nil || gone:
			continue
		case !missing && !damaged && ctx.Err() != nil:
			return nil, ctx.Err()
		case damaged:
			err = fmt.Errorf("%w, as in version %d of stream %s", err, s.sample.Version, s.sample.StreamID)
		}
		faults = append(faults, Fault{ref.customerID, ref.keyID, s.events, len(s.quotes), err})
	}
	for customer := range erased {
		held, err := k.quotes.Keys.Holder(ctx, customer)
		if _, damaged := errors.AsType[*seal.BadKey](err); err != nil && !damaged { // what is not a key is not an erasure either
			return nil, err
		}
		if held.Erasure == nil {
			faults = append(faults, Fault{CustomerID: customer, Err: &NotErased{customer}})
		}
	}
	slices.SortFunc(faults, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.CustomerID, b.CustomerID), cmp.Compare(a.KeyID, b.KeyID), cmp.Compare(a.Err.Error(), b.Err.Error()))
	})
	return faults, nil
}

// Settle brings the table of keys in line with an imported log: an erased customer stays erased, and no customer gets a
// first key here while the key that opens their events is elsewhere. It returns the remaining faults.
func (k *Check) Settle(ctx context.Context) ([]Fault, error) {
	for _, e := range k.erasures() {
		if _, err := k.quotes.Keys.Erase(ctx, e); err != nil {
			return nil, err
		}
	}
	faults, err := k.Faults(ctx)
	if err != nil {
		return nil, err
	}
	for _, f := range faults {
		if err := k.quotes.Keys.Await(ctx, f.CustomerID); err != nil {
			return nil, err
		}
	}
	return faults, nil
}

// NotErased is the error of a customer who was erased according to the log, but not according to the table of keys.
type NotErased struct{ CustomerID string }

func (e *NotErased) Error() string {
	return "customer " + e.CustomerID + " was erased according to the log, and the table of keys does not have it"
}
