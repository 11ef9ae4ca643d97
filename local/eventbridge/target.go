package eventbridge

import (
	"context"
	"time"
)

// Targets accepts events for the targets of rules.
type Targets interface {
	// Deliver hands one event over. The trace header of the event travels in ctx. A failure is a *DeliveryError; any
	// other error counts as temporary. What the receiver does with the event later is not part of the delivery.
	Deliver(ctx context.Context, d Delivery) error
}

// Delivery is one event on its way to one target.
type Delivery struct {
	EventID  string
	RuleARN  string
	TargetID string
	// TargetARN is whom Payload, which is JSON, is for.
	TargetARN string
	// RoleARN is the role to deliver with; "" leaves it to the receiver's resource policy.
	RoleARN string
	Payload []byte
}

// DeliveryError says why a target did not take an event.
type DeliveryError struct {
	// Code is the code for the dead-letter queue: NO_PERMISSIONS, NO_RESOURCE, THROTTLING, TIMEOUT, SDK_CLIENT_ERROR
	// and so on.
	Code    string
	Message string
	// Retryable is false where trying again is of no use, as for a target that does not exist.
	Retryable bool
}

func (e *DeliveryError) Error() string { return e.Code + ": " + e.Message }

// Target is what PutTargets takes: where a rule sends its events, and in what form.
type Target struct {
	ID      string `json:"Id"`
	ARN     string `json:"Arn"`
	RoleARN string `json:"RoleArn,omitempty"`
	// Input, InputPath and InputTransformer exclude each other; without them the target gets the
	// event itself.
	Input            string            `json:",omitempty"`
	InputPath        string            `json:",omitempty"`
	InputTransformer *InputTransformer `json:",omitempty"`
	RetryPolicy      *RetryPolicy      `json:",omitempty"`
	DeadLetterConfig *DeadLetterConfig `json:",omitempty"`
}

// InputTransformer makes the input of a target from parts of the event.
type InputTransformer struct {
	InputPathsMap map[string]string `json:",omitempty"`
	InputTemplate string
}

// RetryPolicy bounds the retries of a delivery. A nil field has AWS's default: 185 and 86,400.
type RetryPolicy struct {
	MaximumRetryAttempts     *int `json:",omitempty"`
	MaximumEventAgeInSeconds *int `json:",omitempty"`
}

// DeadLetterConfig names the queue for events that could not be delivered.
type DeadLetterConfig struct {
	ARN string `json:"Arn,omitempty"`
}

// target is a Target made ready.
type target struct {
	Target
	rule        *rule
	input       input
	maxAttempts int
	maxAge      time.Duration
}

const (
	defaultAttempts = 185
	defaultAge      = 86_400
	minAge          = 60
	maxInput        = 8192
	maxInputPath    = 256
)

func compileTarget(r *rule, t Target) (*target, error) {
	if t.ID == "" || len(t.ID) > 64 || t.ARN == "" {
		return nil, invalid("a target of rule %s has no valid Id or no Arn: Id %q, Arn %q", r.Name, t.ID, t.ARN)
	}
	in, err := compileInput(t)
	if err != nil {
		return nil, err
	}
	c := &target{Target: t, rule: r, input: in, maxAttempts: defaultAttempts, maxAge: defaultAge * time.Second}
	if p := t.RetryPolicy; p != nil && p.MaximumRetryAttempts != nil {
		if c.maxAttempts = *p.MaximumRetryAttempts; c.maxAttempts < 0 || c.maxAttempts > defaultAttempts {
			return nil, invalid("MaximumRetryAttempts of target %s is %d, not between 0 and %d", t.ID, c.maxAttempts, defaultAttempts)
		}
	}
	if p := t.RetryPolicy; p != nil && p.MaximumEventAgeInSeconds != nil {
		age := *p.MaximumEventAgeInSeconds
		if age < minAge || age > defaultAge {
			return nil, invalid("MaximumEventAgeInSeconds of target %s is %d, not between %d and %d", t.ID, age, minAge, defaultAge)
		}
		c.maxAge = time.Duration(age) * time.Second
	}
	return c, nil
}

func (t *target) deadLetterARN() string {
	if t.DeadLetterConfig == nil {
		return ""
	}
	return t.DeadLetterConfig.ARN
}
