// Package watch tells what happens in a system, while it happens: events of the log, executions, letters, and what could
// not be handled. It only reads.
package watch

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"milepost/internal/log/eventstore"
	"milepost/internal/notify/outbox"
	"milepost/internal/ops/deadletter"
	"milepost/internal/platform"
	"milepost/internal/quotes/quotestore"
)

// Kind is what happened.
type Kind string

// The kinds.
const (
	Event     Kind = "event"
	Execution Kind = "execution"
	Letter    Kind = "letter"
	Failure   Kind = "failure"
)

// Entry is something that happened. It has no personal data.
type Entry struct {
	At   time.Time `json:"at"`
	Kind Kind      `json:"kind"`
	// QuoteID is the quote that it is about, "" if it is about none or that cannot be told.
	QuoteID string `json:"quoteId,omitempty"`
	What    string `json:"what"`
	// Failed marks what a person should look at.
	Failed bool `json:"failed,omitempty"`
}

// Watcher reads what happens. It is not safe for concurrent use.
type Watcher struct {
	Log     *eventstore.Store
	Letters *outbox.Store
	SFN     *sfn.Client
	// Machines are the ARNs of the state machines, Queues those that hold what could not be handled.
	Machines []string
	Queues   []deadletter.Place
	// QuoteID is the only quote to tell of, "" for all. What is in the queues is told for all alone, since to tell which
	// quote a message is about would hide it from others for a moment.
	QuoteID string
	// Since is when watching begins.
	Since time.Time

	told       map[eventstore.Place]bool
	executions map[string]types.ExecutionStatus
	// active is when a quote last did something, letters the statuses of its letters by quote and key.
	active  map[string]time.Time
	letters map[outbox.Ref]outbox.Status
	depths  map[string]int
	last    time.Time
}

// behind is how far an index or a list may be behind what it is of. What is read again is not told again.
const behind = 30 * time.Second

// lively is for how long after its last event the letters of a quote are looked at.
const lively = 10 * time.Minute

// Poll returns what happened since the last call, in the order of time, and each thing once. What an index was late to
// tell may be earlier than what the call before returned.
func (w *Watcher) Poll(ctx context.Context) ([]Entry, error) {
	if w.told == nil {
		w.told, w.executions, w.active = map[eventstore.Place]bool{}, map[string]types.ExecutionStatus{}, map[string]time.Time{}
		w.letters, w.depths, w.last = map[outbox.Ref]outbox.Status{}, map[string]int{}, w.Since
	}
	now := time.Now()
	var all []Entry
	for _, read := range []func(context.Context, time.Time) ([]Entry, error){w.events, w.runs, w.mail, w.failures} {
		found, err := read(ctx, now)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	w.last = now
	slices.SortStableFunc(all, func(a, b Entry) int { return a.At.Compare(b.At) })
	return all, nil
}

// about reports whether to tell of a quote.
func (w *Watcher) about(quoteID string) bool { return w.QuoteID == "" || w.QuoteID == quoteID }

// from is where reading begins that may have been late.
func (w *Watcher) from() time.Time {
	if from := w.last.Add(-behind); from.After(w.Since) {
		return from
	}
	return w.Since
}

// events reads the log by its index of time.
func (w *Watcher) events(ctx context.Context, now time.Time) (all []Entry, err error) {
	var fresh []eventstore.Place
	still := map[eventstore.Place]bool{}
	for place, err := range w.Log.Places(ctx, eventstore.CursorAt(w.from()), now.Add(time.Second)) {
		if err != nil {
			return nil, err
		}
		if still[place] = true; !w.told[place] {
			fresh = append(fresh, place)
		}
	}
	for batch := range slices.Chunk(fresh, 100) {
		notices, unreadable, err := w.Log.Notices(ctx, batch)
		if err != nil {
			return nil, err
		}
		for _, u := range unreadable {
			all = append(all, Entry{At: now, Kind: Failure, What: u.Error(), Failed: true})
		}
		for _, n := range notices {
			id, _ := quotestore.QuoteID(n.StreamID)
			w.active[id] = now
			if !w.about(id) {
				continue
			}
			at, err := time.Parse(time.RFC3339Nano, n.OccurredAt)
			if err != nil {
				at = now
			}
			all = append(all, Entry{At: at, Kind: Event, QuoteID: id, What: fmt.Sprintf("%d %s by %s", n.Version, n.EventType, n.Actor)})
		}
	}
	w.told = still
	return all, nil
}

// runs reads which executions began, and how those ended that ran.
func (w *Watcher) runs(ctx context.Context, now time.Time) (all []Entry, err error) {
	from := w.from()
	for _, machine := range w.Machines {
		name := platform.NameIn(machine)
		seen := map[string]bool{}
		pages := sfn.NewListExecutionsPaginator(w.SFN, &sfn.ListExecutionsInput{StateMachineArn: &machine})
		for more := true; more && pages.HasMorePages(); {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, err
			}
			for _, e := range page.Executions {
				if more = !e.StartDate.Before(from); !more {
					break
				}
				seen[*e.ExecutionArn] = true
				all = append(all, w.run(name, *e.ExecutionArn, *e.Name, e.Status, e.StartDate, e.StopDate, now)...)
			}
		}
		for arn, status := range w.executions {
			if status != types.ExecutionStatusRunning || seen[arn] || !strings.HasPrefix(arn, executionsOf(machine)) {
				continue
			}
			e, err := w.SFN.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: &arn})
			if err != nil {
				return nil, err
			}
			all = append(all, w.run(name, arn, *e.Name, e.Status, e.StartDate, e.StopDate, now)...)
		}
	}
	return all, nil
}

