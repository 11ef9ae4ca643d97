package eventbridge

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"milepost/local/awsapi"
	"milepost/local/metrics"
)

// launch sends a job to all its targets at once.
func (s *Service) launch(j *job) {
	type departure struct {
		d     *delivery
		after time.Duration
	}
	var copies []departure
	for i := range j.Deliveries {
		d := &j.Deliveries[i]
		if i == 0 || d.RuleARN != j.Deliveries[i-1].RuleARN { // a rule's are side by side
			s.measure(d, metrics.Number("TriggeredRules", 1))
		}
		delays := []time.Duration{0}
		if plan := s.config.Faults.Event; plan != nil {
			if planned := plan(d.RuleARN, d.TargetARN, j.envelope); len(planned) > 0 {
				delays = planned
			}
		}
		for _, after := range delays {
			copies = append(copies, departure{d, after})
		}
	}
	j.left.Store(int32(len(copies)))
	s.outstanding.add()
	for _, c := range copies {
		j.untried.Add(1)
		tried := sync.OnceFunc(j.untried.Done)
		begun := s.goRun(func() {
			defer tried()
			if s.deliver(j, c.d, c.after, tried) && j.left.Add(-1) == 0 {
				s.finish(j)
			}
		})
		if !begun {
			tried()
		}
	}
}

// deliver delivers one copy to its target, or to the dead-letter queue. It returns false if Close was called first. It
// calls tried after the first attempt.
func (s *Service) deliver(j *job, d *delivery, after time.Duration, tried func()) bool {
	ctx := s.ctx
	if j.Trace != "" {
		ctx = awsapi.WithTraceHeader(ctx, j.Trace)
	}
	if !sleep(ctx, after) {
		return false
	}
	for retries := 0; ; retries++ {
		failure := s.attempt(ctx, j, d)
		tried()
		if failure == nil {
			s.measure(d, metrics.Number("Invocations", 1))
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		pause := backoff(retries)
		exhausted := ""
		switch {
		case !failure.Retryable:
		case retries >= d.MaxAttempts:
			exhausted = "MaximumRetryAttempts"
		case time.Since(j.Accepted)+pause > d.MaxAge:
			exhausted = "MaximumEventAgeInSeconds"
		default:
			if !sleep(ctx, pause) {
				return false
			}
			continue
		}
		s.measure(d, metrics.Number("Invocations", 1), metrics.Number("FailedInvocations", 1))
		s.giveUp(ctx, j, d, failure, exhausted, retries)
		return true
	}
}

// measure publishes samples of the rule of a delivery.
func (s *Service) measure(d *delivery, samples ...metrics.Sample) {
	_, path, _ := strings.Cut(d.RuleARN, ":rule/")
	bus, name, custom := strings.Cut(path, "/")
	dimensions := []metrics.Dimension{{Name: "EventBusName", Value: bus}, {Name: "RuleName", Value: name}}
	if !custom {
		dimensions = []metrics.Dimension{{Name: "RuleName", Value: path}}
	}
	s.config.Metrics.Put("AWS/Events", dimensions, samples...)
}

func (s *Service) attempt(ctx context.Context, j *job, d *delivery) *DeliveryError {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return &DeliveryError{Message: ctx.Err().Error()}
	}
	if s.config.Targets == nil {
		return &DeliveryError{Code: "NO_RESOURCE", Message: "the target accepts no events"}
	}
	err := s.config.Targets.Deliver(ctx, Delivery{
		EventID: j.EventID, RuleARN: d.RuleARN, TargetID: d.TargetID, TargetARN: d.TargetARN,
		RoleARN: d.RoleARN, Payload: j.payload(d),
	})
	if err == nil {
		return nil
	}
	if failure, ok := errors.AsType[*DeliveryError](err); ok {
		return failure
	}
	return &DeliveryError{Code: "SDK_CLIENT_ERROR", Message: err.Error(), Retryable: true}
}

func (j *job) payload(d *delivery) []byte {
	if d.Payload == "" {
		return j.envelope
	}
	return []byte(d.Payload)
}

// giveUp sends what could not be delivered to the dead-letter queue of the target, if it has one.
func (s *Service) giveUp(ctx context.Context, j *job, d *delivery, failure *DeliveryError, exhausted string, retries int) {
	log := s.log.With("event_id", j.EventID, "rule_arn", d.RuleARN, "target_arn", d.TargetARN, "error", failure)
	if d.DeadLetter == "" {
		log.Warn("an event was dropped: it could not be delivered and the target has no dead-letter queue")
		return
	}
	attributes := map[string]string{
		"RULE_ARN":       d.RuleARN,
		"TARGET_ARN":     d.TargetARN,
		"ERROR_CODE":     failure.Code,
		"ERROR_MESSAGE":  failure.Message,
		"RETRY_ATTEMPTS": strconv.Itoa(retries),
	}
	if exhausted != "" {
		attributes["EXHAUSTED_RETRY_CONDITION"] = exhausted
	}
	if s.config.DeadLetters == nil {
		log.Error("an event was dropped: there are no dead-letter queues", "queue_arn", d.DeadLetter)
		return
	}
	if err := s.config.DeadLetters(ctx, d.DeadLetter, string(j.payload(d)), attributes); err != nil {
		log.Error("an event was dropped: its dead-letter queue did not take it", "queue_arn", d.DeadLetter, "queue_error", err)
		return
	}
	log.Warn("an event went to the dead-letter queue", "queue_arn", d.DeadLetter)
}

const (
	firstPause   = time.Second
	longestPause = 10 * time.Minute
)

// backoff is how long to wait before the next attempt: twice as long each time, up to longestPause, minus a random part
// of up to a half. The default 185 retries then fill about a day.
func backoff(retries int) time.Duration {
	pause := longestPause
	if retries < 10 {
		pause = min(firstPause<<retries, longestPause)
	}
	return pause/2 + rand.N(pause/2)
}

// sleep waits for d. It returns false when ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// outstanding counts events on their way.
type outstanding struct {
	mu   sync.Mutex
	n    int
	none chan struct{} // closed when n reaches 0; nil while nobody waits
}

func (o *outstanding) add() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.n++
}

func (o *outstanding) done() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.n--
	if o.n == 0 && o.none != nil {
		close(o.none)
		o.none = nil
	}
}

// Pending is how many events are on their way to a target.
func (s *Service) Pending() int {
	s.outstanding.mu.Lock()
	defer s.outstanding.mu.Unlock()
	return s.outstanding.n
}

// Idle waits until no event is on its way to a target.
func (s *Service) Idle(ctx context.Context) error {
	for {
		o := &s.outstanding
		o.mu.Lock()
		if o.n == 0 {
			o.mu.Unlock()
			return nil
		}
		if o.none == nil {
			o.none = make(chan struct{})
		}
		none := o.none
		o.mu.Unlock()
		select {
		case <-none:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
