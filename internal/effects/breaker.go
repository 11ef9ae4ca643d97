package effects

import (
	"maps"
	"sync"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
)

// breaker is a circuit breaker to which each subject counts once in a window for each of the two outcomes. So it opens
// by the number of affected subjects, and not by how often one of them tries.
type breaker struct {
	circuitbreaker.CircuitBreaker[*attempt]
	window time.Duration

	mu sync.Mutex
	// counted says when an outcome was last counted. Once in a window those of earlier windows are swept out.
	counted map[outcome]time.Time
	swept   time.Time
}

type outcome struct {
	subject string
	healthy bool
}

// breakRate is the share of failures from which on a party is not called.
const breakRate = 0.5

func newBreaker(config Config) *breaker {
	return &breaker{
		CircuitBreaker: circuitbreaker.NewBuilder[*attempt]().
			WithFailureRateThreshold(breakRate, config.BreakAfter, config.BreakWindow).
			WithSuccessThreshold(1).WithDelay(config.BreakFor).Build(),
		window: config.BreakWindow, counted: map[outcome]time.Time{},
	}
}

// record counts how an attempt for a subject went. One whose caller went away counts as neither: in a half-open circuit
// it leaves the probation to the next. There every other attempt counts, whoever makes it.
func (b *breaker) record(subject string, a *attempt) {
	switch {
	case a.gone && b.IsHalfOpen():
		b.Open() // it stays half open, except for the permit, which no other call returns
		b.HalfOpen()
	case a.gone, b.IsClosed() && !b.first(outcome{subject, !a.sick}, time.Now()):
	case a.sick:
		b.RecordFailure()
	default:
		b.RecordSuccess()
	}
}

// first reports whether an outcome was not counted yet in the window that ends now, and notes that it is.
func (b *breaker) first(o outcome, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	over := func(_ outcome, at time.Time) bool { return now.Sub(at) >= b.window }
	if now.Sub(b.swept) >= b.window {
		maps.DeleteFunc(b.counted, over)
		b.swept = now
	}
	if at, counted := b.counted[o]; counted && !over(o, at) {
		return false
	}
	b.counted[o] = now
	return true
}
