package main

import (
	"context"
	"fmt"
	"iter"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// deadLetters are a place with what could not be handled.
type deadLetters interface {
	name() string
	// short is the name without what CloudFormation or the stack's name adds to it: undelivered-events.
	short() string
	// now is what the clock by which letters are sent says, the zero time if no letter comes while letters gives them.
	now(ctx context.Context) (time.Time, error)
	// depth is how many letters there are, also those that somebody looks at.
	depth(ctx context.Context) (int, error)
	// letters gives each letter once, in no certain order.
	letters(ctx context.Context) iter.Seq2[*letter, error]
	// delete deletes a letter that was redriven.
	delete(ctx context.Context, l *letter) error
}

// deadLetterQueue is a queue of what could not be handled.
type deadLetterQueue struct {
	sqs       *sqs.Client
	shortName string
	url       string
}

// deadLetters are all queues of the stack, which has no others, and the failed executions of its state machines.
func (st *stack) deadLetters() []deadLetters {
	client := sqs.NewFromConfig(st.aws)
	var queues []deadLetters
	for _, queue := range st.outputsEnding("QueueUrl") {
		queues = append(queues, &deadLetterQueue{client, queue.name, queue.value})
	}
	return append(queues, st.failedExecutions()...)
}

// deadLettersOf finds a queue or a state machine by its name, or by that of its output.
func (st *stack) deadLettersOf(name string) (deadLetters, error) {
	var names []string
	for _, d := range st.deadLetters() {
		if d.name() == name || d.short() == name {
			return d, nil
		}
		names = append(names, d.short())
	}
	return nil, fmt.Errorf("the stack %s has no queue or workflow %s; it has: %s", st.name, name, strings.Join(names, ", "))
}

func (q *deadLetterQueue) name() string { return path.Base(q.url) }

func (q *deadLetterQueue) short() string { return q.shortName }

func (q *deadLetterQueue) depth(ctx context.Context) (int, error) {
	names := []types.QueueAttributeName{
		types.QueueAttributeNameApproximateNumberOfMessages, types.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
		types.QueueAttributeNameApproximateNumberOfMessagesDelayed,
	}
	out, err := q.sqs.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &q.url, AttributeNames: names})
	if err != nil {
		return 0, err
	}
	sum := 0
	for _, name := range names {
		n, err := strconv.Atoi(out.Attributes[string(name)])
		if err != nil {
			return 0, fmt.Errorf("queue %s: %s: %w", q.name(), name, err)
		}
		sum += n
	}
	return sum, nil
}

func (q *deadLetterQueue) now(ctx context.Context) (time.Time, error) {
	out, err := q.sqs.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: &q.url, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameCreatedTimestamp},
	})
	if err != nil {
		return time.Time{}, err
	}
	if now, ok := middleware.GetServerTime(out.ResultMetadata); ok { // in whole seconds, cut off
		return now, nil
	}
	return time.Now().Truncate(time.Second), nil
}

// some gives up to n letters, the oldest first.
func some(ctx context.Context, d deadLetters, n int) ([]*letter, error) {
	found := []*letter{}
	if n == 0 {
		return found, nil
	}
	for l, err := range d.letters(ctx) {
		if err != nil {
			return nil, err
		}
		if found = append(found, l); len(found) == n {
			break
		}
	}
	slices.SortStableFunc(found, func(a, b *letter) int { return a.Sent.Compare(b.Sent) })
	return found, nil
}

// hiddenFor is how long a message that is looked at is hidden from others, unless it is given back
// before: as long as it takes to redrive the ten that come at a time. When it was not enough, a message
// is redriven twice.
const hiddenFor = time.Minute

// letters gives the messages of the queue, each once, in no certain order. When the loop ends, those
// that were not deleted are given back; if the process does not live to do it, they come back by
// themselves.
func (q *deadLetterQueue) letters(ctx context.Context) iter.Seq2[*letter, error] {
	return func(yield func(*letter, error) bool) {
		held := map[string]*letter{}
		defer func() { q.giveBack(ctx, held) }()
		for {
			out, err := q.sqs.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
				QueueUrl: &q.url, MaxNumberOfMessages: 10, VisibilityTimeout: int32(hiddenFor.Seconds()),
				WaitTimeSeconds:             1, // asks all servers of the queue, so that none is missed
				MessageAttributeNames:       []string{"All"},
				MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameSentTimestamp},
			})
			if err != nil {
				yield(nil, err)
				return
			}
			var fresh []*letter
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

// giveBack lets others see messages at once. A message whose time is over is seen already, and any
// other failure is mended by time.
func (q *deadLetterQueue) giveBack(ctx context.Context, held map[string]*letter) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	for _, l := range held {
		if !l.deleted {
			_, _ = q.sqs.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{QueueUrl: &q.url, ReceiptHandle: &l.receipt})
		}
	}
}

// delete deletes a message, even if the command is interrupted: what it asks for is done.
func (q *deadLetterQueue) delete(ctx context.Context, l *letter) error {
	_, err := q.sqs.DeleteMessage(context.WithoutCancel(ctx), &sqs.DeleteMessageInput{QueueUrl: &q.url, ReceiptHandle: &l.receipt})
	if err != nil {
		return fmt.Errorf("it was redriven, but is still in the queue: %w", plainly(err))
	}
	l.deleted = true
	return nil
}
