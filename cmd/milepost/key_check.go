package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"milepost/domain/quote"
	"milepost/internal/log/eventstore"
	"milepost/internal/log/seal"
	"milepost/internal/quotes/quotestore"
)

// keyCheck opens one sealed event for each key of each customer. It is safe for concurrent use.
type keyCheck struct {
	quotes *quotestore.Store

	mu    sync.Mutex
	under map[keyRef]*sealedUnder
	// customers are those of the streams that have something sealed; erased are the erasures that the streams tell of.
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

// keyFault is a key that does not open what is sealed under it.
type keyFault struct {
	CustomerID string `json:"customerId"`
	// KeyID is "" for events from before keys had ids.
	KeyID string `json:"keyId,omitempty"`
	// Events counts what is sealed under it, in so many Quotes.
	Events int `json:"events"`
	Quotes int `json:"quotes"`
	// Problem says what is wrong.
	Problem string `json:"problem"`
}

func (f keyFault) String() string {
	if f.Events == 0 {
		return f.Problem
	}
	return fmt.Sprintf("%d events of %d quotes: %s", f.Events, f.Quotes, f.Problem)
}

func newKeyCheck(quotes *quotestore.Store) *keyCheck {
	return &keyCheck{quotes: quotes, under: map[keyRef]*sealedUnder{}, customers: map[string]string{}, erased: map[string]quote.Erasure{}}
}

// note takes in events as the log has them, those of a stream in their order.
func (k *keyCheck) note(events []eventstore.Event) {
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

// erasures are those that the streams tell of, by customer.
func (k *keyCheck) erasures() map[string]seal.Erasure {
	by := map[string]seal.Erasure{}
	for stream, e := range k.erased {
		if customer := k.customers[stream]; customer != "" {
			by[customer] = seal.Erasure{CustomerID: customer, At: e.At, By: e.By, ReasonCode: e.ReasonCode}
		}
	}
	return by
}

// faults tries every key, and looks whether those who were erased still have keys.
func (k *keyCheck) faults(ctx context.Context) ([]keyFault, error) {
	faults := []keyFault{}
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
		faults = append(faults, keyFault{ref.customerID, ref.keyID, s.events, len(s.quotes), plainly(err).Error()})
	}
	for customer := range erased {
		held, err := k.quotes.Keys.Holder(ctx, customer)
		if _, damaged := errors.AsType[*seal.BadKey](err); err != nil && !damaged { // what is no key is no erasure either
			return nil, err
		}
		if held.Erasure == nil {
			faults = append(faults, keyFault{CustomerID: customer, Problem: "customer " + customer +
				" was erased, as the log says, and the table of keys does not know: give milepost erase again"})
		}
	}
	slices.SortFunc(faults, func(a, b keyFault) int {
		return cmp.Or(cmp.Compare(a.CustomerID, b.CustomerID), cmp.Compare(a.KeyID, b.KeyID), cmp.Compare(a.Problem, b.Problem))
	})
	return faults, nil
}

// settle does in the table of keys what an imported log asks for: who was erased stays so, and nobody gets a first key
// here while the one that opens their events is elsewhere. It returns the faults that are left.
func (k *keyCheck) settle(ctx context.Context) ([]keyFault, error) {
	for _, e := range k.erasures() {
		if _, err := k.quotes.Keys.Erase(ctx, e); err != nil {
			return nil, err
		}
	}
	faults, err := k.faults(ctx)
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

// mostNamed is how many faults of keys are named; the others are counted.
const mostNamed = 20

// printKeyFaults names the keys that do not open what they should.
func printKeyFaults(out io.Writer, faults []keyFault) {
	customers, events := map[string]bool{}, 0
	for i, f := range faults {
		customers[f.CustomerID] = true
		events += f.Events
		if i < mostNamed {
			fmt.Fprintln(out, f)
		}
	}
	if len(faults) > mostNamed {
		fmt.Fprintf(out, "and %d more\n", len(faults)-mostNamed)
	}
	if len(faults) > 0 {
		fmt.Fprintf(out, "%d events of %d customers cannot be opened\n", events, len(customers))
	}
}
