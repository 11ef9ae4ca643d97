package sqs

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"milepost/local/awsapi"
	"milepost/local/metrics"
	"milepost/local/storage"
)

// queue is one standard queue. Its Service's lock guards it.
type queue struct {
	name, arn         string
	settings          settings
	created, modified time.Time
	messages          []*message    // in the order they were sent
	moves             []*moveTask   // the newest first
	changed           chan struct{} // closed, and replaced, when a message may have become visible
}

// message is a message of a queue; as JSON it is in the store.
type message struct {
	ID               string
	Body             string
	Attributes       map[string]attribute `json:",omitempty"`
	TraceHeader      string               `json:",omitempty"`
	Sender           string
	Sent             time.Time
	FirstReceived    time.Time `json:",omitzero"`
	Receives         int
	HiddenUntil      time.Time
	DeadLetterSource string `json:",omitempty"` // the ARN of the queue that it was moved from
}

func (q *queue) bucket() string { return "sqs.messages." + q.name }

func (m *message) key() []byte {
	return append(binary.BigEndian.AppendUint64(nil, uint64(m.Sent.UnixNano())), m.ID...)
}

func (q *queue) put(m *message) (storage.Op, error) {
	value, err := json.Marshal(m)
	return storage.Op{Bucket: q.bucket(), Key: m.key(), Value: value}, err
}

func (q *queue) remove(m *message) storage.Op {
	q.messages = slices.DeleteFunc(q.messages, func(other *message) bool { return other == m })
	return storage.Op{Bucket: q.bucket(), Key: m.key()}
}

// wake lets those that wait for a message look again.
func (q *queue) wake() {
	close(q.changed)
	q.changed = make(chan struct{})
}

// expire returns operations that delete the messages that are too old to keep.
func (q *queue) expire(now time.Time) []storage.Op {
	var ops []storage.Op
	q.messages = slices.DeleteFunc(q.messages, func(m *message) bool {
		old := now.Sub(m.Sent) >= q.settings.retention
		if old {
			ops = append(ops, storage.Op{Bucket: q.bucket(), Key: m.key()})
		}
		return old
	})
	return ops
}

// send stores a message and then shows it.
func (s *Service) send(ctx context.Context, q *queue, out outgoing) (*message, error) {
	s.mu.Lock()
	settings := q.settings
	s.mu.Unlock()
	if err := out.check(settings.maxSize); err != nil {
		return nil, err
	}
	delay := settings.delay
	if out.DelaySeconds != nil {
		delay = time.Duration(*out.DelaySeconds) * time.Second
	}
	now := time.Now()
	m := &message{
		ID: newUUID(), Body: out.MessageBody, Attributes: out.MessageAttributes, TraceHeader: out.traceHeader(),
		Sender: sender(ctx), Sent: now, HiddenUntil: now.Add(delay),
	}
	op, err := q.put(m)
	if err != nil {
		return nil, err
	}
	if err := s.store.Commit(op); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	q.messages = append(q.messages, m)
	q.wake()
	return m, nil
}

// sender is the id of the caller, the last part of its ARN.
func sender(ctx context.Context) string {
	arn := awsapi.CallerOf(ctx).ARN
	if arn == "" {
		return awsapi.Account
	}
	return arn[strings.LastIndexByte(arn, '/')+1:]
}

// receive returns up to most messages that are visible, and hides them. It waits for one until patience is over.
func (s *Service) receive(ctx context.Context, q *queue, most int, visibility *int, patience *int) ([]message, error) {
	s.mu.Lock()
	wait := q.settings.wait
	s.mu.Unlock()
	if patience != nil {
		wait = time.Duration(*patience) * time.Second
	}
	over := time.Now().Add(wait)
	for {
		messages, changed, next, err := s.take(q, most, visibility)
		left := time.Until(over)
		if err != nil || len(messages) > 0 || left <= 0 {
			return messages, err
		}
		if !next.IsZero() {
			left = min(left, time.Until(next))
		}
		timer := time.NewTimer(left)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		case <-s.ctx.Done():
			timer.Stop()
			return nil, nil
		}
		timer.Stop()
	}
}

