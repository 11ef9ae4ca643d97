// Package effects is the only way out of the system. A Gateway protects the calls to one outside party with a deadline,
// one retry, a circuit breaker and a limit on concurrent calls; the result of a Call is an Answer, whose Record can be
// stored in an event.
//
// Under WithReplay nothing leaves: every call fails with *Muted.
package effects

import (
	"context"
	"fmt"

	"milepost/domain/quote"
)

type replayKey struct{}

// WithReplay marks the work under ctx as a replay of what has already happened.
func WithReplay(ctx context.Context) context.Context {
	return context.WithValue(ctx, replayKey{}, true)
}

// Replaying reports whether the work under ctx is a replay.
func Replaying(ctx context.Context) bool {
	replaying, _ := ctx.Value(replayKey{}).(bool)
	return replaying
}

// Allow returns *Muted during a replay and nil otherwise. A Gateway asks it by itself; it is for effects that are no
// HTTP calls.
func Allow(ctx context.Context, party string) error {
	if Replaying(ctx) {
		return &Muted{Party: party}
	}
	return nil
}

// Muted says that a call was not made because the work is a replay.
type Muted struct{ Party string }

func (e *Muted) Error() string {
	return fmt.Sprintf("%s is not called during a replay", e.Party)
}

// Reason says why there is no answer from a party, or no usable one.
type Reason string

// The reasons.
const (
	// Timeout: the deadline passed before an answer was there.
	Timeout Reason = "TIMEOUT"
	// CircuitOpen: the party failed so often of late that it is left alone for a while.
	CircuitOpen Reason = "CIRCUIT_OPEN"
	// Busy: the deadline passed while too many other calls were running.
	Busy Reason = "BUSY"
	// Network: the party could not be reached, or closed the connection.
	Network Reason = "NETWORK"
	// TooLarge: the answer was above bounds.Reply.
	TooLarge Reason = quote.TooLarge
	// Canceled: the caller no longer waits for the answer.
	Canceled Reason = "CANCELED"
	// RateLimited: the party asks us to slow down.
	RateLimited Reason = "RATE_LIMITED"
	// BadReply: the party's answer is not what it has agreed to send.
	BadReply Reason = "BAD_REPLY"
)

// NoAnswer is the error if a party did not answer. Any answer with an HTTP status, even 500, is an Answer and not this
// error.
type NoAnswer struct {
	Party  string
	Reason Reason
	// Err is the cause if there is one. It contains no URL, because that could name a person.
	Err error
}

func (e *NoAnswer) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("%s did not answer: %s", e.Party, e.Reason)
	}
	return fmt.Sprintf("%s did not answer: %s: %v", e.Party, e.Reason, e.Err)
}

func (e *NoAnswer) Unwrap() error { return e.Err }
