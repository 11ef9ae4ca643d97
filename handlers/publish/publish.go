// Package publish is the function on the log's stream: it announces every appended event on the bus, and alerts staff
// if an existing one was changed or deleted.
package publish

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"milepost/internal/bounds"
	"milepost/internal/effects/messenger"
	"milepost/internal/log/eventstore"
	"milepost/internal/log/park"
	"milepost/internal/log/tamper"
	"milepost/internal/platform"
	"milepost/internal/platform/stored"
	"milepost/internal/quotes/notice"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/wiring"
)

type handler struct {
	bus *eventbridge.Client
	// name is the bus's.
	name   string
	alerts *messenger.Messenger
	// parking has the records that cannot be read.
	parking *park.Lot
	log     *slog.Logger
}

// New makes the handler. It needs EVENT_BUS_NAME, and what wiring.System.Alerts and Parking need.
func New(env platform.Environment) (lambda.Handler, error) {
	s := wiring.Of(env)
	h := &handler{
		bus: s.EventBridge(), name: s.Required("EVENT_BUS_NAME"), alerts: s.Alerts(), parking: s.Parking(), log: env.Logger,
	}
	return platform.Handler(env, h.parking.Guard(h.publish)), s.Err()
}

// publish announces a batch in order and stops at the first record that cannot be announced: the mapping then delivers
// the batch again from there. So the bus usually gets the events of a quote in order; nothing relies on it.
func (h *handler) publish(ctx context.Context, batch events.DynamoDBEvent) (events.DynamoDBEventResponse, error) {
	for start, n := 0, 0; start < len(batch.Records); start += n {
		n = together(batch.Records[start:])
		records := batch.Records[start : start+n]
		var sent int
		var err error
		if c, changed := tamper.Of(records[0]); changed {
			err = h.alert(ctx, c)
		} else {
			sent, err = h.announce(ctx, records)
		}
		if err != nil {
			if start+sent == 0 {
				// With nothing sent, an error says more than a failed item: it is logged and counted.
				return events.DynamoDBEventResponse{}, err
			}
			return failedFrom(records[sent]), nil
		}
	}
	return events.DynamoDBEventResponse{}, nil
}

// together is how many records, from the first, are handled at once: those of appended events, or one change.
func together(records []events.DynamoDBEventRecord) int {
	for n, r := range records[:min(bounds.Announcements, len(records))] {
		if _, changed := tamper.Of(r); changed {
			return max(n, 1)
		}
	}
	return min(bounds.Announcements, len(records))
}

// alertWithin is how long a failing alert may delay the records after it. The archive keeps the change in any case, so
// it is found without the alert.
const alertWithin = 5 * time.Minute

// alert alerts staff to a change.
func (h *handler) alert(ctx context.Context, c tamper.Change) error {
	h.log.WarnContext(ctx, "the log was changed", "stream_id", c.StreamID, "version", c.Version, "kind", c.Kind)
	subject, text := c.Alert()
	_, err := h.alerts.Alert(ctx, subject, text)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("alert that version %d of %s was changed: %w", c.Version, c.StreamID, err)
	if time.Since(c.At) < alertWithin {
		return err
	}
	h.log.ErrorContext(ctx, "no alert", "error", err)
	return nil
}

func failedFrom(record events.DynamoDBEventRecord) events.DynamoDBEventResponse {
	return events.DynamoDBEventResponse{BatchItemFailures: []events.DynamoDBBatchItemFailure{{ItemIdentifier: record.Change.SequenceNumber}}}
}

// announceTries is how often the entries that the bus refused are sent within one invocation.
const announceTries = 3

// announce sends records, and says how many of them, from the first, are on the bus for certain.
func (h *handler) announce(ctx context.Context, records []events.DynamoDBEventRecord) (sent int, err error) {
	entries := make([]types.PutEventsRequestEntry, len(records))
	for i, record := range records {
		n, traceHeader, err := noticeOf(record.Change.NewImage)
		if err == nil {
			platform.Note(ctx, notice.Delivery{Detail: n}.Subject())
			entries[i], err = h.entry(ctx, n, traceHeader)
		}
		if err != nil {
			// The bad record delays neither the records before it nor those after it.
			if sent, sendErr := h.announce(ctx, records[:i]); sendErr != nil {
				return sent, sendErr
			}
			if err := h.parking.Park(ctx, record, err); err != nil {
				return i, err
			}
			sent, err := h.announce(ctx, records[i+1:])
			return i + 1 + sent, err
		}
	}
	for call := range notice.Calls(entries) {
		n, err := h.send(ctx, call)
		sent += n
		if err != nil {
			return sent, err
		}
	}
	return sent, nil
}

// send sends the entries of one call, and says how many of them, from the first, are on the bus for certain.
func (h *handler) send(ctx context.Context, call []types.PutEventsRequestEntry) (sent int, err error) {
	entries := call
	for try := 1; ; try++ {
		failed, err := h.put(ctx, entries)
		if err != nil {
			return len(call) - len(entries), err
		}
		if len(failed) == 0 {
			return len(call), nil
		}
		if try == announceTries {
			first := failed[0]
			return len(call) - len(entries) + first.index, fmt.Errorf("the bus refused an event: %s: %s", first.code, first.message)
		}
		// Everything from the first refused entry on is sent again, even accepted ones after it: order counts, and a
		// repeated notice has no effect.
		entries = entries[failed[0].index:]
	}
}

type refusal struct {
	index         int
	code, message string
}

func (h *handler) put(ctx context.Context, entries []types.PutEventsRequestEntry) ([]refusal, error) {
	out, err := h.bus.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: entries})
	if err != nil {
		return nil, fmt.Errorf("put events: %w", err)
	}
	var failed []refusal
	for i, entry := range out.Entries {
		if entry.ErrorCode != nil {
			failed = append(failed, refusal{i, *entry.ErrorCode, aws.ToString(entry.ErrorMessage)})
		}
	}
	return failed, nil
}

func (h *handler) entry(ctx context.Context, n eventstore.Notice, traceHeader string) (types.PutEventsRequestEntry, error) {
	entry, err := notice.Entry(h.name, n)
	if err != nil {
		return entry, err
	}
	// The stream's batch has its own trace. Each event continues in the trace in which it was appended.
	if onward := platform.ContinueTrace(ctx, "publish", traceHeader); onward != "" {
		entry.TraceHeader = &onward
	}
	return entry, nil
}

// noticeOf reads the notice of an event from its item's image.
func noticeOf(image map[string]events.DynamoDBAttributeValue) (n eventstore.Notice, traceHeader string, err error) {
	item := stored.Image(image)
	if n, traceHeader, err = eventstore.NoticeOf(item); err != nil {
		return n, "", err
	}
	n.Milestone = quotestore.Milestone(n.EventType, n.Version)
	// What was imported is new to this log alone: what followed from it has long happened.
	r := stored.Read(item)
	n.Playback = r.OptionalText(eventstore.ImportedAttribute)
	if r.Err() != nil {
		return n, "", &eventstore.Unreadable{StreamID: n.StreamID, Version: n.Version, Err: r.Err()}
	}
	return n, traceHeader, nil
}
