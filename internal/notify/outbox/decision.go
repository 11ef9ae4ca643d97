package outbox

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/domain/notification"
	"milepost/internal/platform/stored"
)

// Verdict is a person's decision on a notification that the system cannot settle.
type Verdict string

// The verdicts.
const (
	// AsSent: it went out. AsPaperSent: it went out on paper.
	AsSent      Verdict = "SENT"
	AsPaperSent Verdict = "PAPER_SENT"
	// AsNotSent: it did not go out, and is not going to.
	AsNotSent Verdict = "NOT_SENT"
	// Resend: send it, although it may have been sent already.
	Resend Verdict = "RESEND"
)

// Decision is a person's verdict on an item.
type Decision struct {
	Verdict Verdict `json:"verdict"`
	// Was is the status that the item had.
	Was Status    `json:"was"`
	By  string    `json:"by"`
	At  time.Time `json:"at"`
	// Note says how the person knows, or why. It may name somebody, and is removed when the customer is erased.
	Note string `json:"note,omitempty"`
}

// String is the decision in one line.
func (d Decision) String() string {
	line := fmt.Sprintf("%s by %s at %s, was %s", d.Verdict, d.By, d.At.UTC().Format(time.RFC3339), d.Was)
	if d.Note != "" {
		line += ": " + d.Note
	}
	return line
}

// NotToDecide refuses a verdict on an item whose status does not allow it.
type NotToDecide struct {
	Item    Item
	Verdict Verdict
}

func (e *NotToDecide) Error() string {
	var from []string
	for _, s := range transitions[What(e.Verdict)].from {
		from = append(from, string(s))
	}
	what := "settled"
	if e.Verdict == Resend {
		what = "sent again"
	}
	return fmt.Sprintf("notification %s of quote %s is %s; only one that is %s can be %s",
		e.Item.Key(), e.Item.QuoteID, e.Item.Status, strings.Join(from, " or "), what)
}

// Decide carries out a person's verdict on an item as the person saw it, and records it there. The error is
// *NotToDecide if the item's status does not allow it.
func (s *Store) Decide(ctx context.Context, item Item, d Decision) (Item, error) {
	if !slices.Contains(transitions[What(d.Verdict)].from, item.Status) {
		return item, &NotToDecide{item, d.Verdict}
	}
	d.Was = item.Status
	step := Step{What: What(d.Verdict), DueAt: d.At, Channel: notification.Paper, claim: item.claim, decision: d}
	decided, ok, err := s.move(ctx, Ref{item.QuoteID, item.Key()}, step, []Status{item.Status})
	if err != nil || ok {
		return decided, err
	}
	now, _, err := s.Get(ctx, item.QuoteID, item.Key())
	if err != nil {
		return item, err
	}
	if n := len(now.Decisions); n > len(item.Decisions) && now.Decisions[n-1].At.Equal(d.At) && now.Decisions[n-1].By == d.By {
		return now, nil // the first answer to the very call was lost
	}
	return now, &NotToDecide{now, d.Verdict}
}

// resent counts how often a person had an item sent again.
func (i Item) resent() (n int) {
	for _, d := range i.Decisions {
		if d.Verdict == Resend {
			n++
		}
	}
	return n
}

// Told reports whether the customer was told, may have been, or must be told by a person.
func (i Item) Told() bool {
	return i.Status == Sent || i.Status == Unknown || i.Status == Paper ||
		i.Status != NotSent && slices.ContainsFunc(i.Decisions, func(d Decision) bool { return d.Was == Unknown })
}

func (d Decision) attribute() types.AttributeValue {
	return &types.AttributeValueMemberM{Value: stored.Item{
		"verdict": stored.Text(string(d.Verdict)), "was": stored.Text(string(d.Was)), "by": stored.Text(d.By), "at": moment(d.At), "note": stored.Text(d.Note),
	}}
}

// decisionsOf reads the decisions of an item.
func decisionsOf(r stored.Reader) (all []Decision) {
	for _, d := range r.OptionalMaps("decisions") {
		all = append(all, Decision{
			Verdict: Verdict(d.Text("verdict")), Was: Status(d.Text("was")), By: d.Text("by"), Note: d.Text("note"), At: d.Time("at", timeLayout),
		})
	}
	return all
}