// take returns copies of visible messages. If there are none, it returns what to wait for: changed, or the time next,
// unless that is zero.
func (s *Service) take(q *queue, most int, visibility *int) (taken []message, changed <-chan struct{}, next time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	hide := q.settings.visibility
	if visibility != nil {
		hide = time.Duration(*visibility) * time.Second
	}
	ops := q.expire(now)
	for _, m := range slices.Clone(q.messages) {
		if m.HiddenUntil.After(now) {
			if next.IsZero() || m.HiddenUntil.Before(next) {
				next = m.HiddenUntil
			}
			continue
		}
		if len(taken) == most {
			break
		}
		if dead := s.deadLetters(q); dead != nil && m.Receives >= q.settings.maxReceives {
			ops = append(ops, q.remove(m))
			m.DeadLetterSource, m.Receives, m.FirstReceived = q.arn, 0, time.Time{}
			dead.messages = append(dead.messages, m)
			slices.SortStableFunc(dead.messages, func(a, b *message) int { return a.Sent.Compare(b.Sent) })
			op, err := dead.put(m)
			if err != nil {
				return nil, nil, next, err
			}
			ops = append(ops, op)
			dead.wake()
			continue
		}
		m.Receives++
		m.HiddenUntil = now.Add(hide)
		if m.FirstReceived.IsZero() {
			m.FirstReceived = now
		}
		op, err := q.put(m)
		if err != nil {
			return nil, nil, next, err
		}
		ops = append(ops, op)
		taken = append(taken, *m)
	}
	return taken, q.changed, next, s.store.Commit(ops...)
}

// deadLetters is the queue for messages that were received too often; nil when there is none.
func (s *Service) deadLetters(q *queue) *queue {
	return s.queues[strings.TrimPrefix(q.settings.deadLetterARN, queueARN(""))]
}

// A receipt handle names a message and the receipt of it that the handle was given for.
func (m *message) receipt() string {
	return base64.URLEncoding.EncodeToString(fmt.Appendf(nil, "%s %d", m.ID, m.Receives))
}

// byReceipt finds the message of a receipt handle; nil when it is gone, or was received again since.
func (q *queue) byReceipt(handle string) (*message, error) {
	decoded, err := base64.URLEncoding.DecodeString(handle)
	id, receives, ok := strings.Cut(string(decoded), " ")
	n, numErr := strconv.Atoi(receives)
	if err != nil || !ok || numErr != nil {
		return nil, awsapi.Errorf("ReceiptHandleIsInvalid", "The input receipt handle %q is not a valid receipt handle.", handle)
	}
	for _, m := range q.messages {
		if m.ID == id && m.Receives == n {
			return m, nil
		}
	}
	return nil, nil
}

// delete deletes a message. A handle that is out of date deletes nothing, and succeeds.
func (s *Service) delete(q *queue, handle string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, err := q.byReceipt(handle)
	if m == nil || err != nil {
		return err
	}
	return s.store.Commit(q.remove(m))
}

const maxVisibility = 43_200

// hide changes for how long, from now, a received message is hidden.
func (s *Service) hide(q *queue, handle string, seconds int) error {
	if seconds < 0 || seconds > maxVisibility {
		return invalidValue("Value %d for parameter VisibilityTimeout is invalid. Reason: Must be between 0 and %d.", seconds, maxVisibility)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m, err := q.byReceipt(handle)
	if err != nil {
		return err
	}
	now := time.Now()
	if m == nil || !m.HiddenUntil.After(now) {
		return &awsapi.Error{Code: "MessageNotInflight", QueryCode: "AWS.SimpleQueueService.MessageNotInflight",
			Message: "Value " + handle + " for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change."}
	}
	m.HiddenUntil = now.Add(time.Duration(seconds) * time.Second)
	op, err := q.put(m)
	if err != nil {
		return err
	}
	q.wake()
	return s.store.Commit(op)
}

// purge deletes all messages.
func (s *Service) purge(q *queue) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ops []storage.Op
	for _, m := range q.messages {
		ops = append(ops, storage.Op{Bucket: q.bucket(), Key: m.key()})
	}
	q.messages = nil
	return s.store.Commit(ops...)
}

// Measure publishes how many messages each queue has, and the age of its oldest one.
func (s *Service) Measure(publish metrics.Publish) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for _, q := range s.queues {
		visible, inFlight, delayed := q.count(now)
		oldest := 0.0
		for _, m := range q.messages {
			if age := now.Sub(m.Sent); age < q.settings.retention {
				oldest = max(oldest, age.Seconds())
			}
		}
		publish.Put("AWS/SQS", []metrics.Dimension{{Name: "QueueName", Value: q.name}},
			metrics.Number("ApproximateNumberOfMessagesVisible", visible), metrics.Number("ApproximateNumberOfMessagesNotVisible", inFlight),
			metrics.Number("ApproximateNumberOfMessagesDelayed", delayed),
			metrics.Sample{Name: "ApproximateAgeOfOldestMessage", Unit: metrics.Seconds, Value: oldest})
	}
}

// count returns how many messages are visible, hidden since they were received, and delayed.
func (q *queue) count(now time.Time) (visible, inFlight, delayed int) {
	for _, m := range q.messages {
		switch {
		case now.Sub(m.Sent) >= q.settings.retention:
		case !m.HiddenUntil.After(now):
			visible++
		case m.Receives > 0:
			inFlight++
		default:
			delayed++
		}
	}
	return visible, inFlight, delayed
}
