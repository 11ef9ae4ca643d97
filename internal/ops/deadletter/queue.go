// Package deadletter looks into what could not be handled, and has it handled again: the messages of dead-letter queues
// and the executions of state machines that failed.
package deadletter

import (
	"context"
	"fmt"
	"iter"
	"path"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// Place holds what could not be handled: a Queue, or Executions.
type Place interface {
	Name() string
	// Depth returns how many letters there are, including those that somebody looks at.
	Depth(ctx context.Context) (int, error)
	// Letters returns each letter once, in no particular order.
	Letters(ctx context.Context) iter.Seq2[*Letter, error]
	// now returns the time by the clock that dates letters, or the zero time if none can come while Letters is read.
	now(ctx context.Context) (time.Time, error)
	// delete deletes a letter that was redriven.
	delete(ctx context.Context, l *Letter) error
}

// Queue is a queue of what could not be handled.
type Queue struct {
	SQS *sqs.Client
	URL string
}

// Name returns the name of the queue.
func (q *Queue) Name() string { return path.Base(q.URL) }

// Depth returns the approximate number of messages, including those that were received and not yet deleted.
func (q *Queue) Depth(ctx context.Context) (int, error) {
	names := []types.QueueAttributeName{
		types.QueueAttributeNameApproximateNumberOfMessages, types.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
		types.QueueAttributeNameApproximateNumberOfMessagesDelayed,
	}
	out, err := q.SQS.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &q.URL, AttributeNames: names})
	if err != nil {
		return 0, err
	}
	sum := 0
	for _, name := range names {
		n, err := strconv.Atoi(out.Attributes[string(name)])
		if err != nil {
			return 0, fmt.Errorf("queue %s: %s: %w", q.Name(), name, err)
		}
		sum += n
	}
	return sum, nil
}

func (q *Queue) now(ctx context.Context) (time.Time, error) {
	out, err := q.SQS.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: &q.URL, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameCreatedTimestamp},
	})
	if err != nil {
		return time.Time{}, err
	}
	if now, ok := middleware.GetServerTime(out.ResultMetadata); ok { // in whole seconds, cut off
		return now, nil
	}
	return time.Now().Truncate(time.Second), nil
}

// Some returns up to n letters, the oldest first.
func Some(ctx context.Context, p Place, n int) ([]*Letter, error) {
	found := []*Letter{}
	if n == 0 {
		return found, nil
	}
	for l, err := range p.Letters(ctx) {
		if err != nil {
			return nil, err
		}
		if found = append(found, l); len(found) == n {
			break
		}
	}
	slices.SortStableFunc(found, func(a, b *Letter) int { return a.Sent.Compare(b.Sent) })
	return found, nil
}

// HiddenFor is how long a message that is looked at is hidden from others, unless it is given back
// before: as long as it takes to redrive the ten that come at a time. When it was not enough, a message
// is redriven twice.
const HiddenFor = time.Minute

// Letters returns the messages of the queue, each once, in no particular order. When the loop ends, those
// that were not deleted are given back; if the process does not live to do it, they come back by
// themselves.
func (q *Queue) Letters(ctx context.Context) iter.Seq2[*Letter, error] {
	return func(yield func(*Letter, error) bool) {
		held := map[string]*Letter{}
		defer func() { q.giveBack(ctx, held) }()
		for {
			out, err := q.SQS.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
				QueueUrl: &q.URL, MaxNumberOfMessages: 10, VisibilityTimeout: int32(HiddenFor.Seconds()),
				WaitTimeSeconds:             1, // asks all servers of the queue, so that none is missed
				MessageAttributeNames:       []string{"All"},
				MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameSentTimestamp},
			})
			if err != nil {
				yield(nil, err)
				return
			}
			var fresh []*Letter
			for _, m := range out.Messages {
				if again := held[*m.MessageId]; again != nil {
					again.receipt = *m.ReceiptHandle
					continue
				}
				l := readLetter(m)
				held[l.ID] = l
				fresh = append(fresh, l)
			}
			if len(fresh) == 0 {
				return
			}
			for _, l := range fresh {
				if err := ctx.Err(); err != nil {
					yield(nil, err)
					return
				}
				if !yield(l, nil) {
					return
				}
			}
		}
	}
}

// giveBack makes messages visible to others at once. A message whose time is over is visible already, and any other
// failure passes with time.
func (q *Queue) giveBack(ctx context.Context, held map[string]*Letter) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	for _, l := range held {
		if !l.deleted {
			_, _ = q.SQS.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{QueueUrl: &q.URL, ReceiptHandle: &l.receipt})
		}
	}
}

// delete deletes a message, even if the command is interrupted: what it requests is done.
func (q *Queue) delete(ctx context.Context, l *Letter) error {
	_, err := q.SQS.DeleteMessage(context.WithoutCancel(ctx), &sqs.DeleteMessageInput{QueueUrl: &q.URL, ReceiptHandle: &l.receipt})
	if err != nil {
		return &StillThere{err}
	}
	l.deleted = true
	return nil
}

// StillThere is the error of a letter that was redriven and could not be deleted.
type StillThere struct{ Err error }

func (e *StillThere) Error() string {
	return "it was redriven, but is still in the queue: " + e.Err.Error()
}

func (e *StillThere) Unwrap() error { return e.Err }
