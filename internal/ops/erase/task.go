package erase

import (
	"context"
	"fmt"
	"time"

	"milepost/domain/quote"
	"milepost/internal/log/seal"
	"milepost/internal/platform"
	"milepost/internal/platform/stored"
)

// Step says what a Task does next.
type Step string

// The steps of an erasure, in their order.
const (
	// Keys erases the keys: from then on nobody can open what they sealed, but for functions that remember them.
	Keys Step = "keys"
	// Note notes the erasure in the customer's quotes, and deletes the drafts.
	Note Step = "note"
	// Late does so for what was submitted or saved meanwhile and is in a list. It may begin when Task.Until has passed.
	Late Step = "late"
	// Search does so for what no list has yet: it looks into the log.
	Search Step = "search"
	// Done is no step: there is nothing more to do.
	Done Step = "done"
)

// Task is an erasure and its progress: what one call of a function passes to the next.
type Task struct {
	Step  Step  `json:"step"`
	Order Order `json:"order"`
	// After is the place in the customer's list from which the step goes on.
	After string `json:"after,omitempty"`
	// Until is when no function remembers the keys any more, zero as long as they are not erased.
	Until time.Time `json:"until,omitzero"`
	Did   Erasure   `json:"did"`
}

// Begin returns the task that does an order.
func Begin(o Order) Task { return Task{Step: Keys, Order: o, Did: begun(o.CustomerID)} }

func begun(customerID string) Erasure {
	return Erasure{CustomerID: customerID, Quotes: map[quote.Status]int{}, Unsealed: []string{}, Faults: stored.NewFaults()}
}

// TooEarly is the error of a task that was to go on while functions may remember the keys.
type TooEarly struct{ Until time.Time }

func (e *TooEarly) Error() string {
	return "functions may remember the keys until " + e.Until.Format(time.RFC3339)
}

// Do does the next step of a task, or as much of it as there is time for: enough is asked between pages of quotes.
// What was done already is not done again. The error is *NoCustomer if there is nobody to erase.
func (e *Eraser) Do(ctx context.Context, t Task, enough func() bool) (Task, error) {
	if t.Did.CustomerID == "" || t.Did.CustomerID != t.Order.CustomerID || t.Did.Quotes == nil {
		return t, &platform.BadPayload{Err: fmt.Errorf("an erasure of %q that reports one of %q", t.Order.CustomerID, t.Did.CustomerID)}
	}
	if (t.Step == Late || t.Step == Search) && time.Now().Before(t.Until) {
		return t, &platform.TransientFailure{Err: &TooEarly{t.Until}} // clocks differ: it is tried again
	}
	var err error
	switch t.Step {
	case Keys:
		err = e.eraseKeys(ctx, &t)
	case Note:
		err = e.overList(ctx, &t, e.note, Late, enough)
	case Late:
		err = e.overList(ctx, &t, e.noteLate, Search, enough)
	case Search:
		err = e.overLog(ctx, &t)
	default:
		err = &platform.BadPayload{Err: fmt.Errorf("an erasure has no step %q", t.Step)}
	}
	return t, err
}

func (e *Eraser) eraseKeys(ctx context.Context, t *Task) error {
	if _, err := e.known(ctx, t.Order.CustomerID); err != nil {
		return err
	}
	first, err := e.Quotes.Keys.Erase(ctx, seal.Erasure{
		CustomerID: t.Order.CustomerID, At: time.Now().UTC(), By: t.Order.By, RequestedBy: t.Order.RequestedBy, ReasonCode: t.Order.ReasonCode,
	})
	if err != nil {
		return err
	}
	t.Did.Erased, t.Until, t.Step = &first, first.At.Add(seal.Lifetime+settling), Note
	return nil
}

// overList deletes drafts and visits the quotes in the customer's list; then comes the next step.
func (e *Eraser) overList(ctx context.Context, t *Task, do visitor, next Step, enough func() bool) (err error) {
	if t.After == "" {
		if err := e.deleteDrafts(ctx, &t.Did); err != nil {
			return err
		}
	}
	if t.After, err = e.visit(ctx, t.After, &t.Did, do, enough); err == nil && t.After == "" {
		t.Step = next
	}
	return err
}

// overLog visits the quotes that began while functions remembered the keys.
func (e *Eraser) overLog(ctx context.Context, t *Task) error {
	ids, err := e.submitted(ctx, t.Order.CustomerID, t.Did.Erased.At.Add(-settling), t.Until)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := e.each(ctx, id, &t.Did, e.noteLate); err != nil {
			return err
		}
	}
	t.Step = Done
	return nil
}