// executionsOf begins the ARNs of a machine's executions.
func executionsOf(machine string) string {
	return strings.Replace(machine, ":stateMachine:", ":execution:", 1) + ":"
}

// run tells how an execution has changed.
func (w *Watcher) run(machine, arn, name string, status types.ExecutionStatus, began, ended *time.Time, now time.Time) (all []Entry) {
	id, _ := quotestore.OfExecution(name)
	before, known := w.executions[arn]
	w.executions[arn] = status
	if !w.about(id) {
		return nil
	}
	what := machine + " " + name + " "
	if !known {
		all = append(all, Entry{At: aws.ToTime(began), Kind: Execution, QuoteID: id, What: what + "started"})
	}
	if status != types.ExecutionStatusRunning && status != before {
		failed := status != types.ExecutionStatusSucceeded
		all = append(all, Entry{At: cmp.Or(aws.ToTime(ended), now), Kind: Execution, QuoteID: id, What: what + strings.ToLower(string(status)), Failed: failed})
	}
	if known && status == types.ExecutionStatusRunning && before != status {
		all = append(all, Entry{At: now, Kind: Execution, QuoteID: id, What: what + "redriven"})
	}
	return all
}

// mail reads the letters of quotes that do something, and of those that have a letter due.
func (w *Watcher) mail(ctx context.Context, now time.Time) (all []Entry, err error) {
	due, err := w.Letters.DueBy(ctx, now.Add(behind))
	if err != nil {
		return nil, err
	}
	for _, ref := range due {
		w.active[ref.QuoteID] = now
	}
	for id, at := range w.active {
		if now.Sub(at) > lively {
			delete(w.active, id)
			continue
		}
		if !w.about(id) {
			continue
		}
		items, faults, err := w.Letters.OfQuote(ctx, id)
		if err != nil {
			return nil, err
		}
		for _, fault := range faults {
			ref := outbox.Ref{QuoteID: id, Key: fault.Error()}
			if w.letters[ref] == "" {
				all = append(all, Entry{At: now, Kind: Letter, QuoteID: id, What: fault.Error(), Failed: true})
			}
			w.letters[ref] = outbox.Failed
		}
		for _, item := range items {
			ref := outbox.Ref{QuoteID: id, Key: item.Key()}
			before := w.letters[ref]
			w.letters[ref] = item.Status
			changed := cmp.Or(item.SentAt, item.CreatedAt)
			if item.Status == before || before == "" && changed.Before(w.Since) {
				continue
			}
			what := string(item.Kind) + " " + string(item.Status)
			if item.Channel != "" {
				what += " by " + string(item.Channel)
			}
			if item.Problem != "" {
				what += ": " + item.Problem
			}
			if before != "" && item.SentAt.IsZero() {
				changed = now
			}
			failed := slices.Contains([]outbox.Status{outbox.Unknown, outbox.Failed, outbox.Paper}, item.Status)
			all = append(all, Entry{At: changed, Kind: Letter, QuoteID: id, What: what, Failed: failed})
		}
	}
	return all, nil
}

// failures reads how much is in the queues of what could not be handled.
func (w *Watcher) failures(ctx context.Context, now time.Time) (all []Entry, err error) {
	if w.QuoteID != "" {
		return nil, nil
	}
	for _, queue := range w.Queues {
		depth, err := queue.Depth(ctx)
		if err != nil {
			return nil, err
		}
		before := w.depths[queue.Name()]
		w.depths[queue.Name()] = depth
		if depth != before {
			all = append(all, Entry{At: now, Kind: Failure, What: fmt.Sprintf("%s has %d, after %d", queue.Name(), depth, before), Failed: depth > before})
		}
	}
	return all, nil
}
